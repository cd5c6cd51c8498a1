"""Tables that an older version made."""

from dataclasses import replace

import pytest

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.errors import SchemaError
from lakerag.jobs.migrate import plan
from lakerag.tables import ALL_TABLES, ANSWER_CITATIONS, OPS_SYNC, Table

OLDER = """
CREATE TABLE {ref} (
  answer_id STRING NOT NULL COMMENT 'The answer', n INT NOT NULL, chunk_id STRING NOT NULL, doc_id STRING NOT NULL,
  path STRING NOT NULL, title STRING NOT NULL, heading STRING NOT NULL, excerpt STRING NOT NULL,
  start_char INT NOT NULL, end_char INT NOT NULL, score DOUBLE NOT NULL, our_own STRING)
USING delta CLUSTER BY (chunk_id) COMMENT 'Citations' LOCATION '{folder}'
TBLPROPERTIES ('delta.constraints.scored' = 'score >= 0')"""

ROW = ("a", 1, "c", "d", "guide.md", "Guide", "Install", "the words", 3, 12, 0.5)


@pytest.fixture
def lakehouse(spark, tmp_path):
    place = Catalog(spark, config.Lakehouse(root=str(tmp_path)))
    yield place
    for table in (ANSWER_CITATIONS, OPS_SYNC):
        spark.sql(f"DROP TABLE IF EXISTS {place.ref(table)}")


def older(lakehouse: Catalog, table: Table = ANSWER_CITATIONS, statement: str = OLDER) -> None:
    folder = f"{lakehouse.place.root}/{table.name}"
    lakehouse.spark.sql(statement.format(ref=lakehouse.ref(table), folder=folder))


def test_an_older_table_is_refused_then_brought_forward_with_its_rows_and_left_alone_after_that(lakehouse):
    older(lakehouse)
    ref = lakehouse.ref(ANSWER_CITATIONS)
    lakehouse.spark.sql(f"INSERT INTO {ref} VALUES {(*ROW, 'kept')}")
    with pytest.raises(SchemaError, match=r"answer_citations lacks page, alternates. `lakerag migrate`"):
        lakehouse.check((ANSWER_CITATIONS,))

    for statement in plan(lakehouse, (ANSWER_CITATIONS,)):
        lakehouse.spark.sql(statement)

    lakehouse.check((ANSWER_CITATIONS,))
    rows = lakehouse.read(ANSWER_CITATIONS)
    assert [tuple(row) for row in rows.select(*ANSWER_CITATIONS.names, "our_own").collect()] == [
        (*ROW, None, None, "kept")
    ]
    comments = {field.name: field.metadata.get("comment") for field in rows.schema if field.name != "our_own"}
    assert comments == {column.name: column.comment for column in ANSWER_CITATIONS.columns}
    detail = lakehouse.spark.sql(f"DESCRIBE DETAIL {ref}").first()
    assert detail["description"] == ANSWER_CITATIONS.comment
    assert tuple(detail["clusteringColumns"]) == ANSWER_CITATIONS.cluster_by
    assert detail["properties"]["lakerag.contract"] == str(ANSWER_CITATIONS.version)
    assert "delta.constraints.scored" not in detail["properties"]
    assert plan(lakehouse, (ANSWER_CITATIONS,)) == []


def test_what_cannot_be_brought_forward_is_named_all_at_once_and_no_table_is_touched(lakehouse):
    older(lakehouse)
    older(
        lakehouse,
        OPS_SYNC,
        "CREATE TABLE {ref} (run_id INT, batch_id BIGINT, writer STRING NOT NULL) USING delta "
        "LOCATION '{folder}' TBLPROPERTIES ('lakerag.contract' = '99')",
    )
    with pytest.raises(SchemaError) as refused:
        plan(lakehouse, (ANSWER_CITATIONS, OPS_SYNC))
    message = str(refused.value)
    assert "ops_sync is of layout 99, newer than 1" in message
    assert "ops_sync holds run_id as int, not string" in message
    assert "ops_sync lacks collection, which no row may be without" in message
    assert "ops_sync wants writer in every row" in message
    assert lakehouse.version(ANSWER_CITATIONS) == 0


def test_a_new_constraint_comes_to_an_older_table_whose_rows_hold_to_it_and_no_other(lakehouse):
    older(lakehouse)
    ref = lakehouse.ref(ANSWER_CITATIONS)
    lakehouse.spark.sql(f"INSERT INTO {ref} VALUES {(*ROW, 'kept')}, {('b', 0, *ROW[2:], 'counted from 0')}")
    wanted = replace(ANSWER_CITATIONS, constraints={"numbered": "n > 0", "paged": "page IS NULL OR page >= 0"})
    strict = replace(wanted, constraints={**wanted.constraints, "paged": "page >= 0"})  # a column still to come
    version = lakehouse.version(wanted)
    with pytest.raises(SchemaError, match=r"answer_citations has 1 rows that do not hold to numbered \(n > 0\)"):
        plan(lakehouse, (wanted,))
    with pytest.raises(SchemaError, match=r"has 2 rows that do not hold to paged \(page >= 0\)"):
        plan(lakehouse, (strict,))
    assert lakehouse.version(wanted) == version

    lakehouse.spark.sql(f"DELETE FROM {ref} WHERE n = 0")
    for statement in plan(lakehouse, (wanted,)):
        lakehouse.spark.sql(statement)
    assert plan(lakehouse, (wanted,)) == []
    one_more = lakehouse.spark.createDataFrame([("b", 0, *ROW[2:], 0, [])], wanted.schema)
    with pytest.raises(SchemaError, match="numbered"):
        lakehouse.append(wanted, one_more)
    assert [row["n"] for row in lakehouse.read(wanted).collect()] == [1]


def test_tables_of_this_version_need_nothing(catalog):
    assert plan(catalog, ALL_TABLES) == []
