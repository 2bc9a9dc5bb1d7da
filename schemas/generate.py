"""Writes the Avro schemas, their index and the ways to each object from the pinned package.

python -m schemas.generate            write the files
python -m schemas.generate --check    say which files differ; exit code 1 if any does
python -m schemas.generate --release  lock the columns as they are: from now on they stay
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson

from schemas.columns import Column, record_name, record_schema
from schemas.endpoints import ENDPOINTS_FILE
from schemas.generate_annotations import (
    API_VERSION,
    PACKAGE_VERSION,
    AnnotatedObject,
    annotated_objects,
)
from schemas.generate_columns import Rules
from schemas.generate_endpoints import generated_ways
from schemas.generate_events import event_objects
from schemas.generate_moves_page import moves_page
from schemas.generate_page import page
from schemas.generate_reviewed import Reviewed, read_reviewed
from schemas.history import load_history
from schemas.moved import load_moves
from schemas.released import RELEASED_FILE, Released, read_released, released_form, with_released
from schemas.topics import table_name

FOLDER: Final = Path(__file__).parent / "avro"


def generated_files() -> dict[str, bytes]:
    """Every file of `schemas/avro`, by name, as the package and the reviewed lists give it."""
    reviewed = read_reviewed()
    annotated = {found.name: found for found in annotated_objects()}
    columns = columns_by_type(annotated, reviewed, read_released())
    events = event_objects(annotated.keys())
    keys = {name: list(reviewed.natural_keys.get(name, ("id",))) for name in columns}
    index = {
        "package": PACKAGE_VERSION,
        "api_version": API_VERSION,
        "objects": {
            name: {"key": keys.get(name)} for name in sorted(annotated.keys() | columns.keys())
        },
        "events": events,
    }
    files = {
        f"{table_name(name)}.avsc": _json(
            record_schema(
                object_name=name, columns=found, doc=f"Stripe object `{name}` and what changed it."
            )
        )
        for name, found in columns.items()
    }
    assert len(files) == len({record_name(name) for name in columns}), "two types, one record name"
    files["index.json"] = _json(index)
    files["MOVES.md"] = moves_page(columns, load_history(), load_moves()).encode()
    files["README.md"] = page(columns, keys, events, reviewed.not_stored).encode()
    return files


def generated_endpoints() -> bytes:
    """The content of `schemas/endpoints.json`."""
    annotated = {found.name: found for found in annotated_objects()}
    columns = columns_by_type(annotated, read_reviewed(), read_released())
    told = {name for names in event_objects(annotated.keys()).values() for name in names}
    return generated_ways(annotated, columns, told)


def columns_by_type(
    annotated: Mapping[str, AnnotatedObject], reviewed: Reviewed, released: Released
) -> dict[str, tuple[Column, ...]]:
    """The columns of every type that gets a schema: the package's, and those once released."""
    rules = Rules(reviewed=reviewed, history=load_history())
    names = (annotated.keys() - reviewed.not_stored.keys()) | released.keys()
    return {
        name: with_released(
            name, rules.columns(annotated[name]) if name in annotated else (), released
        )
        for name in sorted(names)
    }


def differing(files: Mapping[str, bytes], folder: Path) -> Iterator[str]:
    """The names of files that are missing, left over or have another content in the folder."""
    present = {path.name for path in folder.iterdir()}
    for name in sorted(files.keys() | present):
        if name not in present or files.get(name) != (folder / name).read_bytes():
            yield name


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Make the folder hold these files and no others."""
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def release() -> None:
    """Lock the columns as they are."""
    annotated = {found.name: found for found in annotated_objects()}
    columns = columns_by_type(annotated, read_reviewed(), read_released())
    forms = {name: released_form(found) for name, found in columns.items()}
    RELEASED_FILE.write_bytes(_json(forms))


def main(arguments: list[str]) -> int:
    """What the module's docstring says; the exit code."""
    match arguments:
        case []:
            write(generated_files(), FOLDER)
            ENDPOINTS_FILE.write_bytes(generated_endpoints())
        case ["--check"]:
            different = [f"avro/{name}" for name in differing(generated_files(), FOLDER)]
            if generated_endpoints() != ENDPOINTS_FILE.read_bytes():
                different.append(ENDPOINTS_FILE.name)
            for name in different:
                sys.stderr.write(f"schemas/{name} differs: run `make schemas`\n")
            return 1 if different else 0
        case ["--release"]:
            release()
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


def _json(content: object) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
