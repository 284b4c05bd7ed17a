"""What methods on whole batches say of each stream batch: measured once, kept as immutable Parquet.

Telling a batch from the reference costs a small model; a build looks at a reign several times, and tomorrow's build
again. The answer depends on the version and the batch alone, so it is kept beside the version's predictions.
"""

from __future__ import annotations

import polars as pl

from driftbook.drift.joint import JOINT_METHODS, JOINT_SCHEMA, measure_jointly
from driftbook.storage import read_parquet, write_once
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run


def ensure_joint(run: Run, version: Version, rows: pl.DataFrame) -> pl.DataFrame:
    """The policy's methods on whole batches for the batches in ``rows``; what is missing is measured now.

    Returns
    -------
    Frame of :data:`driftbook.drift.joint.JOINT_SCHEMA`.
    """
    folder = run.settings.data_folder(run.case.name) / "predictions" / version.label / "whole_batches"
    methods = [name for name in run.policy.drift.table if name in JOINT_METHODS]
    batches = {str(batch_id): part for (batch_id,), part in rows.partition_by("batch_id", as_dict=True).items()}
    paths = {(name, each): folder / name / f"{each}.parquet" for name in methods for each in sorted(batches)}
    for name in methods:
        missing = {each: part for each, part in batches.items() if not paths[name, each].exists()}
        found = measure_jointly(version.reference.joint, missing, methods=[name])
        for (batch_id,), row in found.partition_by("batch_id", as_dict=True).items():
            write_once(paths[name, str(batch_id)], row)
    return read_parquet(*paths.values()) if paths else pl.DataFrame(schema=JOINT_SCHEMA)
