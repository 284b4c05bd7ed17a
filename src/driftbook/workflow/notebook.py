"""An executed notebook without noise: the same run gives the same bytes, and nothing private.

Times, durations, random cell ids and absolute paths are removed before a notebook touches the disk, so that
two runs of the same thing can be compared cell by cell; values of secret settings are masked everywhere.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from driftbook.storage import write_text

SECRET_NAME = re.compile(r"^DRIFTBOOK_.*(URL|KEY|TOKEN|PASSWORD|SECRET|WEBHOOK)", re.IGNORECASE)
SHORTEST_SECRET = 6


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
    content["metadata"] = {key: content["metadata"][key] for key in ("kernelspec",) if key in content["metadata"]}
    for number, cell in enumerate(content["cells"]):
        cell["metadata"] = {"tags": cell["metadata"].get("tags", [])}
        if "injected-parameters" in cell["metadata"]["tags"] or "id" not in cell:
            cell["id"] = f"cell-{number}"
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


def _calm(output: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {}} if output["output_type"] in ("display_data", "execute_result") else {}
