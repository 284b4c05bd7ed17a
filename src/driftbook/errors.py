"""The exception tree: one base, one class per thing a person can put right.

::

    DriftbookError
    ├── ConfigError            usecase.yaml, a policy or a setting is wrong
    │   └── UnknownNameError   a name is not among the ones there are (use case, scenario, policy, method …)
    ├── DataError              a file or a table cannot be used
    │   └── SchemaError        a column is missing, doubled or of the wrong type
    ├── ModelError             a model cannot be trained, loaded or used
    ├── DriftError             two samples cannot be compared
    ├── StateError             the recorded state (deployment, journal, registry) contradicts the request
    │   └── OvertakenError     somebody else changed it after we looked
    └── BusyError              another run holds the lock

Every message says what was expected, what was found and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMES = 30  # listed in a message; a wide table has hundreds of columns


class DriftbookError(Exception):
    """Base of all errors that driftbook raises on purpose."""


class ConfigError(DriftbookError):
    """A configuration file or a setting is wrong."""


class UnknownNameError(ConfigError):
    """A name is not among the known ones.

    Examples
    --------
    >>> raise UnknownNameError("drift method", "psy", ["psi", "kolmogorov_smirnov"])
    Traceback (most recent call last):
    ...
    driftbook.errors.UnknownNameError: no drift method 'psy'; did you mean 'psi'? Available: kolmogorov_smirnov, psi
    """

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        names = sorted(str(each) for each in available)
        by_lower = {each.lower(): each for each in names}
        close = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
        hint = f"; did you mean {by_lower[close[0]]!r}?" if close else "."
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        super().__init__(f"no {kind} {name!r}{hint} Available: {', '.join(names[:MOST_NAMES]) or 'none'}{more}")


class DataError(DriftbookError):
    """A file or a table cannot be used."""


class SchemaError(DataError):
    """A column is missing, doubled or of the wrong type."""


class ModelError(DriftbookError):
    """A model cannot be trained, loaded or used."""


class DriftError(DriftbookError):
    """Two samples cannot be compared."""


class StateError(DriftbookError):
    """The recorded state contradicts the request."""


class OvertakenError(StateError):
    """Another build or person changed the deployment after we looked at it; every message holds ``MEANWHILE``."""

    MEANWHILE = "another build or person changed it meanwhile"


class BusyError(DriftbookError):
    """Another run holds the lock."""
