"""The command that shows the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer


def dashboard(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.", min=0, max=65535)] = 8866,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own need keys.")] = (
        "127.0.0.1"
    ),
    base_url: Annotated[str, typer.Option(help="Path under which a proxy hands requests on.")] = "/",
    user_header: Annotated[
        str | None, typer.Option(help="Header in which a proxy says who came, instead of keys.")
    ] = None,
    operators: Annotated[str, typer.Option(help="Names that may act, behind such a proxy, separated by commas.")] = "",
) -> None:
    """Show how the models are doing, in a browser: for everybody who decides and never saw a notebook."""
    from driftbook.config import Settings
    from driftbook.dashboard.server import run

    names = [name.strip() for name in operators.split(",") if name.strip()]
    run(
        Settings.find(),
        host=host,
        port=port,
        base_url=base_url,
        user_header=user_header,
        operators=names,
        told=typer.echo,
    )
