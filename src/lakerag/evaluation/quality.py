"""Recorded evaluations: one row a metric, compared with the runs before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from pyspark.sql import functions as F

from lakerag.catalog import Catalog
from lakerag.tables import OPS_QUALITY

RUNS_COMPARED = 5
"""Recorded runs whose median a metric is compared with."""
NO_ALARM = ("mean_chunk_chars", "false_refusal")
"""Metrics of which less is not worse."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one set came to, and what it was measured on."""

    kind: str
    """retrieval, qa or spans."""
    metrics: Mapping[str, float | None]
    """By name, as `evaluate --json` nests them, joined by dots."""
    dataset_sha256: str
    collection: str
    embedding_space: str


def flatten(result: Mapping[str, Any], names: Iterable[str]) -> dict[str, float | None]:
    """Returns the metrics of these names (`hybrid.recall@5`) that a result holds; None where nothing counts."""
    found: dict[str, float | None] = {}
    for name in names:
        value: Any = result
        for key in name.split("."):
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            found[name] = None if value is None else float(value)
    return found


def compare(measured: Measurement, before: Mapping[str, list[float]], max_drop: float) -> list[dict[str, Any]]:
    """Returns one record a metric: `metric`, `value`, `reference`, `alarm`.

    Args:
        measured: The metrics now.
        before: Values of earlier runs on the same set, by metric.
        max_drop: A value further than this below the median of `before` is an alarm.
    """
    records = []
    for metric, value in measured.metrics.items():
        reference = median(before[metric]) if before.get(metric) else None
        falls = reference is not None and (value is None or value < reference - max_drop)
        alarm = falls and not metric.endswith(NO_ALARM)
        records.append({"metric": metric, "value": value, "reference": reference, "alarm": alarm})
    return records


def record(
    catalog: Catalog, measured: Measurement, *, max_drop: float, now: datetime, run_id: str
) -> list[dict[str, Any]]:
    """Appends a measurement to `ops_quality`; returns the records that raise an alarm.

    Args:
        catalog: Holds `ops_quality`.
        measured: One set.
        max_drop: See `compare`.
        now: When the run began.
        run_id: That run.
    """
    compared = compare(measured, _before(catalog, measured), max_drop)
    origin = (measured.dataset_sha256, measured.collection, measured.embedding_space)
    rows = [
        (run_id, now, measured.kind, found["metric"], found["value"], found["reference"], found["alarm"], *origin)
        for found in compared
    ]
    catalog.append(OPS_QUALITY, catalog.spark.createDataFrame(rows, OPS_QUALITY.schema))
    return [{"kind": measured.kind, **found} for found in compared if found["alarm"]]


def _before(catalog: Catalog, measured: Measurement) -> dict[str, list[float]]:
    """Returns the values of the latest runs on the same set, by metric."""
    same = (F.col("kind") == measured.kind) & (F.col("dataset_sha256") == measured.dataset_sha256)
    recorded = catalog.read(OPS_QUALITY).where(same)
    runs = recorded.groupBy("run_id").agg(F.max("measured_at").alias("at")).orderBy(F.desc("at")).limit(RUNS_COMPARED)
    values: dict[str, list[float]] = {}
    for row in recorded.join(runs.select("run_id"), "run_id").select("metric", "value").toLocalIterator():
        if row["value"] is not None:
            values.setdefault(row["metric"], []).append(row["value"])
    return values
