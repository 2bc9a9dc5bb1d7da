"""`stripeline producer explain`: reads a file or standard input and prints JSON."""

import sys
from pathlib import Path

import msgspec

from producer.errors import NotReadable
from producer.explain import explained
from runtime.clock import SystemClock
from runtime.settings import Settings, load
from schemas.objects import load_catalogue
from schemas.topics import Names


def run(file: Path) -> None:
    """Print what would be published.

    Raises:
        NotReadable: the file is missing, or is neither an event nor an object.
    """
    found = explained(
        _read(file),
        names=Names(namespace=load(Settings).kafka_namespace),
        catalogue=load_catalogue(),
        clock=SystemClock(),
    )
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def _read(file: Path) -> bytes:
    if file == Path("-"):
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotReadable(f"{file} cannot be read: {error.strerror}.") from error
