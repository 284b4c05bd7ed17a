"""What the service says of itself: its OpenAPI description, with examples, and a page to try it.

The schemas of the bodies are those that requests are checked by. Examples hold typical values of the champion's own
training rows, each column's by itself: what occurs, and nobody's row. FastAPI's own ``/docs`` loads a script from
elsewhere; ours is one small page without any network.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from driftbook.config import UseCase
from driftbook.serving.bodies import RequestBodies

SAMPLE_FILE = "reference_rows.parquet"
PAGE = Path(__file__).with_name("page.html")
_REFERENCES = "#/components/schemas/{model}"


def example_rows(case: UseCase, model_folder: Path | None, bodies: RequestBodies) -> dict[str, Any]:
    """Named examples for ``/predict``: one row, several rows, and one with oddities.

    Parameters
    ----------
    model_folder
        Of the champion; without one (or without its sample) examples hold plausible constants.
    """
    path = None if model_folder is None else model_folder / SAMPLE_FILE
    sample = pl.read_parquet(path) if path is not None and path.is_file() else pl.DataFrame()
    low, middle = (_typical(case, sample, quantile) for quantile in (0.25, 0.5))
    first = {bodies.entity_field: "example-1", **middle}
    second = {bodies.entity_field: "example-2", **low}
    odd = {bodies.entity_field: "example-3", **middle}
    odd |= dict.fromkeys(case.columns.numeric[:1])
    odd |= dict.fromkeys(case.columns.categorical[:1], "never seen before")
    if bodies.time_field is not None:
        first[bodies.time_field] = "2026-06-30T12:00:00"
    return {
        "one": {"summary": "One row", "value": first},
        "several": {"summary": "Several rows", "value": [first, second]},
        "odd": {"summary": "A missing value and a new category: scored and flagged", "value": odd},
    }


def example_targets(bodies: RequestBodies, label: str) -> dict[str, Any]:
    """Named examples for ``/targets``."""
    by_id = {"prediction_id": "0197c0de0000d0e5f1a9b7c3d2e4f6a8", "target": label}
    return {
        "by prediction": {"summary": "The truth about one prediction", "value": by_id},
        "by entity": {
            "summary": "Of an entity's latest prediction",
            "value": [{"entity_id": "example-1", "target": label}],
        },
    }


def describe_bodies(
    document: dict[str, Any], bodies: RequestBodies, *, max_rows: int, classes: Sequence[str] = ()
) -> dict[str, Any]:
    """Add the schemas of both bodies, and what limits them, to an OpenAPI document; the document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, adapter in (("Row", bodies.row), ("Target", bodies.target)):
        schemas[name] = _schema(adapter)
        body = {"$ref": _REFERENCES.format(model=name)}
        listed = {"type": "array", "items": body, "minItems": 1, "maxItems": max_rows}
        path = {"Row": "/predict", "Target": "/targets"}[name]
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        content["schema"] = {"anyOf": [body, listed]}
    if classes:
        schemas["Target"]["properties"]["target"] = {"type": "string", "enum": list(classes)}
    return document


@lru_cache(maxsize=1)
def page() -> tuple[bytes, dict[str, str]]:
    """The page at ``/docs`` and headers that let it load nothing but itself."""
    text = PAGE.read_text(encoding="utf-8")
    parts = {"script": "script-src", "style": "style-src"}
    allowed = []
    for tag, directive in parts.items():
        [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode("utf-8")).digest()).decode()
        allowed.append(f"{directive} 'sha256-{digest}'")
    policy = f"default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; {'; '.join(allowed)}"
    return text.encode("utf-8"), {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}


def _typical(case: UseCase, sample: pl.DataFrame, quantile: float) -> dict[str, Any]:
    """A value of each column that occurs: of numbers and dates at a quantile, of texts the most frequent."""
    row: dict[str, Any] = {}
    columns = case.columns
    for name in columns.features:
        values = sample[name].drop_nulls() if name in sample.columns else pl.Series(name, [], dtype=pl.Null)
        if name in columns.categorical:
            row[name] = values.mode().sort()[0] if len(values) else "example"
        elif name in columns.dates:
            found: Any = values.sort()[int(quantile * (len(values) - 1))] if len(values) else datetime(2026, 6, 1)
            row[name] = found.isoformat()
        else:
            row[name] = values.quantile(quantile, interpolation="nearest") if len(values) else 1.0
    return row


def _schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    schema = adapter.json_schema(ref_template=_REFERENCES)
    schema.pop("$defs", None)
    return schema
