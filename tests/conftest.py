"""The order of the suite: long files first, so that the workers that share the files end together."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files marked `long` before all others; everything else stays in its order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
