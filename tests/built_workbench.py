"""A small workbench that was really built, by Ploomber and kernels: once for all test files, which copy it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_once import made_once
from workbench import make_workbench

from driftbook.config import Settings

DAY, LAST_DAY = "2026-06-03", "2026-06-05"  # of the build; of the stream
SECRETS = {
    "DRIFTBOOK_SMTP_URL": "smtp://robot:s3cr3t-mail@127.0.0.1:9",
    "DRIFTBOOK_MAIL_FROM": "robot@example.org",
    "DRIFTBOOK_MAIL_TO": "oncall@example.org",
    "DRIFTBOOK_WEBHOOK_URL": "http://127.0.0.1:9/t0p-s3cr3t-hook",
    "DRIFTBOOK_SLACK_URL": "http://127.0.0.1:9/services/T0/B0/s3cr3t-slack",
    "DRIFTBOOK_SOURCE_URL": "postgresql://reader:s3cr3t%2Dsource@127.0.0.1:9/shop",
    "DRIFTBOOK_KEY_PASSWORD": "s3cr3t-of-the-key",
}
STREAM_DAYS = 20


def environment_of(settings: Settings, **more: str) -> dict[str, str]:
    """What a command of a workbench is run with: nothing of the person's who tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DRIFTBOOK_", "COV_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    calm = {"OMP_WAIT_POLICY": "PASSIVE", "DO_NOT_TRACK": "true", "PLOOMBER_STATS_ENABLED": "false"}
    return {**kept, **calm, "PATH": path, "DRIFTBOOK_ROOT": str(settings.root), **more}


def built_workbench(factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """The workbench, not to be changed, and what was printed: built as of ``DAY`` with planted secrets around it."""
    folder, told = made_once(factory, "built-workbench", _build)
    return Settings(root=folder), told


def _build(folder: Path) -> str:
    settings = make_workbench(folder, stream_days=STREAM_DAYS)
    command = [str(Path(sys.executable).with_name("ploomber")), "build", "--env--as_of", DAY]
    environment = environment_of(settings, **SECRETS)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
