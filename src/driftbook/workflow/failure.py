"""What a person reads when a build fails: one message, and it comes last.

An error of ours says what was expected, what was found and what to do; a traceback of five libraries above it helps
nobody, and stays in the notebook that was set aside. Any other exception is a fault of driftbook or of an edited
notebook: then the traceback is shown, and a last line says in which task and where to look.
"""

from __future__ import annotations

import errno
import re
import traceback
from pathlib import Path

from driftbook import errors
from driftbook.errors import DriftbookError
from driftbook.workflow.notebook import mask

SIGN = "driftbook: "
REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR})
_NUMBER = re.compile(r"\[Errno (\d+)\]|\(os error (\d+)\)")  # as Python writes it, and as polars does
_OURS = frozenset(
    name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, DriftbookError)
)


def describe_failure(error: BaseException, *, task: str, notebook: Path, root: Path) -> str:
    """The message of a task that failed, without secrets and absolute paths.

    Parameters
    ----------
    error
        As Ploomber raised it; what a kernel raised comes as papermill's report of it (``ename``, ``evalue``).
    notebook
        Where the notebook lies now.
    root
        The workbench.

    Examples
    --------
    >>> from driftbook.errors import DataError
    >>> fault = DataError("shop.csv is empty; export it again")
    >>> describe_failure(fault, task="generate_data", notebook=Path("failed/01.ipynb"), root=Path("desk"))
    'driftbook: shop.csv is empty; export it again'
    """
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    fault = next((each for each in chain if isinstance(each, DriftbookError) or hasattr(each, "ename")), chain[-1])
    name, message = str(getattr(fault, "ename", type(fault).__name__)), str(getattr(fault, "evalue", fault))
    refusal = describe_refusal(message)
    if name in _OURS or refusal:
        return mask(f"{SIGN}{refusal or message}", root)
    report = str(fault) if hasattr(fault, "ename") else "".join(traceback.format_exception(fault))
    where = f"its notebook with the whole traceback is {notebook}" if notebook.exists() else "its notebook was not kept"
    told = f"{name}: {message}" if message else name
    last = f"{SIGN}task {task} failed with {told}\nThis is no error that driftbook foresaw; {where}."
    return mask(f"{report.strip()}\n\n{last}", root)


def describe_refusal(message: str) -> str | None:
    """What to do about a disk that refused to be read or written; nothing if the message is about something else.

    Examples
    --------
    >>> describe_refusal("[Errno 28] No space left on device: 'reports/x'")
    "the disk refuses: [Errno 28] No space left on device: 'reports/x'; make room or allow access, and build again"
    >>> describe_refusal("division by zero")
    """
    found = _NUMBER.search(message)
    if found is None or int(found[1] or found[2]) not in REFUSALS:
        return None
    return f"the disk refuses: {message}; make room or allow access, and build again"
