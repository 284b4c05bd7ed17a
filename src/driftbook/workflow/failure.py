"""What a person reads when a build fails: one message, and it comes last.

An error of ours says what was expected, what was found and what to do; a traceback of five libraries above it helps
nobody, and stays in the notebook that was set aside. Any other exception is a fault of driftbook or of an edited
notebook: then the traceback is shown, and a last line says in which task and where to look.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from driftbook import errors
from driftbook.errors import DriftbookError
from driftbook.workflow.notebook import mask

SIGN = "driftbook: "
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
    if name in _OURS:
        return mask(f"{SIGN}{message}", root)
    report = str(fault) if hasattr(fault, "ename") else "".join(traceback.format_exception(fault))
    where = f"its notebook with the whole traceback is {notebook}" if notebook.exists() else "its notebook was not kept"
    told = f"{name}: {message}" if message else name
    last = f"{SIGN}task {task} failed with {told}\nThis is no error that driftbook foresaw; {where}."
    return mask(f"{report.strip()}\n\n{last}", root)
