"""Writes `history.json` from older releases of the `stripe` package and older specifications.

python -m schemas.generate_history FILE...

A FILE is a wheel of the package (typed since 7.14.0), or Stripe's published specification of an
older API version, `openapi/spec3.json` or `.yaml` at some commit of the repository stripe/openapi,
named for the commit. Nothing of them is kept but names, kinds and versions.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import orjson

from schemas.generate_history_specifications import read_specification
from schemas.generate_history_wheels import Read, read_wheel
from schemas.history import HISTORY_FILE, Lifetime
from schemas.shapes import Shape


def history(read: Iterable[Read]) -> dict[str, object]:
    """The content of `history.json`."""
    in_order = sorted(read, key=lambda one: one.version)
    found = {name: dict(fields) for name, fields in UNTOLD.items()}
    for one in in_order:
        for name, fields in one.fields.items():
            known = found.setdefault(name, {})
            for field, now in fields.items():
                known[field] = _longer(known.get(field), now)
    return {
        "versions": {one.version: one.origin for one in in_order},
        "objects": {
            name: {field: lifetime.text for field, lifetime in sorted(fields.items())}
            for name, fields in sorted(found.items())
        },
    }


UNTOLD: Final[Mapping[str, Mapping[str, Lifetime]]] = {
    "line_item": {"unique_id": Lifetime(first="2019-02-11", last="2019-11-05", shape=Shape.STRING)}
}
"""Fields that only Stripe's changelog speaks of: docs.stripe.com/changelog/2019-12-03/
standardizes-invoice-line-item-ids."""


def _longer(known: Lifetime | None, now: Lifetime) -> Lifetime:
    if known is None:
        return now
    # Releases of the package say of a decimal that it is a text; the specifications know better.
    decimal = (known.shape, now.shape) == (Shape.DECIMAL, Shape.STRING)
    return Lifetime(
        first=known.first,
        last=now.last,
        shape=known.shape if decimal else now.shape,
        targets=now.targets,
    )


def read_file(path: Path) -> Read:
    """What one file says, whichever of the two kinds it is."""
    return read_wheel(path) if path.suffix == ".whl" else read_specification(path)


def written(content: Mapping[str, object]) -> bytes:
    """The file's bytes."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main(arguments: list[str]) -> int:
    """What the module's docstring says; the exit code."""
    if not arguments:
        sys.stderr.write(__doc__ or "")
        return 2
    HISTORY_FILE.write_bytes(written(history(read_file(Path(path)) for path in arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
