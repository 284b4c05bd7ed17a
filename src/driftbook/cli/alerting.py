"""The commands around alerts: list them, say that somebody looks into one, or that it is settled."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from driftbook.cli.options import AnyCaseOption

alerts = typer.Typer(help="Alerts that are not resolved; acknowledge or resolve one.")
KeyArgument = Annotated[str, typer.Argument(help="The alert, as the list has it.")]
NoteOption = Annotated[str, typer.Option("--note", "-n", help="What is done about it, or why it is settled.")]


@alerts.callback(invoke_without_command=True)
def list_alerts(
    context: typer.Context,
    use_case: AnyCaseOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
) -> None:
    """Alerts that are not resolved, oldest first, with what persons said of them."""
    if context.invoked_subcommand is not None:
        return
    from driftbook.config import Settings
    from driftbook.database import open_database
    from driftbook.deployment import load_alert_changes, load_alerts, states_at
    from driftbook.timeline.terminal import alerts_as_lines

    with open_database(Settings.find().database_url) as database:
        found, changes = load_alerts(database, use_case), load_alert_changes(database, use_case)
    shown = found if every else found.filter(found["state"] != "resolved")
    typer.echo(alerts_as_lines(shown, states_at(changes, None)))


@alerts.command()
def acknowledge(key: KeyArgument, note: NoteOption) -> None:
    """Say that somebody looks into an alert."""
    _change(key, "acknowledged", note)


@alerts.command()
def resolve(key: KeyArgument, note: NoteOption) -> None:
    """Say that an alert is settled; if it goes on, it is open again."""
    _change(key, "resolved", note)


def _change(key: str, state: Literal["acknowledged", "resolved"], note: str) -> None:
    import getpass
    from datetime import UTC, datetime

    from driftbook.config import Settings
    from driftbook.database import open_database
    from driftbook.deployment import change_alert

    with open_database(Settings.find().database_url) as database:
        typer.echo(change_alert(database, key, state, note=note, actor=getpass.getuser(), now=datetime.now(UTC)))
