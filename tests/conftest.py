"""Imported before any test: sets GOMP_SPINCOUNT before torch is imported."""

from __future__ import annotations

from collections.abc import Iterator

import documents
import pytest
from hypothesis import settings

import mtinet  # noqa: F401

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that run the orchestrators come first: they take longest, and at the end one core would be idle."""
    items.sort(key=lambda item: item.get_closest_marker("orchestrator") is None)


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> Iterator[list[documents.Command]]:
    """The commands that the test is marked to follow, in the order of its marks; it has to run them all."""
    marks = list(request.node.iter_markers("follows"))[::-1]
    found = [documents.command(mark.args[0], start) for mark in marks for start in mark.args[1:]]
    yield found
    left = [command.text for command in found if not command.taken]
    assert not left, f"not run, though the test is marked to follow them: {left}"
