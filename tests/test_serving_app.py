"""The service as its callers meet it: answers, log, models that change under way, refusals, faults."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from model_samples import labelled_rows
from served_models import CASE, ROW, appoint, case_with, make_models, make_version, serving, trained
from stores import KINDS, empty_store

from driftbook.config import Settings
from driftbook.database import open_database
from driftbook.errors import StateError
from driftbook.serving import service
from driftbook.serving.router import choose
from driftbook.serving.security import add_key, revoke_key

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_models(tmp_path)


def logged(settings: Settings) -> list[dict[str, Any]]:
    """The prediction log, oldest first."""
    with sqlite3.connect(settings.prediction_log_url.removeprefix("sqlite:///")) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM prediction ORDER BY rowid")]


def wait_until(reached: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, "not reached in time"
        time.sleep(0.05)


def entity_of(role: str) -> str:
    """An entity that meets the champion, or the challenger."""
    share, seed = CASE.service.challenger_share, CASE.seed
    return next(f"c-{at}" for at in range(1000) if choose(f"c-{at}", share=share, seed=seed, challenger=2) == role)


def batch_rows(rows: int = 40) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Rows as the pipeline reads them, and as a caller sends them."""
    frame = labelled_rows(rows, seed=9)
    sent = [
        {
            "customer": f"c-{at}",
            **{name: row[name] for name in ("age", "spend", "plan")},
            "joined": row["joined"].isoformat(),
        }
        for at, row in enumerate(frame.iter_rows(named=True))
    ]
    return frame, sent


def test_an_answer_is_what_the_pipeline_would_say_and_the_log_has_both_models(settings: Settings) -> None:
    frame, sent = batch_rows()
    with serving(settings) as client:
        answers = client.post("/predict", json=sent).json()
    by_version = {number: trained(number).score(frame) for number in (1, 2)}
    for at, answer in enumerate(answers):
        said = by_version[answer["version"]].row(at, named=True)
        assert (answer["prediction"], answer["prediction_score"]) == (said["prediction"], said["prediction_score"])
        assert answer["role"] == choose(f"c-{at}", share=0.1, seed=CASE.seed, challenger=2)
        assert answer["version"] == {"champion": 1, "challenger": 2}[answer["role"]]
    assert {answer["role"] for answer in answers} == {"champion", "challenger"}
    kept = {row["prediction_id"]: row for row in logged(settings)}
    assert list(kept) == [answer["prediction_id"] for answer in answers]
    for at, row in enumerate(kept.values()):
        assert (row["entity"], row["answered_role"]) == (f"c-{at}", answers[at]["role"])
        assert json.loads(row["features"]) == {name: value for name, value in sent[at].items() if name != "customer"}
        for number, role in ((1, "champion"), (2, "challenger")):
            said = by_version[number].row(at, named=True)
            assert (row[f"{role}_version"], row[f"{role}_score"]) == (number, said["prediction_score"])
            assert json.loads(row[f"{role}_probabilities"]) == said["probabilities"]


@pytest.mark.parametrize("kind", KINDS)
def test_either_database_holds_log_keys_and_offices(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, sent = batch_rows(100)
    with empty_store(kind, tmp_path) as url:
        monkeypatch.setenv("DRIFTBOOK_DATABASE_URL", url)
        settings = make_models(tmp_path)
        with open_database(url) as database:
            key = add_key(database, "shop", ["predict", "targets", "read"])
        with serving(settings) as client:
            client.headers["Authorization"] = f"Bearer {key}"
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda row: client.post("/predict", json=row).json(), sent))
            answers += client.post("/predict", json=sent).json()
            targets = [{"prediction_id": answer["prediction_id"], "target": "no"} for answer in answers]
            kept = client.post("/targets", json=targets).json()
            again = client.post("/targets", json=targets).json()
            appoint(settings, 2, action="promote")
            wait_until(lambda: client.get("/ready").json()["champion"] == 2)
        with open_database(url) as database:
            [found] = database.rows("SELECT count(*) AS rows, count(DISTINCT prediction_id) AS ids FROM prediction")
            clients = database.rows("SELECT DISTINCT client FROM prediction")
    assert (kept["added"], again["added"], again["repeated"]) == (200, 0, 200)
    assert (found, clients) == ({"rows": 200, "ids": 200}, [{"client": "shop"}])


