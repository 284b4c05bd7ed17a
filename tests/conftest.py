"""What takes minutes starts first, so that no processor waits for the last file."""

from collections.abc import MutableSequence

import pytest


def pytest_collection_modifyitems(items: MutableSequence[pytest.Item]) -> None:
    items[:] = sorted(items, key=lambda item: not any(map(item.get_closest_marker, ("long", "pipeline"))))
