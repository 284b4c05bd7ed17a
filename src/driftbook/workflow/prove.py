"""What a person does to prove or to explain a record: under the build's lock where the ledger grows."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from driftbook.audit.ledger import Line
from driftbook.config import Policy, Settings
from driftbook.workflow.lock import patient_lock
from driftbook.workflow.notebook import mask

if TYPE_CHECKING:
    from driftbook.audit.replay import Replay


def sign(use_case: str, key: Path, *, settings: Settings) -> Line:
    """Sign the ledger of a use case with a person's key."""
    from driftbook.audit.signature import sign_ledger

    with patient_lock(settings):
        return sign_ledger(settings, use_case, key, by=getpass.getuser(), now=datetime.now(UTC))


def tombstone(use_case: str, files: Sequence[Path], *, reason: str, settings: Settings) -> Line:
    """Record that files of a use case were edited or removed on purpose; secrets in the reason are masked."""
    from driftbook.audit.sealing import seal_tombstone

    told = mask(reason, settings.root)
    with patient_lock(settings):
        return seal_tombstone(settings, use_case, files, reason=told, by=getpass.getuser(), now=datetime.now(UTC))


def replay_reports(
    settings: Settings, *, use_case: str | None, as_of: date | None, every: bool, policy: Policy | None
) -> list[Replay]:
    """Replay the reports a person means: of one use case or all, of one day, the latest, or every one."""
    from driftbook.audit.replay import replay, reported_days
    from driftbook.audit.verify import recorded_use_cases
    from driftbook.errors import ConfigError

    names = [use_case] if use_case else [name for name in recorded_use_cases(settings) if reported_days(settings, name)]
    if not names:
        raise ConfigError("expected a report to replay, found none; build one first: driftbook build")
    wanted = [(name, day) for name in names for day in (reported_days(settings, name) if every else [as_of])]
    return [replay(settings, name, as_of=day, policy=policy) for name, day in wanted]
