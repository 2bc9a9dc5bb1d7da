"""The simulated API itself: who asks, what for, and the answer with Stripe's headers."""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Callable
from email.utils import formatdate

from simulator.errors import Refused
from simulator.events import API_VERSION, VERSION_PATTERN
from simulator.exchange import Answer, Call, pretty
from simulator.expanding import Expander
from simulator.form import Raw, decode, from_json
from simulator.idempotency import IdempotencyKeys
from simulator.listing import Listed
from simulator.rendering import is_newest, rendered
from simulator.routing import Router
from simulator.said import Said
from simulator.session import Session
from simulator.state import Body
from simulator.world import Origin, World

V2_PREFIX = "/v2/"
TEST_PREFIX = "/v1/test_helpers/"
"""What lives in test mode only."""


class Api:
    """Answers one request at a time; a refused one changes nothing."""

    def __init__(
        self,
        *,
        world: World,
        router: Router,
        expander: Expander,
        publish: Callable[[list[Said]], None],
    ) -> None:
        self._world = world
        self._router = router
        self._expander = expander
        self._publish = publish
        self._prefix = "sk_live" if world.livemode else "sk_test"
        self._keys: dict[str, IdempotencyKeys] = defaultdict(IdempotencyKeys)

    def answer(self, call: Call, *, then: Callable[[Answer], Answer] | None = None) -> Answer:
        """The answer to a request.

        Args:
            call: the request.
            then: changes the answer after the work was done, before it is saved under the
                request's idempotency key.
        """
        request_id = self._world.identifiers.make("req_", length=14)
        try:
            self._check_key(call)
            world = self._asked(call)

            def through(call: Call) -> Answer:
                answer = self._work(world, call, request_id)
                return then(answer) if then is not None else answer

            keys = self._keys[world.account]
            return keys.answer(call, now=world.clock.seconds, through=through)
        except Refused as refusal:
            return self.refuse(refusal, request_id=request_id)

    def refuse(self, refusal: Refused, *, request_id: str = "", version: str = "") -> Answer:
        """The answer that says why not."""
        return self._answer(
            refusal.body(),
            status=refusal.status,
            request_id=request_id or self._world.identifiers.make("req_", length=14),
            version=version or self._world.api_version,
        )

    def _asked(self, call: Call) -> World:
        """The world of the account that the request is for.

        Raises:
            Refused: the platform has no such account.
        """
        account = _account(call)
        world = self._world.by_account.get(account)
        if world is None:
            raise Refused(
                f"The provided key '{self._prefix}***' does not have access to account "
                f"'{account}' (or that account does not exist). Application access may have "
                "been revoked.",
                status=403,
                code="account_invalid",
            )
        return world

    def _work(self, world: World, call: Call, request_id: str) -> Answer:
        version = _version(call) or world.api_version
        key = call.headers.get("idempotency-key")
        origin = Origin(request_id=request_id, idempotency_key=key)
        session = Session(world, origin=origin)
        try:
            body = self._run(world, session, call)
        except Refused as refusal:
            if not refusal.keeps_work:
                session.roll_back()
                raise
            self._publish(session.changes)
            return self.refuse(refusal, request_id=request_id, version=version)
        except BaseException:
            session.roll_back()
            raise
        self._publish(session.changes)
        if not is_newest(version):
            whole = body.body() if isinstance(body, Listed) else body
            body = rendered(whole, version, world.state)
        return self._answer(body, status=200, request_id=request_id, version=version, key=key)

    def _run(self, world: World, session: Session, call: Call) -> Body | Listed:
        if world.livemode and call.path.startswith(TEST_PREFIX):
            raise Refused(
                "This endpoint is only available in testmode. Try using your test keys instead."
            )
        handler, identifiers = self._router.find(call.method, call.path)
        raw: dict[str, Raw] = decode(call.query)
        if call.path.startswith(V2_PREFIX):
            raw |= from_json(call.body)
        else:
            raw |= decode(call.body.decode(errors="replace"))
        asked = raw.pop("expand", "")
        body = handler(session, identifiers, raw)
        if asked:
            body = body.body() if isinstance(body, Listed) else body
            return self._expander.expand(session, body, asked)
        return body

    def _answer(
        self,
        body: Body | Listed,
        *,
        status: int,
        request_id: str,
        version: str,
        key: str | None = None,
    ) -> Answer:
        headers = [
            ("Content-Type", "application/json"),
            ("Date", formatdate(self._world.clock.seconds, usegmt=True)),
            ("Request-Id", request_id),
            ("Stripe-Version", version),
        ]
        if key:
            headers.append(("Idempotency-Key", key))
        encoded = body.encoded() if isinstance(body, Listed) else pretty(body)
        return Answer(status=status, headers=tuple(headers), body=encoded)

    def _check_key(self, call: Call) -> None:
        key = _api_key(call.headers.get("authorization", ""))
        if not key:
            raise Refused(
                "You did not provide an API key. You need to provide your API key in the "
                "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                "YOUR_SECRET_KEY').",
                status=401,
            )
        if not key.startswith((self._prefix, self._prefix.replace("s", "r", 1))):
            raise Refused(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)


def _version(call: Call) -> str:
    """The version that the request asks for; empty where it does not say.

    Raises:
        Refused: there is none such.
    """
    version = call.headers.get("stripe-version", "")
    if not re.match(VERSION_PATTERN, version) or version > API_VERSION:
        raise Refused(f"Invalid Stripe API version: {version}")
    return version


def _account(call: Call) -> str:
    """The account that the request is for; a context may name the way to it, and it comes last."""
    context = call.headers.get("stripe-context", "")
    return call.headers.get("stripe-account", "") or context.rpartition("/")[2]


def _api_key(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
