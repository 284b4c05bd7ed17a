"""How predictions are served: the section ``service`` of ``usecase.yaml``.

Everything has a default that suits a first try; what holds a password comes from the environment, never from a file.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from driftbook.config.base import Frozen

CACHE_VARIABLE = "DRIFTBOOK_CACHE_URL"


class ServiceConfig(Frozen):
    """Who answers, and how much the service takes from one caller."""

    # share of the entities that the challenger answers; nobody where there is none
    challenger_share: float = Field(default=0.1, ge=0.0, le=1.0)
    # of one request
    max_rows: int = Field(default=1_000, ge=1)
    max_bytes: int = Field(default=1_000_000, ge=1_000)
    # requests per second and key, on average; as many again at once
    rate_limit: int = Field(default=1_000, ge=1)
    # address of a Redis that keeps scores of identical rows; none: every row is scored
    cache: str | None = None

    @field_validator("cache")
    @classmethod
    def _no_password(cls, address: str | None) -> str | None:
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError("expected an address redis://host:port/number")
        if parts.password is not None:
            raise ValueError(f"an address with a password belongs into the environment: {CACHE_VARIABLE}")
        return address
