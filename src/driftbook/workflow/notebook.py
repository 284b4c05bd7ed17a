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

from driftbook.storage import write_text

SECRET_NAME = re.compile(r"^DRIFTBOOK_.*(URL|KEY|TOKEN|PASSWORD|SECRET|WEBHOOK)", re.IGNORECASE)
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
    """Replace secrets from the environment by ``***`` and absolute paths by relative ones."""
    for name, value in os.environ.items():
        if SECRET_NAME.match(name) and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, "***").replace(json.dumps(value)[1:-1], "***")
    text = text.replace(f"{root}{os.sep}", "").replace(str(root), ".")
    return text.replace(f"{Path.home()}{os.sep}", "~/") if Path.home() != Path("/") else text


def write_normalised(text: str, path: Path, root: Path) -> None:
    """Write a notebook's JSON text, normalised, atomically."""
    write_text(path, json.dumps(normalise(json.loads(text), root), indent=1, ensure_ascii=False) + "\n")


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
