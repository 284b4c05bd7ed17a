"""An executed notebook without noise: the same run gives the same bytes, and nothing private.

Times, durations, random cell ids and absolute paths are removed before a notebook touches the disk, so that
two runs of the same thing can be compared cell by cell; values of secret settings are masked everywhere.
"""

from __future__ import annotations

import ast
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from pprint import pformat
from typing import Any
from urllib.parse import unquote, urlsplit

from driftbook.storage import write_text

SECRET_NAME = re.compile(r"^DRIFTBOOK_.*(URL|KEY|TOKEN|PASSWORD|SECRET|WEBHOOK)", re.IGNORECASE)
HOOK_NAME = re.compile(r"HOOK|SLACK", re.IGNORECASE)
SHORTEST_SECRET = 6
# without the language JupyterLab adds it on opening, and offers to save what nobody has changed
KEPT_METADATA = ("kernelspec", "language_info")


def normalise(notebook: dict[str, Any], root: Path) -> dict[str, Any]:
    """The notebook without volatile metadata, absolute paths and secrets.

    Parameters
    ----------
    notebook
        Parsed notebook, nbformat 4.
    root
        The workbench: paths below it become relative to it.
    """
    content: dict[str, Any] = json.loads(mask(json.dumps(notebook), root))
    content["metadata"] = {key: content["metadata"][key] for key in KEPT_METADATA if key in content["metadata"]}
    for number, cell in enumerate(content["cells"]):
        cell["metadata"] = {"tags": cell["metadata"].get("tags", [])}
        if "injected-parameters" in cell["metadata"]["tags"] or "id" not in cell:
            cell["id"] = f"cell-{number}"
        if "injected-parameters" in cell["metadata"]["tags"]:
            cell["source"] = _in_order(cell["source"])
        for output in cell.get("outputs", []):
            output.pop("metadata", None) if output["output_type"] == "error" else output.update(_calm(output))
    return content


def mask(text: str, root: Path) -> str:
    """Replace secrets from the environment by ``***`` and absolute paths by relative ones.

    A secret is the whole value of a variable of ours that is called one, and the parts of an address that must not be
    told by themselves: its password, as written and decoded, and what ends the address of a hook.
    """
    for name, value in os.environ.items():
        if SECRET_NAME.match(name):
            for secret in _secrets(value, is_hook=bool(HOOK_NAME.search(name))):
                text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    text = text.replace(f"{root}{os.sep}", "").replace(str(root), ".")
    return text.replace(f"{Path.home()}{os.sep}", "~/") if Path.home() != Path("/") else text


def write_normalised(text: str, path: Path, root: Path) -> None:
    """Write a notebook's JSON text, normalised, atomically."""
    write_text(path, json.dumps(normalise(json.loads(text), root), indent=1, ensure_ascii=False) + "\n")


def before_execution(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook that was executed, without outputs and injected parameters: ready to be executed again.

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": "1 + 1", "metadata": {"tags": []}, "outputs": [1], "execution_count": 3}
    >>> before_execution({"cells": [cell]})["cells"][0]["outputs"]
    []
    """
    cells = [cell for cell in notebook["cells"] if "injected-parameters" not in cell["metadata"].get("tags", [])]
    fresh: dict[str, Any] = {"outputs": [], "execution_count": None}
    return {**notebook, "cells": [{**cell, **(fresh if cell["cell_type"] == "code" else {})} for cell in cells]}


def _secrets(value: str, *, is_hook: bool) -> list[str]:
    """What must not be shown of a value, the longest first; a part that is a plain word is no secret worth the name.

    Examples
    --------
    >>> _secrets("smtp://robot:s3cr3t%21@mail", is_hook=False)
    ['smtp://robot:s3cr3t%21@mail', 's3cr3t%21', 's3cr3t!']
    """
    parts = []
    with suppress(ValueError):  # no address
        address = urlsplit(value)
        parts = [address.password or "", unquote(address.password or "")]
        parts += [address.path.rpartition("/")[2]] if is_hook else []
    told = [value, *(part for part in parts if not part.isalpha())]
    return sorted({secret for secret in told if len(secret) >= SHORTEST_SECRET}, key=lambda each: (-len(each), each))


def _in_order(source: str | list[str]) -> str:
    """Injected parameters with the keys of every mapping in order, a line each: Ploomber's order changes by chance."""
    lines = []
    for line in "".join(source).splitlines():
        name, _, value = line.partition(" = ")
        found = ast.literal_eval(value) if value.startswith("{") else None
        lines.append(f"{name} = {pformat(found, width=110)}" if found is not None else line)
    return "\n".join(lines)


def trust(path: Path) -> None:
    """Sign a notebook that this person's build has just executed: JupyterLab strips the figures of others.

    The signature lies with the person's Jupyter data, not in the notebook. Where that cannot be written the notebook
    stays untrusted: a reader is told so in the place of each figure.
    """
    from nbformat import v4
    from nbformat.sign import NotebookNotary

    notary: Any = NotebookNotary
    read: Any = v4.reads
    with suppress(OSError):
        signing = notary()
        signing.sign(read(path.read_text(encoding="utf-8")))
        signing.store.close()


def _calm(output: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {}} if output["output_type"] in ("display_data", "execute_result") else {}
