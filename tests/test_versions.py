"""Model versions are found by number, and a folder that somebody deleted is asked for with what to do."""

from pathlib import Path

import pytest

from driftbook.errors import StateError
from driftbook.timeline.models import Version, Versions


def test_versions_come_in_order_of_their_number(tmp_path: Path) -> None:
    found = Versions({each: Version(each, tmp_path / f"v{each}") for each in (10, 2)}, folder=tmp_path)
    assert list(found) == [2, 10]
    assert found[10].folder == tmp_path / "v10"


def test_a_version_whose_folder_is_gone_says_what_to_do() -> None:
    found = Versions({}, folder=Path("data/state/models/churn"))
    assert 3 not in found
    with pytest.raises(StateError, match=r"version 3, expected at .*churn/v3, .* driftbook reset --use-case churn"):
        found[3]
