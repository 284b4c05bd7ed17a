"""Where things lie: every path and URL of a workbench has its one home here.

The workbench is the folder that holds ``pipeline.yaml``: the nearest one at or above the working
directory, or ``DRIFTBOOK_ROOT``. Secrets come from the environment and are never written anywhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from driftbook.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """Paths and URLs of one workbench.

    Examples
    --------
    >>> settings = Settings(root=Path("desk"))
    >>> settings.report_folder("churn", date(2026, 6, 30)).as_posix()
    'desk/reports/churn/2026-06-30'
    >>> settings.data_folder("churn-stable").as_posix()
    'desk/data/churn-stable'
    """

    root: Path

    @classmethod
    def find(cls, root: Path | str | None = None) -> Settings:
        """Settings of the given root, of ``DRIFTBOOK_ROOT``, or of the workbench around the working directory."""
        given = root or os.environ.get("DRIFTBOOK_ROOT")
        if given:
            return cls(root=Path(given).resolve())
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / "pipeline.yaml").is_file():
                return cls(root=folder)
        raise ConfigError(
            f"no workbench found: expected pipeline.yaml in {here} or above; "
            "change into a driftbook folder or set DRIFTBOOK_ROOT"
        )

    def data_folder(self, use_case: str) -> Path:
        """Data of a use case: raw files, batches, targets, predictions."""
        return self.root / "data" / use_case

    def raw_folder(self, use_case: str) -> Path:
        """Where a person drops files; a scenario variant shares those of its use case."""
        return self.data_folder(use_case.partition("-")[0]) / "raw"

    def report_folder(self, use_case: str, as_of: date) -> Path:
        """The audit report of one build."""
        return self.reports_folder / use_case / as_of.isoformat()

    @property
    def reports_folder(self) -> Path:
        """All reports, with ``index.html`` on top."""
        return self.root / "reports"

    @property
    def state_folder(self) -> Path:
        """Databases, models, fingerprints, lock."""
        return self.root / "data" / "state"

    def models_folder(self, use_case: str) -> Path:
        """Bundles of a use case, one folder per version."""
        return self.state_folder / "models" / use_case

    @property
    def database_url(self) -> str:
        """The operational store; ``DRIFTBOOK_DATABASE_URL`` overrides the SQLite default."""
        default = f"sqlite:///{self.state_folder / 'driftbook.db'}"
        return os.environ.get("DRIFTBOOK_DATABASE_URL") or default

    @property
    def cache_url(self) -> str | None:
        """The Redis that keeps scores; ``DRIFTBOOK_CACHE_URL``, for an address with a password."""
        return os.environ.get("DRIFTBOOK_CACHE_URL")

    @property
    def service_url(self) -> str:
        """Where the dashboard asks how the prediction service does; ``DRIFTBOOK_SERVICE_URL``, else this machine."""
        return os.environ.get("DRIFTBOOK_SERVICE_URL") or "http://127.0.0.1:8000"

    @property
    def service_key(self) -> str | None:
        """The key that it asks with; ``DRIFTBOOK_SERVICE_KEY``, with the scope ``read``."""
        return os.environ.get("DRIFTBOOK_SERVICE_KEY") or None

    @property
    def prediction_log_url(self) -> str:
        """The service's log: ``DRIFTBOOK_LOG_URL``, else ``DRIFTBOOK_DATABASE_URL``, else a SQLite file of its own.

        Of its own, so that neither a build nor the service waits for the other's writes.
        """
        default = f"sqlite:///{self.state_folder / 'predictions.db'}"
        return os.environ.get("DRIFTBOOK_LOG_URL") or os.environ.get("DRIFTBOOK_DATABASE_URL") or default

    def spill_folder(self, use_case: str) -> Path:
        """Where predictions of a use case wait while their database is busy or away."""
        return self.state_folder / "spill" / use_case

    @property
    def mlflow_url(self) -> str:
        """MLflow's tracking store; ``DRIFTBOOK_MLFLOW_URL`` overrides the SQLite default."""
        default = f"sqlite:///{self.state_folder / 'mlflow.db'}"
        return os.environ.get("DRIFTBOOK_MLFLOW_URL") or default

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow keeps artefacts."""
        return self.state_folder / "mlartifacts"

    @property
    def lock_path(self) -> Path:
        """Held by the one build that may run."""
        return self.state_folder / "build.lock"
