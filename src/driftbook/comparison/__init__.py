"""Any two tables, compared without set-up: ``from driftbook import compare``."""

from driftbook.comparison.comparing import compare
from driftbook.comparison.result import Comparison

__all__ = ["Comparison", "compare"]
