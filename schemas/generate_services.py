"""What the pinned `stripe` package can ask of Stripe's v1 API: every request of its services.

The address stands in each method's source, the parameters in its annotations.
"""

import ast
import importlib
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import stripe
from stripe import ListObject
from stripe._request_options import RequestOptions
from stripe._stripe_service import StripeService

from schemas.generate_annotations import object_name, type_checking_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One request that the package can make.

    Attributes:
        method: its name in the package: `list`, `retrieve`, `update`.
        path: the address, with the package's names in braces.
        parameters: what it takes beside the path, in the package's order.
        required: those of the parameters that it does not go without.
        nested: those that take an object or a list of objects.
        takes_window: whether `created` takes a beginning and an end.
        object_names: the types that it answers with, or lists.
        is_list: whether it answers with a list that is read page by page.
        words: what the package says of it and of its parameters, for rules only.
    """

    method: str
    verb: str
    path: str
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    nested: tuple[str, ...]
    takes_window: bool
    object_names: tuple[str, ...]
    is_list: bool
    words: str


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """Every request of the package's v1 services, by module and in the order of their sources."""
    return tuple(
        _endpoint(method, *request, names)
        for service, names in _services()
        for method in vars(service).values()
        if isinstance(method, types.FunctionType) and (request := _request(method)) is not None
    )


def _services() -> Iterator[tuple[type, dict[str, Any]]]:
    """Each service class that makes requests, and the names that its annotations use."""
    folder = Path(stripe.__file__).parent
    for file in sorted(folder.rglob("*_service.py")):
        parts = file.relative_to(folder.parent).with_suffix("").parts
        if "v2" not in parts:
            module = importlib.import_module(".".join(parts))
            for value in vars(module).values():
                if _is_service(value) and value.__module__ == module.__name__:
                    yield value, vars(typing) | vars(module) | type_checking_names(module)


def _is_service(value: object) -> bool:
    return (
        isinstance(value, type) and issubclass(value, StripeService) and value is not StripeService
    )


def _endpoint(method: Callable[..., Any], verb: str, path: str, names: dict[str, Any]) -> Endpoint:
    hints = typing.get_type_hints(method, globalns=names)
    answer = hints["return"]
    taken = next((part for part in _parts(hints.get("params")) if _is_parameters(part)), None)
    own = {} if taken is None else _own(taken)
    return Endpoint(
        method=method.__name__,
        verb=verb,
        path=path,
        parameters=tuple(own),
        required=() if taken is None else tuple(n for n in own if n in taken.__required_keys__),
        nested=tuple(name for name, hint in own.items() if "Params" in str(hint)),
        takes_window="Created" in str(own.get("created", "")),
        object_names=_object_names(answer),
        is_list=typing.get_origin(answer) is ListObject,
        words=" ".join(f"{method.__doc__} {_words(taken)}".split()),
    )


def _request(method: Callable[..., Any]) -> tuple[str, str] | None:
    """The verb and the address of the v1 request in a method's source; none if it makes none."""
    for call in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method)))):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "_request":
            verb, address = call.args[:2]
            # The address is a text, or a text whose `format` is called.
            template = next(part for part in ast.walk(address) if isinstance(part, ast.Constant))
            path = str(template.value)
            return (ast.literal_eval(verb), path) if path.startswith(_VERSION) else None
    return None


def _parts(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *typing.get_args(annotation))


def _is_parameters(part: Any) -> bool:
    return isinstance(part, type) and hasattr(part, "__required_keys__")


def _own(taken: Any) -> dict[str, Any]:
    """The parameters and their annotations, without what any request takes."""
    general = RequestOptions.__annotations__.keys() | {"expand"}
    return {name: hint for name, hint in taken.__annotations__.items() if name not in general}


def _object_names(answer: Any) -> tuple[str, ...]:
    """The types in an annotation, however deep: a list of one or the other."""
    if (found := object_name(answer)) is not None:
        return (found,)
    return tuple(name for part in typing.get_args(answer) for name in _object_names(part))


def _words(taken: Any) -> str:
    """The source of a parameter class: its annotations and the text below each."""
    return "" if taken is None else textwrap.dedent(inspect.getsource(taken))


_VERSION: Final = "/v1/"
