"""Which of two models answers: chosen by a seeded hash of the entity, so that a customer meets the same one every time.

The hash is keyed by the use case's seed and by the challenger's version: as long as this challenger competes the choice
stands, on every machine and after every restart; the next challenger meets other customers, so that nobody is tried on
for ever and no trial inherits what an earlier one did to its customers.
"""

from __future__ import annotations

import hashlib

from driftbook.serving.logged import Role

_BYTES = 8
_SCALE = float(1 << (8 * _BYTES))


def place(entity: str, *, seed: int, version: int) -> float:
    """Where an entity lies on the line from 0 to 1, evenly spread over entities.

    Examples
    --------
    >>> round(place("c-1", seed=1, version=2), 6), round(place("c-1", seed=1, version=3), 6)
    (0.794988, 0.653768)
    """
    key = f"{seed}:{version}".encode()
    digest = hashlib.blake2b(entity.encode(), digest_size=_BYTES, key=key[:64]).digest()
    return int.from_bytes(digest) / _SCALE


def choose(entity: str, *, share: float, seed: int, challenger: int | None) -> Role:
    """Who answers for an entity: the challenger for a ``share`` of them, the champion where there is none.

    Examples
    --------
    >>> choose("c-1", share=1.0, seed=1, challenger=None)
    'champion'
    >>> chosen = [choose(f"c-{at}", share=0.1, seed=1, challenger=2) for at in range(10_000)]
    >>> chosen.count("challenger")
    1005
    """
    if challenger is None:
        return "champion"
    return "challenger" if place(entity, seed=seed, version=challenger) < share else "champion"
