"""What methods on whole batches say of each stream batch: measured once, kept as immutable Parquet.

Telling a batch from the reference costs a small model; a build looks at a reign several times, and tomorrow's build
again. The answer depends on the version and the batch alone, so it is kept beside the version's predictions.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from driftbook.drift.joint import JOINT_METHODS, JOINT_SCHEMA, measure_jointly
from driftbook.storage import read_parquet, write_once
from driftbook.timeline.models import Version
from driftbook.timeline.run import Run


def ensure_joint(run: Run, version: Version, rows: pl.DataFrame) -> pl.DataFrame:
    """Every method on whole batches for the batches in ``rows``; missing ones are measured now.

    Returns
    -------
    Frame of :data:`driftbook.drift.joint.JOINT_SCHEMA`.
    """
    folder = run.settings.data_folder(run.case.name) / "predictions" / version.label / "whole_batches"
    paths: dict[str, Path] = {each: folder / f"{each}.parquet" for each in rows["batch_id"].unique().sort()}
    missing = {batch_id for batch_id, path in paths.items() if not path.exists()}
    for (batch_id,), batch in (
        rows.filter(pl.col("batch_id").is_in(missing)).partition_by("batch_id", as_dict=True).items()
    ):
        found = measure_jointly(version.reference.joint, {str(batch_id): batch}, methods=sorted(JOINT_METHODS))
        write_once(paths[str(batch_id)], found)
    return read_parquet(*paths.values()) if paths else pl.DataFrame(schema=JOINT_SCHEMA)