def test_one_row_is_answered_by_one_answer_and_a_list_by_a_list(settings: Settings) -> None:
    with serving(settings) as client:
        one = client.post("/predict", json=ROW).json()
        many = client.post("/predict", json=[ROW]).json()
    assert list(one) == ["prediction_id", "prediction", "prediction_score", "version", "role", "flags"]
    assert one["prediction_id"] != many[0].pop("prediction_id")
    assert many == [{name: value for name, value in one.items() if name != "prediction_id"}]


def test_requests_at_once_are_answered_each_with_its_own(settings: Settings) -> None:
    frame, sent = batch_rows(60)
    with serving(settings) as client, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda row: client.post("/predict", json=row).json(), sent))
    for at, answer in enumerate(answers):
        assert answer["prediction_score"] == trained(answer["version"]).score(frame)["prediction_score"][at]
    assert sorted(row["prediction_id"] for row in logged(settings)) == sorted(each["prediction_id"] for each in answers)


def test_many_rows_are_answered_in_their_order(settings: Settings) -> None:
    frame, sent = batch_rows(300)  # worked on aside
    with serving(settings) as client:
        answers = client.post("/predict?contributions=true", json=sent).json()
        rows = client.get("/stats").json()["predictions"]["rows"]
    scores = {number: trained(number).score(frame)["prediction_score"] for number in (1, 2)}
    assert [each["prediction_score"] for each in answers] == [
        scores[each["version"]][at] for at, each in enumerate(answers)
    ]
    assert all(len(each["contributions"]) > 3 for each in answers)
    assert rows == len(logged(settings)) == 300


def test_what_the_model_does_not_know_is_scored_and_flagged(settings: Settings) -> None:
    with serving(settings) as client:
        answer = client.post("/predict", json={**ROW, "plan": "new", "age": None, "customer": entity_of("champion")})
    assert answer.status_code == 200
    assert {"unseen:plan", "missing:age"} <= set(answer.json()["flags"])
    assert set(json.loads(logged(settings)[0]["flags"])) == set(answer.json()["flags"])


def test_contributions_and_outlier_score_are_given_when_they_are_asked_for(settings: Settings) -> None:
    with serving(settings) as client:
        plain = client.post("/predict", json=ROW).json()
        asked = client.post("/predict?contributions=true&outlier_score=1", json=ROW).json()
        off = client.post("/predict?contributions=false", json=ROW).json()
    assert {"contributions", "outlier_score"} <= set(asked)
    assert not {"contributions", "outlier_score"} & (set(plain) | set(off))
    log_odds = sum(asked["contributions"].values())
    assert 1 / (1 + 2.718281828459045**-log_odds) == pytest.approx(asked["prediction_score"], abs=1e-5)


def test_event_times_are_the_arrival_unless_callers_may_give_them(settings: Settings) -> None:
    with serving(settings) as client:
        client.post("/predict", json=ROW)
        assert client.post("/predict", json={**ROW, "at": "2026-06-01"}).status_code == 422
    with serving(settings, allow_event_time=True) as client:
        client.post("/predict", json={**ROW, "at": "2026-06-01T10:00:00+02:00"})
    first, second = logged(settings)
    assert first["at"] == first["received_at"] > "2026-06-01T12"
    assert second["at"] == second["received_at"] == "2026-06-01T08:00:00.000000"


def test_targets_are_kept_by_prediction_and_by_entity(settings: Settings) -> None:
    with serving(settings) as client:
        answer = client.post("/predict", json=ROW).json()
        first = client.post("/targets", json={"prediction_id": answer["prediction_id"], "target": "yes"})
        again = client.post(
            "/targets", json=[{"entity_id": "c-1", "target": "yes"}, {"entity_id": "?", "target": "no"}]
        )
        told = client.get("/stats").json()["targets"]
    assert (first.status_code, first.json()["added"]) == (200, 1)
    assert (again.json()["added"], again.json()["unmatched"]) == (2, 1)
    assert (told["added"], told["unmatched"]) == (3, 1)


