"""All types of objects together: what each is to the HTTP layer, and every endpoint."""

from collections.abc import Mapping
from functools import cache

from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from schemas.shapes import load_shapes
from simulator.generic.making import Making
from simulator.generic.resources import generic_resources
from simulator.generic.routes import generic_routes
from simulator.resource import Resource
from simulator.resources.catalogue import ENDPOINTS, RESOURCES, UNDER_ACCOUNTS, all_routes
from simulator.routing import Router
from simulator.state import Identify


class Types:
    """Every type, those written by hand and those known by their shape alone."""

    def __init__(self) -> None:
        by_hand = {resource.name: resource for resource in RESOURCES}
        self.resources: Mapping[str, Resource] = {**by_hand, **generic_resources(by_hand)}
        self.making = Making(by_hand)
        only_read = {resource.name for resource in (*ENDPOINTS, *UNDER_ACCOUNTS)}
        only_read -= {"bank_account", "card"}
        generic = generic_routes(self.resources, self.making, only_read=only_read)
        # Of two alike the first one wins: what is written by hand.
        self.router = Router([*all_routes(self.resources), *generic])


@cache
def every_type() -> Types:
    """Made once per process: it is the same for every simulator."""
    return Types()


@cache
def identities() -> Mapping[str, Identify]:
    """How objects without an id of their own are told apart, by type.

    Those with an id that repeats between accounts lie in their account's world, where it does not.
    """
    names = [name for name in load_ways() if "id" not in load_shapes()[name]]
    rules = {name: load_catalogue().get(name).key_rule for name in names}
    return {name: _by_fields(name, rule.fields) for name, rule in rules.items() if rule}


def _by_fields(name: str, fields: tuple[str, ...]) -> Identify:
    return lambda body: ":".join(str(body[field]) for field in fields) or name
