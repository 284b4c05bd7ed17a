"""Is a batch fit to be scored? Every surprise becomes one finding: where, which check, how bad, in a plain sentence.

Limits are relative to the history, never absolute: a column with 40 % missing for years is no news. A share is a
finding only beyond the policy's limit *and* beyond what chance gives a batch of that size, so that an undrifted
stream stays silent. Values that break the schema never get here: ``schema.conform`` quarantines them.

Own polars expressions rather than a library, judged on their documentation: pointblank makes one step per column, check
and segment with absolute limits and shines at HTML reports; pandera states a contract and raises with the failing rows.
Neither judges a share against a reference of many batches, so the statistics here would be ours either way; both are
fine for a contract at the door, which pydantic and ``schema`` already keep.
"""

from driftbook.quality.checks import check_batches, check_history, summarise
from driftbook.quality.limits import CHECKS, FINDINGS_SCHEMA
from driftbook.quality.reference import QualityReference

__all__ = ["CHECKS", "FINDINGS_SCHEMA", "QualityReference", "check_batches", "check_history", "summarise"]
