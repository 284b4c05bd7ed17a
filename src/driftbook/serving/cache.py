"""Scores of rows seen before, kept in a Redis: optional, and seldom worth it.

Looking a row up costs a way to Redis and back, some 0.2 ms; two models of a few hundred trees score one in 0.1 ms, so
there the cache loses (``python -m benchmarks.service``). With 2,000 trees in all it is even, with 9,000 it wins.

What is kept is a pure function of the key: the digest of a version's files and of what that version sees of the row, so
a promotion needs no clearing and a hit has the same bits. The prediction is logged as any other. Whoever may write to
that Redis can forge scores: guard it like the models.

A cache must never keep an answer from being given: a Redis that is away, slow or full of something else is left alone
for a while, and rows are scored as if there was none.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from driftbook.errors import ConfigError
from driftbook.model.calibration import Array
from driftbook.model.features import Matrix
from driftbook.serving.encoding import Row
from driftbook.serving.scorer import Scored, ServedModel

if TYPE_CHECKING:
    from redis import Redis

KEPT_SECONDS = 3_600
PATIENCE_SECONDS = 0.02  # for one answer of Redis
PAUSE_SECONDS = 5.0  # in which it is left alone after a fault
PREFIX = b"driftbook:1:"
_LOGGER = logging.getLogger(__name__)


class ScoreCache:
    """Scores rows with one or more models, and computes what it has not kept.

    Attributes
    ----------
    hits, misses
        Rows whose scores were kept or had to be computed, counted for each model.
    faults
        Times that Redis did not answer.
    """

    def __init__(self, client: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.hits = self.misses = self.faults = 0
        self._client: Any = client
        self._clock = clock
        self._closed_until = 0.0

    def score(self, models: Sequence[ServedModel], rows: Sequence[Row]) -> list[Scored]:
        """What each model says of ``rows``, the same bits as :meth:`driftbook.serving.scorer.ServedModel.score`.

        The first one looks for suspicious rows too.

        Raises
        ------
        SchemaError
            If a value is of the wrong type, naming its field.
        """
        matrices = [model.encoder.matrix(rows) for model in models]
        pairs = list(zip(models, matrices, strict=True))
        keys = [key for at, pair in enumerate(pairs) for key in _keys(*pair, outliers=at == 0)]
        kept = self._look_up(keys)
        found, new = [], {}
        for at, (model, matrix) in enumerate(pairs):
            first = at * len(rows)
            numbers, computed = _completed(model, matrix, kept[first : first + len(rows)], outliers=at == 0)
            new.update({keys[first + row]: numbers[row].tobytes() for row in computed})
            found.append(model.tell(rows, matrix, numbers))
        self.misses += len(new)
        self.hits += len(keys) - len(new)
        self._keep(new)
        return found

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _look_up(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        return self._ask(lambda: self._client.mget(keys)) or [None] * len(keys)

    def _keep(self, new: dict[bytes, bytes]) -> None:
        if not new:
            return
        work = self._client.pipeline(transaction=False)
        for key, value in new.items():
            work.set(key, value, ex=KEPT_SECONDS)
        self._ask(work.execute)

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Redis' answer; nothing while it is left alone, or if it fails now."""
        from redis.exceptions import RedisError

        if self._clock() < self._closed_until:
            return None
        try:
            return question()
        except (RedisError, OSError) as error:
            self.faults += 1
            self._closed_until = self._clock() + PAUSE_SECONDS
            _LOGGER.warning("the cache does not answer, rows are scored without it: %s", type(error).__name__)
            return None


def open_cache(url: str) -> ScoreCache:
    """A cache in the Redis at ``url``; whether it is there shows with the first row.

    Raises
    ------
    ConfigError
        If ``url`` is no address of a Redis.

    Examples
    --------
    >>> open_cache("redis://127.0.0.1:6379/0").faults
    0
    >>> open_cache("http://127.0.0.1")
    Traceback (most recent call last):
    ...
    driftbook.errors.ConfigError: expected the address of a Redis like redis://127.0.0.1:6379/0, found one of http
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    try:
        client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience)
    except ValueError as error:
        scheme = url.partition(":")[0]  # and no more of it: it may hold a password
        raise ConfigError(
            f"expected the address of a Redis like redis://127.0.0.1:6379/0, found one of {scheme}"
        ) from error
    return ScoreCache(client)


def _keys(model: ServedModel, matrix: Matrix, *, outliers: bool) -> list[bytes]:
    person = b"outliers" if outliers else b""
    return [
        PREFIX + hashlib.blake2b(row.tobytes(), key=model.digest, person=person, digest_size=24).digest()
        for row in matrix
    ]


def _completed(
    model: ServedModel, matrix: Matrix, kept: Sequence[bytes | None], *, outliers: bool
) -> tuple[Array, list[int]]:
    """Numbers of all rows, and which of them had to be computed: those not kept, or kept as something else."""
    width = 8 * (len(model.classes) + 1)
    lacking = [at for at, value in enumerate(kept) if value is None or len(value) != width]
    if len(lacking) == len(matrix):
        return model.compute(matrix, outliers=outliers), lacking
    numbers = np.empty((len(matrix), len(model.classes) + 1))
    numbers[lacking] = model.compute(matrix[lacking], outliers=outliers)
    for at, value in enumerate(kept):
        if value is not None and len(value) == width:
            numbers[at] = np.frombuffer(value)
    return numbers, lacking
