"""What a backfill reads: which lists, which of them for each object of another, what by itself."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from runtime.errors import WrongSetting
from schemas.endpoints import ListEndpoint, Ways

ACCOUNT: Final = "account"
OBJECT: Final = "object"
"""The parameter by which a list of several types is asked for one of them."""
ACCOUNT_PATH: Final = "/v1/account"
TEST_HELPERS: Final = "/v1/test_helpers/"
OF_TESTS: Final = "test_helpers."


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list with one set of its parameters, and what is read for each object that it shows.

    Attributes:
        parameters: of the pass.
        keeps: whether its objects are stored; else it is read for what is below alone.
        only: types that are stored of several that it shows; empty where it shows one.
        below: lists of its objects.
        inside: field of the parent's body that shows this list too; empty where none does.
    """

    endpoint: ListEndpoint
    parameters: Mapping[str, str]
    keeps: bool
    only: frozenset[str]
    below: tuple["Listing", ...]
    inside: str

    @property
    def object_name(self) -> str:
        """What it lists."""
        return self.endpoint.object_name

    def stores(self, object_name: str) -> bool:
        """Whether objects of a type that it shows are stored."""
        return self.keeps and (not self.only or object_name in self.only)

    @property
    def address(self) -> str:
        """Tells it from every other listing without a parent."""
        told = ",".join(f"{name}={value}" for name, value in sorted(self.parameters.items()))
        return f"{self.endpoint.path}?{told}" if told else self.endpoint.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """The only object of its type, which is retrieved.

    Attributes:
        keeps: whether it is stored; else it is only looked at.
    """

    object_name: str
    path: str
    keeps: bool = True

    @property
    def address(self) -> str:
        """Tells it from every listing and every other single object."""
        return f"{self.path}?single"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is read of one account.

    Attributes:
        listings: lists without a parent.
        unlisted: chosen types that Stripe neither lists nor has only one of.
    """

    singles: tuple[Single, ...]
    listings: tuple[Listing, ...]
    unlisted: tuple[str, ...]


def ways_in_mode(ways: Mapping[str, Ways], *, livemode: bool | None) -> Mapping[str, Ways]:
    """The ways that a key has: Stripe shows test clocks, and what belongs to them, to no live key.

    Args:
        ways: to every type.
        livemode: of the key; none where it is not known.
    """
    if not livemode:
        return ways
    return {
        name: replace(one, lists=tuple(found for found in one.lists if not _is_of_tests(found)))
        for name, one in ways.items()
    }


def _is_of_tests(endpoint: ListEndpoint) -> bool:
    return endpoint.path.startswith(TEST_HELPERS) or endpoint.parent.startswith(OF_TESTS)


def plan_for(chosen: Iterable[str], ways: Mapping[str, Ways]) -> Plan:
    """What is to be read so that every object of the chosen types is seen.

    A type that is only the parent of a chosen one is read as well, once for all its children, and
    not stored.
    """
    wanted = tuple(chosen)
    endpoints = _endpoints(wanted, ways)
    listings = tuple(
        listing
        for endpoint in endpoints
        if not endpoint.parent
        for listing in _listings(endpoint, endpoints, frozenset(wanted), ways)
    )
    singles = tuple(
        Single(object_name=name, path=path)
        for name in wanted
        for path in ways[name].retrieve
        if "{" not in path
    )
    seen = {endpoint.object_name for endpoint in endpoints} | {one.object_name for one in singles}
    unlisted = tuple(name for name in wanted if name not in seen)
    return Plan(singles=singles, listings=listings, unlisted=unlisted)


def with_age(plan: Plan) -> Plan:
    """The same with the account itself, which tells how far back its objects may go."""
    if any(single.object_name == ACCOUNT for single in plan.singles):
        return plan
    account = Single(object_name=ACCOUNT, path=ACCOUNT_PATH, keeps=False)
    return replace(plan, singles=(account, *plan.singles))


def require_listed(chosen: Iterable[str], ways: Mapping[str, Ways]) -> None:
    """Refuse what was asked for by name and cannot be had.

    Raises:
        WrongSetting: Stripe does not list it; the message says with what it comes, or why not.
    """
    for name in plan_for(chosen, ways).unlisted:
        parents = [
            parent.object_name
            for parent in ways.values()
            if any(child.object_name == name and child.owned for child in parent.children)
        ]
        if parents:
            raise WrongSetting(
                f"{name}: it comes with the object that it belongs to. "
                f"Example: stripeline producer backfill {parents[0]}"
            )
        why = ways[name].unreachable or "each is retrieved by its id, once that is known"
        raise WrongSetting(f"{name}: Stripe does not list it: {why}.")


def _endpoints(chosen: tuple[str, ...], ways: Mapping[str, Ways]) -> tuple[ListEndpoint, ...]:
    """The lists of the chosen types and of all that they are read through, parents first."""
    found: dict[str, tuple[ListEndpoint, ...]] = {}

    def add(name: str) -> None:
        if name in found:
            return
        found[name] = ways[name].lists
        for endpoint in ways[name].lists:
            if endpoint.parent:
                add(endpoint.parent)

    for name in chosen:
        add(name)
    return tuple(endpoint for endpoints in found.values() for endpoint in endpoints)


def _listings(
    endpoint: ListEndpoint,
    endpoints: tuple[ListEndpoint, ...],
    chosen: frozenset[str],
    ways: Mapping[str, Ways],
) -> tuple[Listing, ...]:
    """A listing for each pass of an endpoint, with all that is read below it."""
    below = _together(
        listing
        for child in endpoints
        if child.parent == endpoint.object_name
        for listing in _listings(child, endpoints, chosen, ways)
    )
    return tuple(
        Listing(
            endpoint=endpoint,
            parameters=parameters,
            keeps=endpoint.object_name in chosen,
            only=frozenset(),
            below=below,
            inside=_inside(endpoint, ways),
        )
        for parameters in endpoint.passes
    )


def _together(listings: Iterable[Listing]) -> tuple[Listing, ...]:
    """Those of one list that differ in the type asked for as one, which asks for none."""
    found: dict[object, Listing] = {}
    for listing in listings:
        if listing.parameters != {OBJECT: listing.object_name}:
            found[len(found)] = listing
            continue
        same = found.get(listing.endpoint.path)
        stored = {listing.object_name} if listing.keeps else set()
        found[listing.endpoint.path] = replace(
            listing if same is None else same,
            parameters={},
            keeps=listing.keeps or (same is not None and same.keeps),
            only=frozenset(stored) | (same.only if same is not None else frozenset()),
            below=listing.below if same is None else same.below + listing.below,
        )
    return tuple(found.values())


def _inside(endpoint: ListEndpoint, ways: Mapping[str, Ways]) -> str:
    """The field in which a parent's body shows a list without being asked."""
    if not endpoint.parent:
        return ""
    by_parent = "" if endpoint.parent_in_path else f"?{endpoint.parent_field}={{}}"
    address = _shape(endpoint.path) + by_parent
    for child in ways[endpoint.parent].children:
        same = child.object_name == endpoint.object_name and _shape(child.path) == address
        if same and not child.expanded_only:
            return child.field
    return ""


def _shape(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)