def test_a_promotion_takes_effect_while_requests_go_on(settings: Settings) -> None:
    with serving(settings) as client:
        assert client.post("/predict", json=ROW).json()["version"] in (1, 2)
        make_version(settings, 3)
        appoint(settings, 2, 3, action="promote")

        def promoted() -> bool:
            answer = client.post("/predict", json={**ROW, "customer": entity_of("champion")})
            assert answer.status_code == 200
            return {each["role"]: each["version"] for each in client.get("/model").json()["versions"]} == {
                "champion": 2,
                "challenger": 3,
            }

        wait_until(promoted)
        client.post("/predict", json=ROW)
        told = client.get("/model").json()
        loads = client.get("/metrics").text
    assert [each["since"] is not None for each in told["versions"]] == [True, False]
    assert told["revision"] == 2
    assert 'driftbook_model_loads_total{use_case="sample"} 3.0' in loads  # version 2 was in memory already
    assert logged(settings)[-1]["champion_version"] == 2


def test_without_a_challenger_everybody_meets_the_champion(tmp_path: Path) -> None:
    settings = make_models(tmp_path, challenger=False)
    _, sent = batch_rows()
    with serving(settings) as client:
        answers = client.post("/predict", json=sent).json()
        told = client.get("/model").json()
    assert {(each["role"], each["version"]) for each in answers} == {("champion", 1)}
    assert (told["challenger_share"], len(told["versions"])) == (0.0, 1)
    assert {row["challenger_version"] for row in logged(settings)} == {None}


def test_a_broken_model_keeps_the_old_one_answering_and_is_told(settings: Settings) -> None:
    with serving(settings) as client:
        folder = make_version(settings, 3)
        (folder / "model.ubj").write_bytes(b"not a model")
        appoint(settings, 3, None, action="promote")
        wait_until(lambda: client.get("/ready").json()["faults"] != [])
        ready = client.get("/ready")
        answer = client.post("/predict", json=ROW)
        metrics = client.get("/metrics").text
        make_version(settings, 3)  # put right
        wait_until(lambda: client.get("/ready").json()["champion"] == 3)
        assert client.get("/ready").json()["faults"] == []
    assert (ready.status_code, ready.json()["champion"]) == (200, 1)
    assert str(settings.root) not in ready.text
    assert (answer.status_code, answer.json()["version"]) in {(200, 1), (200, 2)}
    assert 'driftbook_fault{subject="champion",use_case="sample"} 1.0' in metrics


def test_a_model_that_goes_missing_or_is_trained_anew_under_its_number_is_noticed(settings: Settings) -> None:
    with serving(settings) as client:
        shutil.rmtree(settings.models_folder(CASE.name) / "v2")
        wait_until(lambda: client.get("/ready").json()["faults"] == ["challenger: see the service's log"])
        row = {**ROW, "customer": entity_of("challenger")}
        before = client.post("/predict", json=row).json()
        make_version(settings, 2, seed=5)
        wait_until(lambda: client.get("/ready").json()["faults"] == [])
        after = client.post("/predict", json=row).json()
    assert (before["version"], after["version"]) == (2, 2)
    assert before["prediction_score"] != after["prediction_score"]


def test_before_there_is_a_champion_the_service_says_so_and_then_answers(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    with serving(settings) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert (client.get("/ready").status_code, client.get("/ready").json()["ready"]) == (503, False)
        for answer in (client.post("/predict", json=ROW), client.get("/model"), client.post("/targets", json={})):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert client.get("/openapi.json").status_code == client.get("/metrics").status_code == 200
        make_version(settings, 1)
        appoint(settings, 1)
        wait_until(lambda: client.get("/ready").status_code == 200)
        assert client.post("/predict", json=ROW).status_code == 200


def test_nothing_is_acknowledged_that_cannot_be_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(settings) as client:
        log = client.app.state.service.log
        moved = Path(settings.prediction_log_url.removeprefix("sqlite:///"))
        moved.rename(moved.with_suffix(".away"))
        spill = settings.spill_folder(CASE.name)
        assert client.post("/predict", json=ROW).status_code == 200  # into the spill file
        assert client.get("/ready").json()["faults"] == [
            "log: the database is away; predictions are kept in the spill file meanwhile"
        ]
        assert list(spill.iterdir())

        def refuse(*_given: object) -> None:
            raise StateError("the disk is full")

        monkeypatch.setattr(log._spill, "append", refuse)
        answer = client.post("/predict", json=ROW)
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert ready.json()["faults"] == [
            "log: neither the database nor the spill file takes predictions, so none is answered"
        ]
        monkeypatch.setattr(service, "REFUSED_SECONDS", 0.0)
        assert client.get("/ready").status_code == 200, "it is worth another try"
        monkeypatch.undo()
        assert client.post("/predict", json=ROW).status_code == 200
        assert client.get("/ready").status_code == 200
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "this cannot be kept now, so it was not acknowledged; try again",
    )


