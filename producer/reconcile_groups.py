"""Which object types are reconciled together: those whose lists are read through one another."""

from collections.abc import Iterable, Mapping

from runtime.errors import WrongSetting
from schemas.endpoints import Ways


def reconcilable(chosen: Iterable[str], ways: Mapping[str, Ways]) -> tuple[str, ...]:
    """Those of the types that are compared by themselves.

    The others are shown by their parents only, and compared with them, or not shown at all.
    """
    owned = {child.object_name for one in ways.values() for child in one.children if child.owned}
    return tuple(name for name in chosen if name not in owned and _is_shown(ways[name]))


def require_reconcilable(names: Iterable[str], ways: Mapping[str, Ways]) -> None:
    """Refuse what was asked for by name and cannot be compared.

    Raises:
        WrongSetting: the message says with what it is compared, or why it is not.
    """
    for name in names:
        if reconcilable([name], ways):
            continue
        parents = sorted(
            parent.object_name
            for parent in ways.values()
            if any(child.object_name == name and child.owned for child in parent.children)
        )
        if parents:
            raise WrongSetting(
                f"{name}: it is compared with the object that it belongs to. "
                f"Example: stripeline producer reconcile {parents[0]}"
            )
        raise WrongSetting(f"{name}: Stripe does not show it: {ways[name].unreachable}.")


def often(chosen: Iterable[str], ways: Mapping[str, Ways]) -> tuple[str, ...]:
    """Those of which events do not tell every change, and which are quickly looked through.

    Lists inside other objects are left to the long run: they cost a request per object.
    """
    return tuple(
        name
        for name in chosen
        if not ways[name].events_complete
        and all(not endpoint.parent for endpoint in ways[name].lists)
        and (ways[name].lists or any("{" not in path for path in ways[name].retrieve))
    )


def groups(chosen: Iterable[str], ways: Mapping[str, Ways]) -> tuple[tuple[str, ...], ...]:
    """The types in groups, so that no list has to be read for two of them."""
    found: list[tuple[set[str], list[str]]] = []
    for name in chosen:
        read, members = read_for(name, ways), [name]
        apart = []
        for other_read, others in found:
            if other_read & read:
                read |= other_read
                members = others + members
            else:
                apart.append((other_read, others))
        found = [*apart, (read, members)]
    return tuple(tuple(members) for _, members in found)


def read_for(name: str, ways: Mapping[str, Ways]) -> set[str]:
    """The types whose lists are read to see every object of this one."""
    found: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [endpoint.parent for endpoint in ways[one].lists if endpoint.parent]
    return found


def _is_shown(ways: Ways) -> bool:
    return bool(ways.lists or ways.retrieve)
