"""What one execution is about: the use case under its policy, as of a day, in a workbench.

A run in the sandbox (a notebook that a person executes by hand) reads everything and writes nothing that
counts: models it trains stay in a folder of their own, no decision is committed, nobody is notified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from driftbook.config import Policy, Settings, UseCase


@dataclass(frozen=True)
class Run:
    """One execution: ``inputs[task][key]`` and ``products[key]`` are paths, as Ploomber gives them."""

    case: UseCase
    policy: Policy
    settings: Settings
    as_of: date
    sandbox: bool
    inputs: dict[str, dict[str, Path]]
    products: dict[str, Path]

    @property
    def model_folders(self) -> list[Path]:
        """Where versions are looked for; the last one is where new ones are written."""
        folders = [self.settings.models_folder(self.case.name)]
        if self.sandbox:
            folders.append(self.settings.state_folder / "sandbox" / "models" / self.case.name)
        return folders

    @property
    def report_folder(self) -> Path:
        """Folder of this run's products."""
        return next(iter(self.products.values())).parent


def version_label(number: int, training: Mapping[str, Any]) -> str:
    """Name of the folder that holds what a version says of batches: a version trained anew begins another one.

    Examples
    --------
    >>> version_label(2, {"key": "5e1f0c9d2b7a4466"})
    'version=2-5e1f0c9d2b7a'
    """
    return f"version={number}-{training['key'][:12]}"
