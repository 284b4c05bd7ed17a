"""What was acknowledged is in the log, once, though the service is killed and its database goes away.

The campaign of the full size, 100,000 requests and 20 kills, is ``python -m benchmarks.kills``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.kills import Plan, run_campaign
from live_service import make_models
from stores import KINDS, empty_store

pytestmark = pytest.mark.long


@pytest.mark.parametrize("kind", KINDS)
def test_no_acknowledged_prediction_is_lost_or_doubled(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_store(kind, tmp_path) as url:
        monkeypatch.setenv("DRIFTBOOK_LOG_URL", url)
        settings = make_models(tmp_path, rows_per_day=120, days=6)
        verdict = run_campaign(settings, Plan(requests=800, kills=3, absences=1, away_seconds=1.0))
    assert (verdict.kills, verdict.absences) == (3, 1)
    assert verdict.acknowledged >= 800
    assert verdict.unanswered > 0
    assert verdict.logged >= verdict.acknowledged
    assert (verdict.lost, verdict.doubled, verdict.different, verdict.spilled_files_left) == (0, 0, 0, 0)
