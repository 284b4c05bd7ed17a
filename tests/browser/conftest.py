"""A dashboard of its own for each file of tests, on a copy of the one workbench that was really built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from built_workbench import built_workbench
from made_once import copy_of
from playwright.sync_api import Browser

from browser.visits import chromium
from driftbook.config import Settings


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all visitors of a file."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The built workbench, to be changed."""
    folder = tmp_path_factory.mktemp("dashboard") / "desk"
    yield copy_of(built_workbench(tmp_path_factory)[0], folder)
    shutil.rmtree(folder, ignore_errors=True)
