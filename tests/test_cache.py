"""The cache gives the same bits as no cache, and a Redis in trouble costs nobody an answer."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from model_samples import binary_case, labelled_rows
from redis import Redis
from redis.exceptions import RedisError

from driftbook.errors import ConfigError
from driftbook.model.outliers import fit_detector
from driftbook.model.training import fit_quickly
from driftbook.serving import cache as caching
from driftbook.serving.cache import ScoreCache, open_cache
from driftbook.serving.scorer import Scored, ServedModel

REDIS = os.environ.get("DRIFTBOOK_TEST_REDIS_URL") or "redis://127.0.0.1:6379/0"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[ServedModel]:
    found = []
    for seed in (1, 2):
        rows, folder = labelled_rows(seed=seed), tmp_path_factory.mktemp("model")
        bundle = fit_quickly(binary_case(), rows, seed=seed)
        bundle.save(folder)
        fit_detector(rows, bundle.encoder, folds=np.arange(600) // 50 % 2, seed=seed)[0].save(folder)
        found.append(ServedModel.load(folder))
    return found


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScoreCache]:
    try:
        with closing(Redis.from_url(REDIS, socket_connect_timeout=2)) as server:
            server.ping()
    except RedisError as error:
        told = f"no Redis answers ({error}); name one in DRIFTBOOK_TEST_REDIS_URL"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    prefix = f"driftbook-test:{uuid.uuid4().hex}:".encode()
    monkeypatch.setattr(caching, "PREFIX", prefix)
    monkeypatch.setattr(caching, "PATIENCE_SECONDS", 2.0)
    with closing(open_cache(REDIS)) as opened:
        yield opened
    with closing(Redis.from_url(REDIS)) as server:
        for key in server.scan_iter(match=prefix + b"*"):
            server.delete(key)


def plain(scored: list[Scored]) -> list[tuple[object, ...]]:
    return [
        (each.probabilities, each.prediction, each.prediction_score, each.flags, each.outlier_score) for each in scored
    ]


def alone(models: list[ServedModel], rows: list[dict[str, object]]) -> list[Scored]:
    """Without a cache."""
    return [model.score(rows, outliers=at == 0) for at, model in enumerate(models)]


def rows_of(seed: int, rows: int = 20) -> list[dict[str, object]]:
    found = labelled_rows(rows, seed=seed).select("age", "spend", "plan", "joined").to_dicts()
    found[1] |= {"age": None, "plan": "gold"}
    return found


def test_what_was_kept_is_the_same_bits(cache: ScoreCache, models: list[ServedModel]) -> None:
    rows = rows_of(1)
    expected = plain(alone(models, rows))
    assert plain(cache.score(models, rows)) == expected
    assert (cache.hits, cache.misses) == (0, 40)
    assert plain(cache.score(models, rows)) == expected
    assert (cache.hits, cache.misses) == (40, 40)


def test_rows_seen_before_and_new_ones_come_back_in_their_order(cache: ScoreCache, models: list[ServedModel]) -> None:
    seen, new = rows_of(1, 6), rows_of(2, 6)
    cache.score(models, seen)
    mixed = [row for pair in zip(new, seen, strict=True) for row in pair]
    assert plain(cache.score(models, mixed)) == plain(alone(models, mixed))
    assert cache.hits == 12


def test_versions_do_not_answer_for_each_other(cache: ScoreCache, models: list[ServedModel]) -> None:
    rows = rows_of(1)
    cache.score(models[:1], rows)
    assert plain(cache.score(models[1:], rows)) == plain([models[1].score(rows)])
    assert cache.hits == 0


def test_a_challenger_that_came_into_office_is_asked_for_outliers(cache: ScoreCache, models: list[ServedModel]) -> None:
    rows = rows_of(1)
    cache.score(models, rows)
    promoted = models[::-1]
    assert plain(cache.score(promoted, rows)) == plain(alone(promoted, rows))


def test_a_row_that_means_the_same_to_the_model_is_the_same_row(cache: ScoreCache, models: list[ServedModel]) -> None:
    row = rows_of(1)[0]
    cache.score(models, [row])
    cache.score(models, [{**row, "plan": f" {row['plan']} ", "comment": "ignored"}])
    assert cache.hits == 2


def test_a_missing_and_an_unseen_category_score_alike_and_are_flagged_apart(
    cache: ScoreCache, models: list[ServedModel]
) -> None:
    row = rows_of(1)[2]
    cache.score(models, [{**row, "plan": None}])
    [first, _] = cache.score(models, [{**row, "plan": "gold"}])
    assert cache.hits == 2
    assert (first.flags[0].unseen, first.flags[0].missing) == (("plan",), ())


def test_what_somebody_else_wrote_there_is_not_taken_for_a_score(cache: ScoreCache, models: list[ServedModel]) -> None:
    rows = rows_of(1)
    cache.score(models, rows)
    with closing(Redis.from_url(REDIS)) as server:
        for key in server.scan_iter(match=caching.PREFIX + b"*"):
            server.set(key, b"something else")
    assert plain(cache.score(models, rows)) == plain(alone(models, rows))
    assert cache.hits == 0


def test_what_is_kept_expires(cache: ScoreCache, models: list[ServedModel]) -> None:
    cache.score(models, rows_of(1))
    with closing(Redis.from_url(REDIS)) as server:
        lives = [server.ttl(key) for key in server.scan_iter(match=caching.PREFIX + b"*")]
    assert len(lives) == 40
    assert all(0 < each <= caching.KEPT_SECONDS for each in lives)


def test_a_redis_that_is_away_is_asked_once_and_then_left_alone(models: list[ServedModel]) -> None:
    now = [0.0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        cache = ScoreCache(open_cache(f"redis://127.0.0.1:{taken.getsockname()[1]}/0")._client, clock=lambda: now[0])
        rows = rows_of(3)
        expected = plain(alone(models, rows))
        assert plain(cache.score(models, rows)) == expected
        assert plain(cache.score(models, rows)) == expected
        assert cache.faults == 1
        now[0] = caching.PAUSE_SECONDS + 1
        assert plain(cache.score(models, rows)) == expected
        assert cache.faults == 2


def test_a_redis_that_hangs_costs_no_more_than_its_patience(models: list[ServedModel]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cache = open_cache(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        rows = rows_of(3)
        assert plain(cache.score(models, rows)) == plain(alone(models, rows))
        assert cache.faults == 1


def test_no_rows_ask_nobody(cache: ScoreCache, models: list[ServedModel]) -> None:
    assert [each.prediction for each in cache.score(models, [])] == [[], []]
    assert (cache.hits, cache.misses, cache.faults) == (0, 0, 0)


def test_an_address_of_something_else_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigError, match=r"found one of http$"):
        open_cache("http://user:secret@somewhere")


def test_the_digest_of_a_model_is_that_of_its_files(models: list[ServedModel], tmp_path: Path) -> None:
    assert models[0].digest != models[1].digest
    bundle = fit_quickly(binary_case(), labelled_rows(seed=1), seed=1)
    assert ServedModel.load(bundle.save(tmp_path)).digest not in {b"", models[0].digest}
