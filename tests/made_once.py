"""What several files of tests begin with is made once: by whichever of pytest's workers comes first."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import filelock
import pytest
from workbench import build_story, make_workbench

from driftbook.config import Settings
from driftbook.timeline.journal import Story

STORY_UNTIL = "2026-06-03"  # the last day of the small workbench's stream
Made = TypeVar("Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> tuple[Path, Made]:
    """A folder, not to be changed, and what ``make`` returned when it filled it."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, returned = shared / name, shared / f"{name}.pickle"
    with filelock.FileLock(shared / f"{name}.lock"):
        if not returned.exists():
            folder.mkdir()
            returned.write_bytes(pickle.dumps(make(folder)))
    return folder, pickle.loads(returned.read_bytes())


def told_story(factory: pytest.TempPathFactory) -> tuple[Settings, Story]:
    """A copy of the small workbench, judged in one go without kernels until ``STORY_UNTIL``, and its story."""
    folder, story = made_once(factory, "told-story", lambda folder: build_story(make_workbench(folder), STORY_UNTIL))
    return copy_of(Settings(root=folder), factory.mktemp("told-story") / "desk"), story


def copy_of(settings: Settings, folder: Path) -> Settings:
    """A copy that a test may change."""
    return Settings(root=Path(shutil.copytree(settings.root, folder)))
