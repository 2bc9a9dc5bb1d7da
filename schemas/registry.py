"""The schema registry: schema to id when writing, id to schema when reading.

Speaks the Confluent API over plain HTTP. Waiting and asking again is the caller's: every call asks
once and says whether asking again can help.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import orjson

from schemas.errors import RegistryUnreachable, SchemaRefused, SchemaUnknown

COMPATIBILITY: Final = "FULL_TRANSITIVE"
"""Every version reads every other one: a replay of old records never fails."""

_MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_SCHEMA_NOT_FOUND: Final = 40403
"""The registry's own word for it; a 404 without it comes from something that is no registry."""
_MAY_PASS: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500


class Registry:
    """One registry, asked over one pool of connections; answers are remembered for good.

    Args:
        url: base address of the Confluent API; `user:password@` is sent as basic authentication.
        timeout_seconds: for connecting, and for each wait of one request.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 10.0) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/") + "/", timeout=timeout_seconds)
        self._ids: dict[tuple[str, bytes], int] = {}
        self._schemas: dict[int, dict[str, Any]] = {}

    def register(self, subject: str, schema: Mapping[str, Any]) -> int:
        """The id of a schema under a subject, registered if it is new there.

        The subject is held to `FULL_TRANSITIVE` before the schema is sent.

        Raises:
            RegistryUnreachable: no answer; ask again later.
            SchemaRefused: incompatible with an earlier version, malformed, or not allowed.
        """
        text = orjson.dumps(schema)
        known = self._ids.get((subject, text))
        if known is not None:
            return known
        self._hold_to_compatibility(subject)
        answer = self._ask(
            "POST",
            f"subjects/{quote(subject, safe='')}/versions",
            {"schemaType": "AVRO", "schema": text.decode()},
        )
        schema_id = int(answer["id"])
        self._ids[(subject, text)] = schema_id
        return schema_id

    def schema(self, schema_id: int) -> dict[str, Any]:
        """The schema that a framed record's id names.

        Raises:
            RegistryUnreachable: no answer; ask again later.
            SchemaUnknown: the registry knows no such id.
            SchemaRefused: it is not an Avro record, or may not be read.
        """
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        response = self._send("GET", f"schemas/ids/{schema_id}", None)
        if response.status_code == _NOT_FOUND and _error_code(response) == _SCHEMA_NOT_FOUND:
            raise SchemaUnknown(_told(response))
        answer = _answer(response)
        if answer.get("schemaType", "AVRO") != "AVRO":
            raise SchemaRefused(f"schema {schema_id} is {answer['schemaType']}, not Avro")
        schema = orjson.loads(answer["schema"])
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise SchemaRefused(f"schema {schema_id} is not an Avro record")
        self._schemas[schema_id] = schema
        return schema

    def versions(self, subject: str) -> dict[int, dict[str, Any]]:
        """Every schema of a subject, by its version, oldest first; none if there is no subject.

        Raises:
            RegistryUnreachable: no answer; ask again later.
            SchemaRefused: the answer is not a registry's, or may not be read.
        """
        path = f"subjects/{quote(subject, safe='')}/versions"
        response = self._send("GET", path, None)
        if response.status_code == _NOT_FOUND:
            return {}
        listed: object = orjson.loads(response.content) if response.is_success else None
        if not isinstance(listed, list):
            raise SchemaRefused(_told(response))
        return {
            version: self.schema(int(self._ask("GET", f"{path}/{version}", None)["id"]))
            for version in sorted(listed)
        }

    def check(self) -> None:
        """Ask for nothing in particular.

        Raises:
            RegistryUnreachable: no answer.
            SchemaRefused: an answer, but not a registry's.
        """
        self._ask("GET", "config", None)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _hold_to_compatibility(self, subject: str) -> None:
        path = f"config/{quote(subject, safe='')}"
        if self._compatibility(path) == COMPATIBILITY:
            return
        response = self._send("PUT", path, {"compatibility": COMPATIBILITY})
        if response.status_code == _CONFLICT and self._compatibility(path) == COMPATIBILITY:
            return  # Somebody else, who registers at the same moment, was faster.
        _answer(response)

    def _compatibility(self, path: str) -> str | None:
        """What a subject is held to by a setting of its own; none if it has no such setting."""
        response = self._send("GET", path, None)
        if response.status_code == _NOT_FOUND:
            return None
        found = _answer(response).get("compatibilityLevel")
        return found if isinstance(found, str) else None

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        return _answer(self._send(method, path, body))

    def _send(self, method: str, path: str, body: Mapping[str, str] | None) -> httpx.Response:
        try:
            response = self._client.request(
                method,
                path,
                content=None if body is None else orjson.dumps(body),
                headers={"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE},
            )
        except httpx.HTTPError as error:
            raise RegistryUnreachable(
                f"the schema registry at {self._client.base_url.host} gave no answer to "
                f"{method} {path}: {type(error).__name__}"
            ) from error
        if response.status_code >= _SERVER_ERRORS or response.status_code in _MAY_PASS:
            raise RegistryUnreachable(_told(response))
        return response


def _answer(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise SchemaRefused(_told(response))
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        raise SchemaRefused("the answer is not a schema registry's: no JSON") from error
    if not isinstance(answer, dict):
        raise SchemaRefused("the answer is not a schema registry's: no JSON object")
    return answer


def _told(response: httpx.Response) -> str:
    request = response.request
    return (
        f"the schema registry answered {response.status_code} to {request.method} "
        f"{request.url.path}: {_reason(response)}"
    )


def _reason(response: httpx.Response) -> str:
    """What the registry says was wrong, cut to a length fit for a log line."""
    message = _fault(response).get("message")
    return str(message or response.reason_phrase)[:_REASON_CHARACTERS_MAX]


def _error_code(response: httpx.Response) -> object:
    return _fault(response).get("error_code")


def _fault(response: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


_REASON_CHARACTERS_MAX: Final = 2_000
