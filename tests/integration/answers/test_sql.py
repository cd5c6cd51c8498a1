from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from lakerag.answers.sql import register_functions, set_rights
from tests.fakes.answerer import RightsAnswerer


@pytest.fixture
def session(spark: SparkSession) -> Iterator[SparkSession]:
    set_rights(spark)
    register_functions(spark, RightsAnswerer.open, {"label": "m/1"})
    yield spark
    for name in ("ask", "search"):
        spark.sql(f"DROP TEMPORARY FUNCTION {name}")
    set_rights(spark)


def test_ask_is_a_struct_in_any_select(session: SparkSession) -> None:
    rows = session.sql(
        "SELECT a.answer, a.confidence, a.citations[0].path AS path, a.model_version "
        "FROM (SELECT ask(concat('q', id)) AS a FROM range(2)) ORDER BY 1"
    ).collect()
    assert [tuple(row) for row in rows] == [("q0 :", 0.75, "p1", "m/1"), ("q1 :", 0.75, "p1", "m/1")]


def test_ask_of_null_is_null(session: SparkSession) -> None:
    row = session.sql("SELECT ask(NULL).answer AS answer, ask(NULL).abstained AS abstained").first()
    assert row is not None
    assert tuple(row) == (None, None)


def test_search_explodes_into_rows_and_k_may_be_left_out(session: SparkSession) -> None:
    rows = session.sql("SELECT p.path, p.text, p.end FROM (SELECT explode(search('hello', 2)) AS p)").collect()
    assert [tuple(row) for row in rows] == [("p0", "hello ", 5), ("p1", "hello ", 6)]
    assert session.sql("SELECT size(search('hello')) AS n").first() == (1,)


def test_rights_follow_the_settings_of_the_session(session: SparkSession) -> None:
    def answer() -> str:
        row = session.sql("SELECT ask('q').answer AS answer").first()
        assert row is not None
        return str(row["answer"])

    assert answer() == "q :"
    set_rights(session, "acme", ["hr", "it"])
    assert answer() == "q acme:hr+it"
    session.sql("SET spark.lakerag.groups = board")
    assert answer() == "q acme:board"
    set_rights(session)
    assert answer() == "q :"
