"""What is read from the `stripe` package once: it takes seconds."""

import pytest

from schemas.generate import generated_files
from schemas.generate_annotations import AnnotatedObject, annotated_objects


@pytest.fixture(scope="session")
def annotated() -> dict[str, AnnotatedObject]:
    """Every object type of the pinned package."""
    return {found.name: found for found in annotated_objects()}


@pytest.fixture(scope="session")
def generated() -> dict[str, bytes]:
    """The files that the generator would write now."""
    return generated_files()
