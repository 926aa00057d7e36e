"""The order of the suite, long files first, so that workers end together; and what its workers keep in memory."""

import gc

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files marked `long` before all others; everything else stays in its order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays to the end: no collection of garbage needs to walk through it."""
    gc.collect()
    gc.freeze()
