"""Random histories of gold against a model: after every completed sync the store holds what the model says.

`LAKERAG_HISTORIES=200` tries more of them.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.stores import Collection, StoreAddress
from lakerag.sync import apply
from lakerag.tables import GOLD_CHUNKS
from tests.fakes.strict_store import StrictStore
from tests.integration.sync.gold import SPACE, Reader, append, chunk, live

HISTORIES = int(os.environ.get("LAKERAG_HISTORIES", "5"))
TARGET = Collection("history_1", SPACE.name, SPACE.dimension)

keys = st.sampled_from("abcdef")
texts = st.sampled_from(["one", "two", "three"])
steps = st.one_of(
    st.tuples(st.just("insert"), st.dictionaries(keys, texts, min_size=1)),
    st.tuples(st.just("update"), keys, texts),
    st.tuples(st.just("change key"), keys, keys),
    st.tuples(st.just("delete"), st.sets(keys, min_size=1)),
    st.tuples(st.just("restore"), st.integers(0, 4)),
    st.tuples(st.just("rewrite"), texts),
    st.sampled_from([("overwrite",), ("optimise",), ("add column",), ("sync",), ("sync",)]),
    st.tuples(st.just("crash"), st.integers(0, 5)),
)


class History:
    """One table, what it has to hold by version, and a strict store that follows it."""

    def __init__(self, spark, empty, folder, monkeypatch, max_files):
        shutil.copytree(empty / GOLD_CHUNKS.name, folder / GOLD_CHUNKS.name)
        self.gold = Catalog(spark, config.Lakehouse(root=str(folder)))
        self.name = self.gold.ref(GOLD_CHUNKS)
        self.sql(f"CREATE TABLE {self.name} USING delta LOCATION '{folder}/{GOLD_CHUNKS.name}'")
        self.model = {}
        self.versions = {self.gold.version(GOLD_CHUNKS): {}}
        self.store = StrictStore()
        self.store.create(TARGET)
        self.synced = {}
        self.added = False
        self.reader = Reader(self.gold, str(folder / "checkpoint"), max_files=max_files)
        self.reader.apply = self.apply
        monkeypatch.setattr(apply, "connect", lambda address: self.store)

    def sql(self, statement):
        self.gold.spark.sql(statement)

    def apply(self, changes):
        """Writes as the workers do, to a store of this process."""
        written = apply._upsert_frames(iter([changes.toPandas()]), StoreAddress("nowhere"), TARGET)
        list(apply._delete_frames(iter(list(written)), StoreAddress("nowhere"), TARGET))

    def held(self):
        return {
            row["chunk_id"]: row["text"] for rows in self.store.scan(TARGET.name, ["chunk_id", "text"]) for row in rows
        }

    def take(self, step):
        kind, *values = step
        getattr(self, kind.replace(" ", "_"))(*values)
        self.versions.setdefault(self.gold.version(GOLD_CHUNKS), dict(self.model))
        assert live(self.gold) == self.model, "the model itself"

    def insert(self, rows):
        new = {key: text for key, text in rows.items() if key not in self.model}
        if new:
            append(self.gold, *(chunk(key, text) for key, text in new.items()))
            self.model |= new

    def update(self, key, text):
        self.sql(f"UPDATE {self.name} SET text = '{text}', fingerprint = 'print of {text} ' WHERE chunk_id = '{key}'")
        if key in self.model:
            self.model[key] = text

    def change_key(self, key, new):
        if key in self.model and new not in self.model:
            self.sql(f"UPDATE {self.name} SET chunk_id = '{new}' WHERE chunk_id = '{key}'")
            self.model[new] = self.model.pop(key)

    def delete(self, gone):
        self.sql(f"DELETE FROM {self.name} WHERE chunk_id IN ({', '.join(repr(key) for key in sorted(gone))})")
        self.model = {key: text for key, text in self.model.items() if key not in gone}

    def restore(self, back):
        version = max(min(self.versions), max(self.versions) - back)
        if not self.added:  # a version before a column was added has another schema
            self.sql(f"RESTORE TABLE {self.name} TO VERSION AS OF {version}")
            self.model = dict(self.versions[version])

    def overwrite(self):
        self.gold.read(GOLD_CHUNKS).write.format("delta").mode("overwrite").saveAsTable(self.name)

    def rewrite(self, text):
        """Another content for every row, in a commit of whole files, which may come in several batches."""
        changed = self.gold.read(GOLD_CHUNKS).withColumns(
            {"text": F.lit(text), "fingerprint": F.lit(f"print of {text} ")}
        )
        changed.write.insertInto(self.name, overwrite=True)
        self.model = dict.fromkeys(self.model, text)

    def optimise(self):
        self.sql(f"OPTIMIZE {self.name}")

    def add_column(self):
        if not self.added:
            self.sql(f"ALTER TABLE {self.name} ADD COLUMN remark STRING")
            self.added = True

    def sync(self):
        lasting = self.synced.keys() & self.model.keys()
        self.store.writes.clear()
        self.reader.read()
        assert self.held() == self.model
        assert not [key for op, key in self.store.writes if op == "delete" and key in lasting], "a reader missed a row"
        self.synced = dict(self.model)

    def crash(self, rows):
        """Lets the store die half-way through its writes, so that the sync fails, and start again."""
        self.store.fail_after(rows)
        try:
            self.reader.read()
        except PySparkException as error:
            assert "half-way" in str(error)  # noqa: PT017 - some crashes hit nothing
        self.store.restart()


@pytest.fixture
def impatient(monkeypatch):
    """A worker that does not ask again: what fails, fails the sync."""
    monkeypatch.setattr(apply, "_ATTEMPTS", 1)
    return monkeypatch


def test_after_any_history_the_store_holds_what_gold_holds(spark, empty_warehouse, impatient):
    @settings(
        max_examples=HISTORIES,
        deadline=None,
        derandomize=HISTORIES <= 5,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(steps, min_size=4, max_size=9), st.sampled_from([1, 2, 64]))
    def check(history, max_files):
        with tempfile.TemporaryDirectory() as folder:
            told = History(spark, empty_warehouse, Path(folder), impatient, max_files)
            try:
                for step in [("insert", {"a": "one", "b": "two", "c": "three"}), *history, ("sync",)]:
                    told.take(step)
            finally:
                told.sql(f"DROP TABLE IF EXISTS {told.name}")

    check()
