"""The commands around the ledger: verify, sign, tombstone, erase, replay, diff."""

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
    rerun: Annotated[str | None, typer.Option(metavar="AS_OF", help="Repeat the run of this day and compare.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Leave what --rerun made in this new folder.")] = None,
) -> None:
    """Compare reports, data and models with the ledger. The exit code is 1 if anything is not as recorded."""
    from driftbook.audit.verify import verify as compare_with_ledger
    from driftbook.config import Settings
    from driftbook.errors import ConfigError

    if rerun is not None:
        if as_of or public_key:
            raise ConfigError("--rerun names the day itself and checks no key; leave --as-of and --public-key out")
        _repeat(rerun, use_case=use_case, keep=keep)
        return
    if keep is not None:
        raise ConfigError("--keep belongs to --rerun: only a repetition makes something to keep")
    day = _day(as_of)
    outcomes = compare_with_ledger(Settings.find(), use_case=use_case, as_of=day, trusted=public_key)
    typer.echo("\n".join(outcome.summary() for outcome in outcomes))
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(1)


def _repeat(as_of: str, *, use_case: str | None, keep: Path | None) -> None:
    from driftbook.config import Settings
    from driftbook.workflow.bind import parse_day
    from driftbook.workflow.rerun import rerun

    typer.echo(f"repeating the run of {as_of} in a scratch folder; this takes as long as a build ...", err=True)
    repetition, line = rerun(Settings.find(), use_case=use_case, as_of=parse_day(as_of), keep=keep)
    typer.echo(f"{repetition.summary()}\n  certificate: line {line['number']} of the ledger")
    if not repetition.reproduced:
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


def erase(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Value of the declared columns.id.")],
    use_case: UseCaseOption,
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger for ever: name no person.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say where the person is found.")] = False,
) -> None:
    """Take a person's rows out of batches, targets, predictions and reports, so that the ledger goes on holding."""
    from driftbook.config import Settings
    from driftbook.workflow.prove import erase as take_out

    settings = Settings.find()
    done = take_out(use_case, identifier, reason=reason, dry_run=dry_run, settings=settings)
    typer.echo("\n".join(each.summary(settings.root) for each in done))


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
