"""The commands around the ledger: verify, sign, tombstone, replay, diff."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from driftbook.cli.options import UseCaseOption


def verify(
    use_case: Annotated[str | None, typer.Option("--use-case", "-u", help="Only this one; default: all.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Only the report of this day.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="Public key that must have signed every run.")] = None,
) -> None:
    """Compare reports, data and models with the ledger. The exit code is 1 if anything is not as recorded."""
    from driftbook.audit.verify import verify as compare_with_ledger
    from driftbook.config import Settings

    day = _day(as_of)
    outcomes = compare_with_ledger(Settings.find(), use_case=use_case, as_of=day, trusted=public_key)
    typer.echo("\n".join(outcome.summary() for outcome in outcomes))
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(1)


def sign(
    use_case: UseCaseOption = "churn",
    key: Annotated[Path | None, typer.Option(help="Private Ed25519 key, outside the workbench.")] = None,
    new_key: Annotated[Path | None, typer.Option(help="Make a key there first, and sign with it.")] = None,
) -> None:
    """Sign the ledger of a use case, and with it every run so far."""
    from driftbook.audit.signature import make_key
    from driftbook.config import Settings
    from driftbook.errors import ConfigError
    from driftbook.workflow.prove import sign as sign_locked

    settings = Settings.find()
    if (key is None) == (new_key is None):
        raise ConfigError("expected either --key FILE or --new-key FILE, found both or none")
    if new_key is not None:
        public, name = make_key(new_key, settings=settings)
        typer.echo(f"made the key {name}: keep {new_key} to yourself, give {public} to who verifies")
    chosen = key or new_key
    assert chosen is not None
    line = sign_locked(use_case, chosen, settings=settings)
    typer.echo(f"signed {use_case} up to line {line['signs']} of its ledger")


def tombstone(
    files: Annotated[list[Path], typer.Argument(help="Files or folders as they are now, or are no longer.")],
    use_case: UseCaseOption,
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger for ever: name no person.")],
) -> None:
    """Record that data, models or reports were edited or removed on purpose, so that the ledger goes on holding."""
    from driftbook.config import Settings
    from driftbook.workflow.prove import tombstone as record

    line = record(use_case, files, reason=reason, settings=Settings.find())
    typer.echo(f"recorded in line {line['number']} of the ledger of {use_case}: {len(line['files'])} files")


def replay(
    use_case: Annotated[str | None, typer.Option("--use-case", "-u", help="Only this one; default: all.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Report of this day; default: the latest.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every report there is.")] = False,
    policy: Annotated[str | None, typer.Option(help="What this policy would have decided.")] = None,
) -> None:
    """Derive past decisions again from their records. The exit code is 1 if one differs from its record."""
    from driftbook.config import Settings, load_policy
    from driftbook.workflow.prove import replay_reports

    other = load_policy(policy) if policy else None
    found = replay_reports(Settings.find(), use_case=use_case, as_of=_day(as_of), every=all, policy=other)
    typer.echo("\n".join(each.summary() for each in found))
    if policy is None and any(not each.identical for each in found):
        raise typer.Exit(1)


def diff(
    before: Annotated[str, typer.Argument(help="A report folder, or the day of a report.")],
    after: Annotated[str, typer.Argument(help="The one to compare it with.")],
    use_case: UseCaseOption = "churn",
) -> None:
    """Say how two runs differ and what moved them; nothing if they do not."""
    from driftbook.audit.difference import compare_runs, describe_differences, report_of
    from driftbook.config import Settings

    settings = Settings.find()
    folders = [report_of(each, use_case=use_case, settings=settings) for each in (before, after)]
    differences = compare_runs(*folders)
    if differences:
        typer.echo(describe_differences(differences))


def _day(text: str | None) -> date | None:
    from driftbook.workflow.bind import parse_day

    return parse_day(text) if text else None
