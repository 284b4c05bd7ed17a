"""Who looks at the dashboard, and what this person may do.

The server knows who came (by a key, or by the proxy in front of it) and the kernel does not: what a browser sends to
a kernel is untrusted. So the server writes who a kernel belongs to into a file that only it can reach, and the kernel
reads its own file anew before each action. A kernel is started before anybody has come: until then its visitor has no
name and may only look. In JupyterLab, where nobody stands between a person and the kernel, it is who runs the kernel.
"""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from driftbook.errors import DriftbookError

Role = Literal["viewer", "operator"]
FILE_VARIABLE = "DASHBOARD_VISITOR_CARD"  # where a kernel finds who it belongs to; set by the server


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks, and whether this person may also act.

    Examples
    --------
    >>> Visitor("ada", "operator").is_operator
    True
    """

    name: str
    role: Role

    @property
    def is_operator(self) -> bool:
        """Whether this person may change something."""
        return self.role == "operator"


NOBODY = Visitor("", "viewer")


class NotAllowedError(DriftbookError):
    """A visitor asked for what only operators may do."""


def current_visitor() -> Visitor:
    """Who this kernel belongs to now; ``NOBODY`` while no one has come, or if the file cannot be read."""
    path = os.environ.get(FILE_VARIABLE)
    if path is None:
        return Visitor(local_user(), "operator")
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        visitor = Visitor(found["name"], found["role"])
    except (OSError, ValueError, TypeError, KeyError):
        return NOBODY
    return visitor if isinstance(visitor.name, str) and visitor.role in get_args(Role) else NOBODY


def require_operator(visitor: Visitor) -> None:
    """Let only operators pass.

    Raises
    ------
    NotAllowedError
        If the visitor may only look.

    Examples
    --------
    >>> require_operator(Visitor("ada", "operator"))
    >>> require_operator(Visitor("bob", "viewer"))
    Traceback (most recent call last):
    ...
    driftbook.dashboard.visitor.NotAllowedError: bob may look but not act: expected the role operator
    """
    if not visitor.is_operator:
        raise NotAllowedError(f"{visitor.name or 'nobody'} may look but not act: expected the role operator")


def local_user() -> str:
    """Name of who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
