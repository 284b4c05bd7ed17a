"""Why an alarm: which columns, which rows, since when, and what it does to the score, in one sentence per cause."""

from driftbook.attribution.evidence import Alarm
from driftbook.attribution.explain_drift import Attribution, attribute

__all__ = ["Alarm", "Attribution", "attribute"]
