"""How far the index is behind gold."""

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from rich.console import Console

from lakerag import config
from lakerag.jobs.job import Job
from lakerag.jobs.status import lag
from lakerag.stores import Collection
from lakerag.sync.apply import NOTHING, Applied
from lakerag.sync.journal import Step, record
from lakerag.tables import GOLD_CHUNKS
from tests.integration.sync.gold import append, chunk, edit


@pytest.fixture
def far_east(monkeypatch):
    """A machine that is not on UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_lag_is_told_in_versions_rows_and_seconds_whatever_the_time_zone(catalog, tmp_path, far_east):
    job = Job(config.load("local", tmp_path, environ={}), Console(quiet=True))
    job.__dict__["catalog"] = catalog

    def behind(collection):
        return lag(job, collection, {"rows": 3, **catalog.last_change(GOLD_CHUNKS)})

    append(catalog, chunk("a", "one"), chunk("b", "two"), chunk("c", "three"))
    assert behind(None) == {"versions": 1, "rows": 3, "seconds": None}
    step = Step("run", Collection("docs", "words", 4), catalog.table_id(GOLD_CHUNKS), "stream")
    record(catalog, step, Applied(3, 0, 0, [], 1, 1))
    assert behind("docs") == {"versions": 0, "rows": 0, "seconds": 0.0}

    before = datetime.now(timezone.utc)
    edit(catalog, "a", "uno")
    edit(catalog, "a", "ein")
    edit(catalog, "b", "zwei")
    job.now = before + timedelta(hours=1)
    found = behind("docs")
    assert (found["versions"], found["rows"]) == (3, 2)
    assert 3500 < found["seconds"] <= 3600


def test_a_lost_position_counts_as_all_of_gold_since_a_time_unknown(catalog, tmp_path):
    job = Job(config.load("local", tmp_path, environ={}), Console(quiet=True))
    job.__dict__["catalog"] = catalog
    everything = {"rows": 2, "seconds": None}

    def behind():
        return lag(job, "docs", {"rows": 2, **catalog.last_change(GOLD_CHUNKS)})

    append(catalog, chunk("a", "one"), chunk("b", "two"))
    step = Step("run", Collection("docs", "words", 4), catalog.table_id(GOLD_CHUNKS), "stream")
    record(catalog, step, Applied(3, 0, 0, [], 1, 1))
    for on in ("false", "true"):
        catalog.spark.sql(
            f"ALTER TABLE {catalog.ref(GOLD_CHUNKS)} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = '{on}')"
        )
    assert behind() == {"versions": 2, **everything}
    record(catalog, replace(step, kind="heal"), Applied(3, 0, 0, [], 3, 3))
    assert behind() == {"versions": 0, "rows": 0, "seconds": 0.0}
    record(catalog, replace(step, kind="overlap"), NOTHING)
    assert behind() == {"versions": 3, **everything}
    record(catalog, replace(step, kind="heal", table_id="of a table that was recreated"), Applied(3, 0, 0, [], 9, 9))
    assert behind() == {"versions": 3, **everything}
