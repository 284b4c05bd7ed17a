"""``driftbook …``: the commands a person types.

Errors of ours end in one readable message and exit code 1; a traceback means a fault in driftbook itself.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from driftbook.cli.alerting import alerts
from driftbook.cli.dashboard import dashboard
from driftbook.cli.options import AnyCaseOption, ReasonOption, ScenarioOption, UseCaseOption
from driftbook.cli.proof import diff, erase, replay, sign, tombstone, verify
from driftbook.cli.service import keys, serve, simulate_traffic
from driftbook.errors import DriftbookError

if TYPE_CHECKING:
    from driftbook.config import Settings
    from driftbook.timeline.orders import Ordered
from driftbook.processor import choose_sort

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def configure(verbose: Annotated[bool, typer.Option(help="Also show what happens inside.")] = False) -> None:
    """Keeps machine-learning models honest in production."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s")


@app.command()
def build(
    use_case: UseCaseOption = "churn",
    scenario: ScenarioOption = "declared",
    as_of: Annotated[str | None, typer.Option(help="Day of the report; default: the last day of the source.")] = None,
    force: Annotated[bool, typer.Option(help="Run every task, also those that are up to date.")] = False,
) -> None:
    """Bring the report of a use case up to date (what ``ploomber build`` does, and nothing if nothing changed)."""
    from driftbook.config import Settings
    from driftbook.workflow.build import build as run_build

    outcome = run_build(use_case, scenario=scenario, as_of=as_of, force=force, settings=Settings.find())
    if not outcome.ran:
        from driftbook.timeline.verdict import printed

        typer.echo(f"up to date\n\n{printed(outcome.summary)}")


@app.command()
def status(use_case: AnyCaseOption = None) -> None:
    """Who is in office since when, how good it is, what stands open; without --use-case all, side by side."""
    from driftbook.config import Settings
    from driftbook.timeline.standing import find_standings
    from driftbook.timeline.terminal import status_of_all, status_of_one

    standings = find_standings(use_case, settings=Settings.find())
    typer.echo(status_of_one(standings[0]) if use_case else status_of_all(standings))


@app.command()
def history(use_case: AnyCaseOption = None) -> None:
    """Every change of who is in office, newest last: when, by whom, why; without --use-case of all use cases."""
    from driftbook.config import Settings
    from driftbook.timeline.standing import find_histories
    from driftbook.timeline.terminal import history_of_all

    typer.echo(history_of_all(find_histories(use_case, settings=Settings.find())))


@app.command()
def promote(
    version: Annotated[int, typer.Argument(help="Number of the version to put in office.")],
    reason: ReasonOption,
    use_case: UseCaseOption = "churn",
    force: Annotated[bool, typer.Option("--force", help="Also a version that failed its gate.")] = False,
) -> None:
    """Put a version in office by hand; the next build scores with it."""
    from driftbook.config import Settings
    from driftbook.timeline.orders import promote as put_in_office

    settings = Settings.find()
    _report(put_in_office(use_case, version, reason=reason, force=force, settings=settings), settings)


@app.command()
def rollback(
    reason: ReasonOption,
    to: Annotated[int | None, typer.Option(help="An earlier champion; default: the one before.")] = None,
    use_case: UseCaseOption = "churn",
) -> None:
    """Put the champion before back in office; the next build scores with it."""
    from driftbook.config import Settings
    from driftbook.timeline.orders import rollback as put_back

    settings = Settings.find()
    _report(put_back(use_case, to=to, reason=reason, settings=settings), settings)


@app.command()
def keep(reason: ReasonOption, use_case: UseCaseOption = "churn") -> None:
    """Keep the champion and retire its challenger by hand; the next build no longer compares the two."""
    from driftbook.config import Settings
    from driftbook.timeline.orders import keep as retire_challenger

    settings = Settings.find()
    _report(retire_challenger(use_case, reason=reason, settings=settings), settings)


@app.command()
def retrain(reason: ReasonOption, use_case: UseCaseOption = "churn") -> None:
    """Ask for a challenger; the next build trains one as soon as enough targets are known."""
    from driftbook.config import Settings
    from driftbook.timeline.orders import ask_for_challenger

    typer.echo(ask_for_challenger(use_case, reason=reason, settings=Settings.find()).sentence)