def test_a_request_that_is_too_large_or_of_another_type_is_refused(settings: Settings) -> None:
    with serving(settings, case_with(max_bytes=1_000, max_rows=2)) as client:
        assert client.post("/predict", json=ROW).status_code == 200
        long = json.dumps([{**ROW, "plan": "x" * 400}] * 3).encode()
        assert client.post("/predict", content=long, headers=JSON).status_code == 413
        parts = (long[at : at + 100] for at in range(0, len(long), 100))  # without a Content-Length
        assert client.post("/predict", content=parts, headers=JSON).status_code == 413
        many = json.dumps([{"customer": "c"}] * 3).encode()
        assert "at most 2 rows" in client.post("/predict", content=many, headers=JSON).json()["detail"]
        kinds = {"text/plain": 415, "application/jsonlines": 415, "multipart/form-data": 415, "": 415}
        kinds |= {"Application/JSON": 200, "application/json ;charset=utf-8": 200}
        for kind, status in kinds.items():
            answer = client.post("/predict", content=json.dumps(ROW), headers={"Content-Type": kind})
            assert answer.status_code == status
    assert len(logged(settings)) == 3


def test_unknown_switches_paths_and_methods_are_refused(settings: Settings) -> None:
    with serving(settings) as client:
        unknown = client.post("/predict?contribution=true", json=ROW)
        neither = client.post("/predict?contributions=perhaps", json=ROW)
        many = client.post(f"/predict?{'x' * 1_000}=&{'a=&' * 1_000}contributions=perhaps", json=ROW)
        assert client.get("/predict").status_code == 405
        assert client.get("/nowhere").status_code == 404
        statuses = client.get("/stats").json()["requests"]["by_route"]
    assert len(many.json()["detail"]) == 20
    assert len(many.content) < 5_000
    assert unknown.json()["detail"][0]["loc"] == ["query", "contribution"]
    assert neither.json()["detail"][0]["msg"] == "expected true or false"
    assert statuses["other"]["statuses"] == {"404": 1}
    assert logged_count(settings) == 0


def logged_count(settings: Settings) -> int:
    return len(logged(settings))


def test_a_fault_of_the_service_tells_an_incident_and_no_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(settings) as client:
        monkeypatch.setattr(client.app.state.service.following.on_duty.panel, "score", None)
        answer = client.post("/predict", json=ROW)
        stats = client.get("/stats").json()["requests"]
    assert answer.status_code == 500
    assert list(answer.json()) == ["detail"]
    incident = answer.json()["detail"].removeprefix("something went wrong here, incident ")
    assert len(incident) == 8
    assert incident in caplog.text  # which is how a person finds the stack trace
    assert (stats["failed"], stats["error_rate"]) == (1, 1.0)


