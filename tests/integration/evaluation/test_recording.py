from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from lakerag.answers.views import VIEWS, create_views
from lakerag.catalog import Catalog
from lakerag.evaluation.quality import Measurement, record


def measured(value: float, sha: str = "set") -> Measurement:
    return Measurement("qa", {"f1": value, "em": None}, sha, "docs_1", "space")


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _no_views_left(catalog: Catalog) -> Iterator[None]:
    yield
    for name in reversed(VIEWS):
        catalog.spark.sql(f"DROP VIEW IF EXISTS {name}")


def test_quality_is_kept_over_time_and_a_fall_is_a_row_with_an_alarm(catalog: Catalog) -> None:
    assert record(catalog, measured(0.9), max_drop=0.05, now=at(1), run_id="r1") == []
    assert record(catalog, measured(0.1, "other set"), max_drop=0.05, now=at(2), run_id="r2") == []
    assert record(catalog, measured(0.8), max_drop=0.05, now=at(3), run_id="r3") == [
        {"kind": "qa", "metric": "f1", "value": 0.8, "reference": 0.9, "alarm": True}
    ]
    create_views(catalog)
    rows = catalog.spark.sql(
        "SELECT run_id, metric, value, reference, alarm FROM retrieval_quality "
        "WHERE dataset_sha256 = 'set' ORDER BY run_id, metric"
    )
    assert [tuple(row) for row in rows.collect()] == [
        ("r1", "em", None, None, False),
        ("r1", "f1", 0.9, None, False),
        ("r3", "em", None, None, False),
        ("r3", "f1", 0.8, 0.9, True),
    ]
    fresh = catalog.spark.sql("SELECT stage, changed_at IS NULL AS never FROM freshness ORDER BY 1").collect()
    assert [tuple(row) for row in fresh] == [
        ("answers", True),
        ("bronze", True),
        ("evaluation", False),
        ("gold", True),
        ("index", True),
        ("silver", True),
    ]
