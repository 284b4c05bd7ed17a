"""The base of all configuration models, and the reading of YAML into them.

pydantic's messages are rewritten into one line per fault, with the file, the key and a suggestion,
because the person who reads them edits YAML and not Python.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from driftbook.errors import ConfigError


class Frozen(BaseModel):
    """Immutable, and refusing keys it does not know and numbers that are none (nan, infinity)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


Model = TypeVar("Model", bound=Frozen)


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; a clear ``ConfigError`` for anything else."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"expected a configuration file at {path}, found none") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} should hold keys and values, found {type(content).__name__}")
    return content


def parse(model: type[Model], content: dict[str, Any], *, source: str) -> Model:
    """Validate ``content``; every fault becomes one line that names its key.

    Examples
    --------
    >>> class Point(Frozen):
    ...     x: int
    >>> parse(Point, {"X": 1}, source="point.yaml")
    Traceback (most recent call last):
    ...
    driftbook.errors.ConfigError: point.yaml: 2 faults
      X: no such key; did you mean 'x'?
      x: required, but missing
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = sorted(_explain(fault, model) for fault in error.errors(include_url=False))
        count = f"{len(lines)} fault{'s' if len(lines) > 1 else ''}"
        raise ConfigError("\n  ".join([f"{source}: {count}", *lines])) from None


def _explain(fault: Any, model: type[BaseModel]) -> str:
    where = [str(part) for part in fault["loc"]]
    key = ".".join(where) or "(file)"
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(where[-1].lower(), _keys(model, where[:-1]), n=1)
        return f"{key}: no such key" + (f"; did you mean {close[0]!r}?" if close else "")
    if fault["type"] == "missing":
        return f"{key}: required, but missing"
    if fault["type"] == "string_type" and isinstance(fault["input"], bool):
        return f"{key}: a bare yes, no, on or off means true or false in YAML, found {fault['input']}; put it in quotes"
    message = str(fault["msg"]).removeprefix("Value error, ")
    found = "" if isinstance(fault["input"], dict) else f", found {fault['input']!r}"
    return f"{key}: {message}{found}"


def _keys(model: type[BaseModel], where: list[str]) -> list[str]:
    """Keys allowed at a place, looked up through nested models and unions."""
    models = [model]
    for part in where:
        inner = [m for each in models for m in _models_of(each, part)]
        models = inner or [each for each in models if _is_kind(each, part)] or models
    return sorted({name for each in models for name in each.model_fields})


def _is_kind(model: type[BaseModel], kind: str) -> bool:
    """Whether a model is the one of a union that ``kind`` chooses."""
    field = model.model_fields.get("kind")
    return field is not None and kind in getattr(field.annotation, "__args__", ())


def _models_of(model: type[BaseModel], part: str) -> list[type[BaseModel]]:
    field = model.model_fields.get(part)
    if field is None:
        return []
    pending, found = [field.annotation], []
    while pending:
        annotation = pending.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        else:
            pending.extend(getattr(annotation, "__args__", ()))
    return found
