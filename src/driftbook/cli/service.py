"""The commands around the prediction service: serve, simulate-traffic, keys, which also open the dashboard."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from driftbook.cli.options import UseCaseOption

if TYPE_CHECKING:
    from driftbook.serving.traffic import Sent

KEY_VARIABLE = "DRIFTBOOK_SERVICE_KEY"  # a key on the command line can be read by everybody on the machine

keys = typer.Typer(no_args_is_help=True, help="Who may ask the service and see the dashboard: add, list, revoke.")


def serve(
    use_case: UseCaseOption = "churn",
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own need keys.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    allow_event_time: Annotated[
        bool, typer.Option("--allow-event-time", help="Callers give times of their own: to play a stream.")
    ] = False,
) -> None:
    """Answer predictions of the champion, with the challenger in shadow, and log every one."""
    from driftbook.config import Settings, load_use_case
    from driftbook.serving.server import run

    settings = Settings.find()
    run(load_use_case(use_case, settings=settings), settings, host=host, port=port, allow_event_time=allow_event_time)


def simulate_traffic(
    *,
    use_case: UseCaseOption = "churn",
    scenario: Annotated[str, typer.Option(help="How the simulated world changes.")] = "stable",
    days: Annotated[int, typer.Option(help="How many days of the stream.", min=1)] = 30,
    rate: Annotated[float, typer.Option(help="Rows a second; 0: as many as the service takes.", min=0.0)] = 200.0,
    start: Annotated[
        str | None, typer.Option(help="First day; default: where the service's log begins to count.")
    ] = None,
    url: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:8000",
    key: Annotated[
        str | None, typer.Option(help="Key, where one is needed.", envvar=KEY_VARIABLE, show_envvar=True)
    ] = None,
) -> None:
    """Play the simulator's stream through a service that was started with --allow-event-time."""
    from driftbook.config import Settings, load_use_case
    from driftbook.serving.traffic import days_to_play, play, played_case
    from driftbook.workflow.bind import parse_day

    declared = load_use_case(use_case, settings=Settings.find())
    case = played_case(declared, scenario)
    chosen = days_to_play(declared, start=parse_day(start) if start else None, count=days)

    def tell(day: date, sent: Sent) -> None:
        typer.echo(f"{day}: {sent.rows:,} rows, {sent.targets:,} targets so far")

    typer.echo(play(case, chosen, url=url, key=key, rate=rate or None, told=tell).summary())


@keys.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who asks; it stands in the prediction log.")],
    scope: Annotated[list[str], typer.Option(help="predict, targets, read or operate; several may be given.")],
) -> None:
    """Make a key and show it, this once."""
    from driftbook.config import Settings
    from driftbook.database import open_database
    from driftbook.serving.security import add_key

    with open_database(Settings.find().database_url) as database:
        key = add_key(database, name, scope)
    typer.echo(f"the key of {name}, shown this once; send it as 'Authorization: Bearer KEY':", err=True)
    typer.echo(key)


@keys.command("list")
def list_all() -> None:
    """Every key there was, with what it opens; not the keys themselves, which nobody keeps."""
    from driftbook.config import Settings
    from driftbook.database import open_database
    from driftbook.serving.security import list_keys

    with open_database(Settings.find().database_url) as database:
        found = list_keys(database)
    for key in found:
        ended = f", revoked {key['revoked_at']}" if key["revoked_at"] else ""
        typer.echo(f"{key['name']}: {key['scopes']}, since {key['added_at']}{ended}")
    if not found:
        typer.echo("no keys: the service answers to this machine only")


@keys.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """Close a key; a running service knows within seconds."""
    from driftbook.config import Settings
    from driftbook.database import open_database
    from driftbook.serving.security import revoke_key

    with open_database(Settings.find().database_url) as database:
        revoke_key(database, name)
    typer.echo(f"revoked {name}")
