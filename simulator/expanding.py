"""`expand[]`: ids replaced by the objects they name, and fields that are sent only on request."""

from collections.abc import Mapping
from typing import Any

from simulator.errors import Refused, wrong_parameter
from simulator.form import Raw
from simulator.parameters import array, text
from simulator.resource import Resource
from simulator.session import Session
from simulator.state import Body

DEPTH_MAX = 4


class Expander:
    """Expands the answers of one simulator; knows every type's references."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources

    def expand(self, session: Session, body: Body, asked: Raw) -> Body:
        """`body` with every asked path expanded; the stored objects stay as they are.

        Raises:
            Refused: a path is too deep or names what cannot be expanded.
        """
        for path in array(text)("expand", asked):
            parts = str(path).split(".")
            if len(parts) > DEPTH_MAX:
                raise wrong_parameter(
                    "expand", f"You cannot expand more than {DEPTH_MAX} levels of a property"
                )
            expanded = self._descend(session, body, parts, owner="", below="")
            body = {**body, **expanded}
        return body

    def _descend(
        self, session: Session, node: Any, parts: list[str], *, owner: str, below: str
    ) -> Any:
        """`node` with `parts` expanded; `below` is the dotted way to it from its `owner`."""
        if isinstance(node, list):
            return [self._descend(session, item, parts, owner=owner, below=below) for item in node]
        if not isinstance(node, dict):
            return node
        if "object" in node:
            owner, below = node["object"], ""
        part, rest = parts[0], parts[1:]
        dotted = f"{below}.{part}" if below else part
        value = self._value(session, node, part, owner=owner, dotted=dotted, last=not rest)
        if rest:
            value = self._descend(session, value, rest, owner=owner, below=dotted)
        return {**node, part: value}

    def _value(
        self, session: Session, node: Body, part: str, *, owner: str, dotted: str, last: bool
    ) -> Any:
        resource = self._resources.get(owner)
        if resource is not None and dotted in resource.references:
            return self._fetch(session, node.get(part), resource.references[dotted])
        if resource is not None and dotted in resource.included:
            return resource.included[dotted](session, node)
        if part not in node or (last and not isinstance(node[part], dict | list)):
            raise Refused(f"This property cannot be expanded ({part}).", parameter="expand")
        return node[part]

    def _fetch(self, session: Session, value: Any, name: str) -> Any:
        if isinstance(value, list):
            return [self._fetch(session, item, name) for item in value]
        if not isinstance(value, str):
            return value
        found = session.find(name, value)
        if found is not None:
            return found
        if value in session.world.state[name].deleted:
            return {"id": value, "object": name, "deleted": True}
        return value