def _report(ordered: Ordered, settings: Settings) -> None:
    from driftbook.timeline.orders import follow

    typer.echo(ordered.sentence)
    fault = follow(ordered, settings=settings)
    if fault is not None:
        typer.echo(fault, err=True)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="A CSV (also gzipped) or Parquet file.")],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    time: Annotated[str | None, typer.Option(help="Column with the time of the event.")] = None,
    id: Annotated[str | None, typer.Option(help="Column that identifies a row.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the use case; default: from the file's name.")] = None,
) -> None:
    """Write a usecase.yaml for a table of your own, saying what was guessed."""
    from driftbook.config import Settings
    from driftbook.data.declare import declare_use_case, write_declaration

    settings = Settings.find()
    declaration = declare_use_case(file, target=target, time=time, id=id, name=name, settings=settings)
    path = write_declaration(declaration, file, settings=settings)
    typer.echo("\n".join(f"- {note}" for note in declaration.notes))
    typer.echo(f"\nwrote {path.relative_to(settings.root)}; look it over, then run:")
    typer.echo(f"driftbook build --use-case {declaration.name}")


@app.command()
def compare(
    reference: Annotated[str, typer.Argument(help="A CSV (also compressed) or Parquet file: how it was.")],
    current: Annotated[str, typer.Argument(help="The same of now.")],
    *,
    columns: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    methods: Annotated[str | None, typer.Option(help="Drift methods instead of the policy's, by commas.")] = None,
    policy: Annotated[str | None, typer.Option(help="Named set of limits; default: calibrated.")] = None,
    budget: Annotated[float | None, typer.Option(help="One false alarm in so many comparisons; default: 100.")] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write a record; - prints it instead.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
) -> None:
    """Say what drifted between any two tables. The exit code is 0 whatever is found, 1 only for an error."""
    from driftbook.comparison import compare as compare_tables

    found = compare_tables(
        reference,
        current,
        columns=_listed(columns),
        methods=_listed(methods),
        policy=policy,
        budget=budget,
    )
    if html is not None:
        found.write_html(html)
    if json == "-":
        typer.echo(found.to_json())
        return
    if json is not None:
        found.write_json(Path(json))
    typer.echo(found.to_text())
    written = [str(each) for each in (json, html) if each is not None]
    if written:
        typer.echo(f"\nwrote {' and '.join(written)}")


def _listed(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


@app.command("list")
def list_names() -> None:
    """Use cases, scenarios, policies and drift methods there are."""
    from driftbook.config import Settings, policy_names, use_case_names
    from driftbook.data.scenarios import SCENARIOS
    from driftbook.drift.joint import JOINT_METHODS
    from driftbook.drift.methods import METHODS
    from driftbook.drift.thresholds import ACCUMULATED

    for title, names in (
        ("use cases", use_case_names(Settings.find())),
        ("scenarios", sorted(SCENARIOS)),
        ("policies", policy_names()),
        ("drift methods", sorted(METHODS)),
        ("drift methods for whole batches", sorted([*JOINT_METHODS, ACCUMULATED])),
    ):
        typer.echo(f"{title}: {', '.join(names)}")


@app.command()
def reset(
    use_case: UseCaseOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget what was generated for a use case (batches, models, decisions); raw files and reports stay."""
    from driftbook.config import Settings
    from driftbook.workflow.reset import reset as forget

    if not yes:
        typer.confirm(f"Forget all batches, models and decisions of {use_case!r}?", abort=True)
    forget(use_case, settings=Settings.find())
    typer.echo(f"forgot {use_case}")


for command in (verify, sign, tombstone, erase, replay, diff, serve, simulate_traffic, dashboard):
    app.command()(command)
app.add_typer(alerts, name="alerts")
app.add_typer(keys, name="keys")


def main() -> None:
    """Entry point: our own errors become one message and exit code 1."""
    choose_sort()
    try:
        app()
    except DriftbookError as error:
        typer.echo(f"driftbook: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        from driftbook.workflow.failure import SIGN, describe_refusal

        refusal = describe_refusal(str(error))
        if refusal is None:
            raise
        typer.echo(f"{SIGN}{refusal}", err=True)
        sys.exit(1)
