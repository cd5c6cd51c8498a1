"""The SQL of the bundle's dashboard and alerts, on local tables."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from lakerag.stores import Collection
from lakerag.sync.apply import Applied
from lakerag.sync.journal import Step, record
from lakerag.tables import OPS_RUNS, SILVER_QUARANTINE
from tests.unit.bundles.bundle import BUNDLES, read

ALERTS = read(BUNDLES / "resources" / "alerts.yml")["resources"]["alerts"]
BOARD = json.loads((BUNDLES / "dashboards" / "lakerag.lvdash.json").read_text(encoding="utf-8"))


@pytest.fixture
def value(catalog):
    """What an alert looks at."""

    def of(name):
        text = ALERTS[name]["query_text"].replace("${var.catalog}.${var.schema}.", "spark_catalog.default.")
        [row] = catalog.spark.sql(text).collect()
        return row[ALERTS[name]["evaluation"]["source"]["name"]]

    return of


def gold_run(catalog, version, minutes_ago):
    started = datetime.now(timezone.utc) - timedelta(minutes=minutes_ago)
    row = (f"run {version}", "gold", started, 1.0, {"total": 1}, version)
    catalog.append(OPS_RUNS, catalog.spark.createDataFrame([row], OPS_RUNS.schema))


def test_alerts_are_silent_over_empty_tables_and_every_dataset_can_be_read(catalog, value):
    assert {name: value(name) for name in ALERTS} == dict.fromkeys(ALERTS, 0)
    for data in BOARD["datasets"]:
        catalog.spark.sql("".join(data["queryLines"])).collect()


def test_lag_counts_from_the_oldest_gold_that_the_index_lacks(catalog, value):
    gold_run(catalog, 1, minutes_ago=500)
    record(catalog, Step("run", Collection("docs", "words", 4), "id", "heal"), Applied(1, 0, 0, [], 1, 1))
    assert (value("lag"), value("healed")) == (0, 1)
    gold_run(catalog, 2, minutes_ago=90)
    gold_run(catalog, 3, minutes_ago=5)
    assert value("lag") == pytest.approx(90, abs=2)


def test_a_file_in_quarantine_and_no_document_is_a_rate_of_one(catalog, value):
    columns = {column.name: f"CAST('1' AS {column.type})" for column in SILVER_QUARANTINE.columns}
    columns |= dict.fromkeys(("arrived_at", "quarantined_at"), "current_timestamp()")
    row = catalog.spark.sql("SELECT " + ", ".join(f"{rule} AS {name}" for name, rule in columns.items()))
    catalog.append(SILVER_QUARANTINE, row)
    assert value("quarantine_rate") == 1
