"""Compaction and removal of old files beside a sync that is behind."""

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from rich.console import Console

from lakerag import config
from lakerag.jobs.job import Job
from lakerag.jobs.maintain import LEAST_HOURS, hours_to_keep, maintain, maintain_staged
from lakerag.stores import Collection
from lakerag.sync.apply import Applied
from lakerag.sync.journal import Step, record
from lakerag.sync.lease import Lease
from lakerag.sync.rebuild import lease_name
from lakerag.tables import GOLD_CHUNKS, GOLD_STAGED
from tests.integration.sync.gold import append, chunk, edit, rows

NOW = datetime(2026, 5, 20, 12, tzinfo=timezone.utc)
DOCS = Collection("docs", "words", 4)


class OneCollection:
    """A store whose alias points at `docs`."""

    def resolve(self, alias):
        return DOCS


@pytest.fixture
def job(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(Job, "store", OneCollection())
    job = Job(config.load("local", tmp_path, environ={}), Console(quiet=True))
    job.__dict__["catalog"] = catalog
    return job


@pytest.fixture
def staged(catalog):
    """The folder of the staged chunks after two chunks were put there."""
    catalog.ensure((GOLD_STAGED,))
    for key in ("a", "b"):
        catalog.append(GOLD_STAGED, rows(catalog, chunk(key, key)).coalesce(1))
    yield Path(catalog.place.root, GOLD_STAGED.name)
    catalog.spark.sql(f"DROP TABLE {catalog.ref(GOLD_STAGED)}")


def age(catalog, days: int, table=GOLD_CHUNKS) -> Path:
    """Lets everything that stands in a table be older."""
    folder = Path(catalog.place.root, table.name)
    for file in folder.rglob("*"):
        os.utime(file, (time.time() - days * 86_400,) * 2)
    catalog.spark.sql("CLEAR CACHE")
    return folder


def synced(catalog, version: int) -> None:
    step = Step("run", DOCS, catalog.table_id(GOLD_CHUNKS), "stream")
    record(catalog, step, Applied(2, 0, 0, [], version, version))


def test_changes_that_the_sync_has_not_read_are_kept_until_it_has(catalog, job, few_tasks):
    append(catalog, chunk("a", "one"))
    append(catalog, chunk("b", "two"))
    synced(catalog, 2)
    edit(catalog, "a", "uno")
    folder = age(catalog, days=30)

    done = maintain(job, (GOLD_CHUNKS,), LEAST_HOURS)[GOLD_CHUNKS.name]
    assert (done["files_compacted"], done["files_written"]) == (2, 1)
    assert 30 * 24 < done["kept_hours"] <= 32 * 24
    assert list(folder.glob("_change_data/*.parquet"))
    changes = catalog.changes(GOLD_CHUNKS, 3).where("_change_type = 'update_postimage'")
    assert [row["text"] for row in changes.collect()] == ["uno"]

    synced(catalog, catalog.version(GOLD_CHUNKS))
    assert maintain(job, (GOLD_CHUNKS,), LEAST_HOURS)[GOLD_CHUNKS.name]["kept_hours"] == LEAST_HOURS
    assert not list(folder.glob("_change_data/*.parquet"))
    assert {row["text"] for row in catalog.read(GOLD_CHUNKS).collect()} == {"uno", "two"}


def test_staged_chunks_are_compacted_and_files_of_a_killed_rebuild_go(catalog, job, staged, few_tasks):
    orphan = staged / "part-of-a-killed-rebuild.parquet"
    orphan.touch()
    age(catalog, 30, GOLD_STAGED)
    assert maintain_staged(job, LEAST_HOURS) == {
        GOLD_STAGED.name: {"files_compacted": 2, "files_written": 1, "kept_hours": LEAST_HOURS}
    }
    assert not orphan.exists()
    assert {row["text"] for row in catalog.read(GOLD_STAGED).collect()} == {"a", "b"}


def test_the_staged_chunks_of_a_rebuild_under_way_are_left_alone(catalog, job, staged):
    version = catalog.version(GOLD_STAGED)
    with Lease(catalog, lease_name(job.settings.store.alias), "a rebuild", 60):
        assert maintain_staged(job, LEAST_HOURS) == {}
    assert catalog.version(GOLD_STAGED) == version


@pytest.mark.parametrize(
    ("waiting", "hours"),
    [(None, 168), (timedelta(hours=1), 168), (timedelta(days=10), 264), (timedelta(days=10, minutes=1), 265)],
)
def test_files_are_kept_a_day_longer_than_the_oldest_unread_change(waiting, hours):
    assert hours_to_keep(NOW, None if waiting is None else NOW - waiting, LEAST_HOURS) == hours