def test_with_keys_every_endpoint_but_health_ready_and_the_page_wants_one(settings: Settings) -> None:
    with open_database(settings.database_url) as database:
        keys = {scope: add_key(database, scope, [scope]) for scope in ("predict", "targets", "read")}
    target = {"entity_id": "c-1", "target": "yes"}
    asks: dict[str, Callable[[TestClient, dict[str, str]], int]] = {
        "predict": lambda client, head: client.post("/predict", json=ROW, headers=head).status_code,
        "targets": lambda client, head: client.post("/targets", json=target, headers=head).status_code,
        "read": lambda client, head: client.get("/model", headers=head).status_code,
    }
    with serving(settings) as client:
        for scope, ask in asks.items():
            assert ask(client, {}) == 401
            assert ask(client, {"Authorization": "Bearer dbk_guessed"}) == 401
            for other, key in keys.items():
                assert ask(client, {"Authorization": f"Bearer {key}"}) == (200 if other == scope else 403)
        read = {"Authorization": f"Bearer {keys['read']}"}
        for path in ("/stats", "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers=read).status_code == 200
        assert client.get("/openapi.json", headers={"Authorization": f"Bearer {keys['predict']}"}).status_code == 200
        for path in ("/health", "/ready", "/docs"):
            assert client.get(path).status_code == 200
    assert {row["client"] for row in logged(settings)} == {"predict"}


def test_a_key_is_taken_up_and_revoked_while_the_service_runs(settings: Settings) -> None:
    with serving(settings) as client, open_database(settings.database_url) as database:
        assert client.post("/predict", json=ROW).status_code == 200
        key = add_key(database, "shop", ["predict"])
        wait_until(lambda: client.post("/predict", json=ROW).status_code == 401)
        head = {"Authorization": f"Bearer {key}"}
        assert client.post("/predict", json=ROW, headers=head).status_code == 200
        revoke_key(database, "shop")
        wait_until(lambda: client.post("/predict", json=ROW, headers=head).status_code == 401)
        assert client.post("/predict", json=ROW).status_code == 401


def test_a_key_that_asks_too_often_is_told_to_wait(settings: Settings) -> None:
    with open_database(settings.database_url) as database:
        head = {"Authorization": f"Bearer {add_key(database, 'shop', ['predict'])}"}
    with serving(settings, case_with(rate_limit=1)) as client:
        answers = [client.post("/predict", json=ROW, headers=head) for _ in range(10)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert late
    assert {answer.headers["Retry-After"] for answer in late} == {"1"}
    assert len(logged(settings)) == len(answers) - len(late)


def test_without_keys_it_answers_only_to_who_names_this_machine(settings: Settings) -> None:
    with serving(settings, hosts={"localhost", "::1"}) as client:
        assert client.get("/health", headers={"Host": "localhost:8000"}).status_code == 200
        assert client.get("/health", headers={"Host": "[::1]:8000"}).status_code == 200
        for host in ("evil.example", "localhost.evil.example:8000", ""):
            assert client.post("/predict", json=ROW, headers={"Host": host}).status_code == 421
    assert logged(settings) == []


def test_stats_tell_volume_errors_and_percentiles_per_version(settings: Settings) -> None:
    with serving(settings) as client:
        for role in ("champion", "challenger", "champion"):
            client.post("/predict", json={**ROW, "customer": entity_of(role), "plan": "new"})
        client.post("/predict", json={})
        told = client.get("/stats").json()
    assert told["requests"]["by_route"]["/predict"]["statuses"] == {"200": 3, "422": 1}
    assert (told["requests"]["refused"], told["requests"]["failed"]) == (1, 0)
    assert [(each["version"], each["rows"], each["by_role"]) for each in told["versions"]] == [
        (1, 2, {"champion": 2}),
        (2, 1, {"challenger": 1}),
    ]
    for each in told["versions"]:
        assert 0 < each["p50_ms"] <= each["p95_ms"] <= each["p99_ms"]
    assert told["predictions"]["flagged"]["unseen"] == 3


def test_the_description_has_the_fields_of_the_use_case_and_examples_that_are_answered(settings: Settings) -> None:
    with serving(settings) as client:
        described = client.get("/openapi.json").json()
        for path, method in (("/predict", "post"), ("/targets", "post")):
            content = described["paths"][path][method]["requestBody"]["content"]["application/json"]
            for example in content["examples"].values():
                assert client.post(path, json=example["value"]).status_code == 200, example
    row = described["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {"customer", "age", "spend", "plan", "joined"}
    assert (row["required"], row["additionalProperties"]) == (["customer"], False)
    example = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]["one"]
    assert example["value"]["age"] in labelled_rows()["age"].to_list()
    assert described["components"]["schemas"]["Target"]["properties"]["target"]["enum"] == ["no", "yes"]
    assert set(described["paths"]) == {"/predict", "/targets", "/health", "/ready", "/model", "/stats", "/metrics"}


def test_the_description_follows_the_champion(settings: Settings) -> None:
    sample = settings.models_folder(CASE.name) / "v2" / "reference_rows.parquet"
    pl.read_parquet(sample).with_columns(age=pl.lit(29.5)).write_parquet(sample)

    def example_age(client: TestClient) -> float:
        body = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
        return float(body["content"]["application/json"]["examples"]["one"]["value"]["age"])

    with serving(settings) as client:
        assert example_age(client) != 29.5
        appoint(settings, 2, action="promote")
        wait_until(lambda: example_age(client) == 29.5)


def test_the_page_to_try_it_loads_nothing_from_anywhere(settings: Settings) -> None:
    with serving(settings) as client:
        page = client.get("/docs")
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
