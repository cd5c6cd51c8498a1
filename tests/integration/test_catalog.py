from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.sql import functions as F

from lakerag.catalog import Catalog
from lakerag.config import Lakehouse
from lakerag.errors import SchemaError, TransientError
from lakerag.tables import ALL_TABLES, BRONZE_FILES, GOLD_CHUNKS, QUESTIONS


def test_tables_stand_as_their_contracts_say(catalog):
    for table in ALL_TABLES:
        detail = catalog.spark.sql(f"DESCRIBE DETAIL {catalog.ref(table)}").first()
        found = catalog.read(table).schema
        assert found.names == table.names
        assert {field.name: field.metadata["comment"] for field in found} == {c.name: c.comment for c in table.columns}
        assert {field.name for field in found if not field.nullable} == {c.name for c in table.columns if c.required}
        assert tuple(detail["clusteringColumns"]) == table.cluster_by
        assert {
            name.removeprefix("delta.constraints.") for name in detail["properties"] if "constraints" in name
        } == set(table.constraints)
    feed = catalog.spark.sql(f"DESCRIBE DETAIL {catalog.ref(GOLD_CHUNKS)}").first()["properties"]
    assert feed["delta.enableChangeDataFeed"] == "true"


def test_rows_that_break_a_constraint_are_refused_and_nothing_is_written(catalog):
    row = ("q", "  ", "", [], 5, "", None)
    rows = catalog.spark.createDataFrame([row], QUESTIONS.schema).withColumn("asked_at", F.current_timestamp())
    with pytest.raises(SchemaError, match="questions to hold to has_question"):
        catalog.append(QUESTIONS, rows)
    with pytest.raises(SchemaError, match="has_question"):
        catalog.merge(QUESTIONS, rows.withColumn("deleted", F.lit(False)), guard="true")
    assert catalog.version(QUESTIONS) == 0


def test_of_commits_that_meet_one_is_made_and_the_others_may_try_again(catalog):
    def ask(words):
        row = ("q", words, "", [], 5, "", None)
        rows = catalog.spark.createDataFrame([row], QUESTIONS.schema).withColumn("asked_at", F.current_timestamp())
        try:
            return catalog.merge(QUESTIONS, rows.withColumn("deleted", F.lit(False)), guard="true")["updated"]
        except TransientError as error:
            return str(error)

    ask("first")
    with ThreadPoolExecutor(4) as asking:
        for _ in range(10):
            done = list(asking.map(ask, ["who?", "what?", "where?", "when?"]))
            if set(done) != {1}:
                break
    assert 1 in done
    refused = "Another process changed questions at the same time, and nothing of this commit was written."
    assert {said for said in done if said != 1} == {f"{refused} Run again; the next run goes on from here."}
    assert catalog.read(QUESTIONS).count() == 1


def test_breaches_of_soft_expectations_are_counted(catalog):
    row = ("docs", "a.md", "", "added", "r", 0, 0, "text/plain", None)
    columns = [c for c in BRONZE_FILES.names if c != "arrived_at"]
    types = ", ".join(f"{c.name} {c.type}" for c in BRONZE_FILES.columns if c.name in columns)
    rows = catalog.spark.createDataFrame([row, row, (*row[:2], "sha", *row[3:])], types)
    catalog.append(BRONZE_FILES, rows.withColumn("arrived_at", F.current_timestamp()))
    assert catalog.breaches(BRONZE_FILES) == {"expect.readable": 2, "expect.unique_key": 1}


def test_a_later_session_finds_the_tables_and_creates_no_version(catalog):
    for table in (BRONZE_FILES, QUESTIONS):
        catalog.spark.sql(f"DROP TABLE {catalog.ref(table)}")  # forgets the table; the files stay
    Catalog(catalog.spark, catalog.place).ensure()
    assert [catalog.version(table) for table in (BRONZE_FILES, QUESTIONS)] == [0, 0]


def test_appending_no_rows_counts_none(catalog):
    rows = catalog.spark.createDataFrame([("q", "why?", "", [], 5, "")], QUESTIONS.schema.rsplit(",", 1)[0])
    assert catalog.append(QUESTIONS, rows.withColumn("asked_at", F.current_timestamp())) == 1
    assert catalog.append(QUESTIONS, catalog.read(QUESTIONS).where("false")) == 0


@pytest.mark.parametrize("wanted", [True, False])
def test_edited_tables_have_deletion_vectors_where_they_are_wanted(spark, tmp_path, wanted):
    place = Catalog(spark, Lakehouse(root=str(tmp_path), deletion_vectors=wanted))
    tables = (GOLD_CHUNKS, BRONZE_FILES)
    place.ensure(tables)
    properties = [spark.sql(f"DESCRIBE DETAIL {place.ref(table)}").first()["properties"] for table in tables]
    for table in tables:
        spark.sql(f"DROP TABLE {place.ref(table)}")
    assert ["delta.enableDeletionVectors" in found for found in properties] == [wanted, False]
