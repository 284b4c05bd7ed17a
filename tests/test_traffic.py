"""A simulated stream played through a running service: the log holds it, and builds tell its story."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from made_once import told_story
from served_world import SINCE, START, Service, ask, make_served, served_case, wait_until
from stores import KINDS, empty_store
from typer.testing import CliRunner
from workbench import build_story, run_of

from driftbook.cli import app
from driftbook.config import Settings
from driftbook.config.use_case import FilesSource
from driftbook.data.dealing import before_service
from driftbook.data.served import load_answers
from driftbook.data.simulate import simulate_day
from driftbook.errors import ConfigError, DataError, DriftbookError, UnknownNameError
from driftbook.serving.traffic import Sent, days_to_play, play, played_case
from driftbook.storage import canonical_json, read_parquet
from driftbook.timeline.models import load_versions

pytestmark = pytest.mark.long

DAY = timedelta(days=1)
RETRAINED = date(2026, 5, 26)  # the day on which the story of this stream calls for a challenger
LAST = START + 13 * DAY


def days(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a build on the stream itself says of every day: one until a later day says the same of them."""
    _, story = told_story(tmp_path_factory)
    return canonical_json([entry for entry in story.entries if entry["day"] <= LAST.isoformat()])


@pytest.mark.parametrize("kind", KINDS)
def test_played_through_a_service_that_is_killed_the_stream_tells_its_own_story(
    kind: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built in between, so that a challenger answers too; scores in the log are the pipeline's to the last bit."""
    with empty_store(kind, tmp_path) as url:
        monkeypatch.setenv("DRIFTBOOK_LOG_URL", url)
        _play_and_compare(make_served(tmp_path), expected)


def _play_and_compare(settings: Settings, expected: str) -> None:
    build_story(settings, START.isoformat())
    case = served_case(settings)
    played = played_case(case, "sudden")
    with Service(settings, "--allow-event-time") as service:

        def interrupt() -> None:
            time.sleep(1.0)
            service.kill()
            service.start()

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        first = play(played, days(SINCE, RETRAINED), url=service.url)
        interrupting.join()
        build_story(settings, RETRAINED.isoformat())
        wait_until(lambda: json.loads(ask(service.port, "/ready")[1])["challenger"] == 2)
        play(played, days(RETRAINED, LAST), url=service.url)  # a day again, which changes nothing
    assert first.again > 0
    found = build_story(settings, LAST.isoformat())
    assert canonical_json(found.entries) == expected
    assert {"retrain", "promote"} <= {entry["decision"]["action"] for entry in found.entries}
    answers = load_answers(case, settings, as_of=LAST)
    assert answers["row_id"].is_unique().all()
    assert answers.height == sum(simulate_day(played, day).height for day in days(SINCE, LAST))
    share = (answers.filter(pl.col("event_time").dt.date() > RETRAINED)["answered_role"] == "challenger").mean()
    assert 0.05 < share < 0.15
    for number, name in ((1, "champion_score"), (2, "challenger_score")):
        version = load_versions(run_of(settings, LAST.isoformat()))[number]
        paths = sorted((settings.data_folder("churn") / "predictions" / version.label).glob("*/*.parquet"))
        served = answers.drop_nulls(name)
        both = served.join(read_parquet(*paths), on="row_id")
        assert both.height == served.height > 0
        assert both[name].to_list() == both["prediction_score"].to_list()


@contextmanager
def pretended(answer: Callable[[str, bytes], tuple[int, object]]) -> Iterator[str]:
    """The address of a server that answers what it is told to."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, content = answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_rows_come_at_their_rate_and_targets_when_they_are_known(tmp_path: Path) -> None:
    case = played_case(served_case(make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9)), "stable")
    asked: list[tuple[str, object]] = []

    def answer(path: str, body: bytes) -> tuple[int, object]:
        content = json.loads(body)
        asked.append((path, content))
        if path == "/targets":
            return 200, {}
        return 200, {"role": "champion", "version": 1, "prediction_id": content["prediction_id"]}

    told: list[date] = []
    with pretended(answer) as url:
        sent = play(case, days(SINCE, SINCE + 3 * DAY), url=url, rate=200, told=lambda day, _: told.append(day))
    rows = sorted((content for path, content in asked if path == "/predict"), key=lambda row: row["prediction_id"])
    simulated = [simulate_day(case, day) for day in days(SINCE, SINCE + 3 * DAY)]
    assert sent.rows == len(rows) == sum(frame.height for frame in simulated)
    assert sent.seconds >= (sent.rows - len(simulated)) / 200
    assert sent.answered == {"champion (version 1)": sent.rows}
    assert f"sent {sent.rows} rows, {sent.rows} targets" in sent.summary()
    first = simulated[0].row(0, named=True)
    assert rows[0]["age"] == first["age"]
    assert rows[0]["scored_at"] == first["scored_at"].isoformat()
    assert "churned" not in rows[0]
    assert told == days(SINCE, SINCE + 3 * DAY)
    told_on = [{each["known_at"][:10] for each in content} for path, content in asked if path == "/targets"]
    assert told_on == [{str(day)} for day in days(SINCE + 3 * DAY, SINCE + 6 * DAY)]


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "give a key with --key"),
        (403, "needs the scopes predict and targets"),
        (422, "started with --allow-event-time"),
        (500, "refused: it answered 500"),
    ],
)
def test_a_refusal_ends_it_with_advice(tmp_path: Path, status: int, advice: str) -> None:
    case = played_case(served_case(make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9)), "stable")
    with pretended(lambda *_: (status, {"detail": "no"})) as url, pytest.raises(DriftbookError, match=advice):
        play(case, [SINCE], url=url)


def test_a_service_that_is_not_there_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = played_case(served_case(make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9)), "stable")
    monkeypatch.setattr("driftbook.serving.traffic.PATIENCE_SECONDS", 0.3)
    with pytest.raises(
        DriftbookError, match=r"127.0.0.1:1/predict: it does not answer .*, for 0.3 s; start it with 'driftbook serve"
    ):
        play(case, [SINCE], url="http://127.0.0.1:1")
    with pytest.raises(ConfigError, match="expected the address of a service"):
        play(case, [SINCE], url="localhost:8000")


def test_days_are_those_the_stream_has_from_where_the_log_counts(tmp_path: Path) -> None:
    case = served_case(make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9))
    assert days_to_play(case, start=None, count=2) == [SINCE, SINCE + DAY]
    assert days_to_play(before_service(case), start=None, count=1) == [START]
    assert days_to_play(case, start=SINCE + 3 * DAY, count=1) == [SINCE + 3 * DAY]
    with pytest.raises(DataError, match=r"found 30 from 2026-05-18 on; from there the stream has 8"):
        days_to_play(case, start=None, count=30)


def test_only_a_simulated_stream_can_be_played(tmp_path: Path) -> None:
    case = served_case(make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9))
    assert played_case(case, "gradual").scenario.name == "gradual"
    with pytest.raises(UnknownNameError, match="did you mean 'gradual'"):
        played_case(case, "gradul")
    files = case.model_copy(update={"source": FilesSource(kind="files", path="x.csv")})
    with pytest.raises(ConfigError, match=r"has source.kind 'files'"):
        played_case(files, "stable")
    nameless = case.model_copy(update={"columns": case.columns.model_copy(update={"id": None})})
    with pytest.raises(ConfigError, match=r"needs columns.id and columns.event_time"):
        played_case(nameless, "stable")


def test_the_command_plays_days_and_says_what_became_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_served(tmp_path, rows_per_day=20, history_days=5, stream_days=9)
    monkeypatch.setenv("DRIFTBOOK_ROOT", str(settings.root))
    monkeypatch.setenv("DRIFTBOOK_SERVICE_KEY", "dbk_secret")
    with pretended(lambda *_: (200, {"role": "champion", "version": 1, "prediction_id": "a"})) as url:
        done = CliRunner().invoke(app, ["simulate-traffic", "--days", "2", "--rate", "0", "--url", url])
    assert done.exit_code == 0
    assert f"{SINCE + DAY}: " in done.output
    assert "answered by champion (version 1)" in done.output
    assert "dbk_secret" not in CliRunner().invoke(app, ["simulate-traffic", "--help"]).output


def test_nothing_sent_is_told_without_figures() -> None:
    assert "answered by nobody" in Sent().summary()
