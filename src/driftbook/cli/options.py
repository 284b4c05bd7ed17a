"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

UseCaseOption = Annotated[str, typer.Option("--use-case", "-u", help="Folder under data/ with a usecase.yaml.")]
AnyCaseOption = Annotated[str | None, typer.Option("--use-case", "-u", help="Only this one; default: all.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why: it stands in the history and the next report.")]
ScenarioOption = Annotated[str, typer.Option(help="Another scenario than the declared one: a variant of its own.")]
