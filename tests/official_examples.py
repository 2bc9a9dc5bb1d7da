"""Stripe's own example objects, which lie beside the project and not in it."""

from pathlib import Path
from typing import Any

import orjson
import pytest

EXAMPLES_FILE = Path(__file__).parents[2] / "shared" / "stripe" / "fixtures-2026-07-29.json"


def official_examples() -> dict[str, dict[str, Any]]:
    """The example of each resource; several resources may be of one object type."""
    if not EXAMPLES_FILE.exists():
        pytest.skip(
            f"lacks {EXAMPLES_FILE}: Stripe's example objects, "
            "fixtures3.json of the repository stripe/openapi"
        )
    found: dict[str, dict[str, Any]] = orjson.loads(EXAMPLES_FILE.read_bytes())["resources"]
    return found
