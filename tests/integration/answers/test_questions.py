from datetime import datetime, timezone
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from lakerag.answers.questions import ASKED, add_questions, asked_in_file, asked_in_table
from lakerag.catalog import Catalog
from lakerag.errors import SchemaError, SourceError
from lakerag.tables import QUESTIONS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
LATER = datetime(2026, 2, 2, 3, 4, 5, tzinfo=timezone.utc)


def test_questions_are_added_once_with_their_rights(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(
        '{"question": "a?", "groups": ["y", "x", "y"], "tenant": "t", "top_k": 3, "filter": "f"}\n'
        '{"question": "a?", "groups": ["x", "y"], "tenant": "t", "filter": "f"}\n'
        '{"question": "b?", "question_id": "mine"}\n'
    )
    asked = asked_in_file(catalog.spark, path)
    assert add_questions(catalog, asked, now=NOW) == 2
    version = catalog.version(QUESTIONS)
    assert add_questions(catalog, asked, now=LATER) == 0
    assert catalog.version(QUESTIONS) == version
    found = catalog.read(QUESTIONS).select("question", "tenant", "acl_groups", "filter", "asked_at")
    wanted = catalog.spark.createDataFrame(
        [("a?", "t", ["x", "y"], "f", NOW), ("b?", "", [], "", NOW)],
        "question STRING, tenant STRING, acl_groups ARRAY<STRING>, filter STRING, asked_at TIMESTAMP",
    )
    assert_df_equality(found, wanted, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True)
    ids = {row["question"]: row["question_id"] for row in catalog.read(QUESTIONS).toLocalIterator()}
    assert ids["b?"] == "mine"
    assert len(ids["a?"]) == 64


def test_same_words_with_other_rights_are_another_question(catalog: Catalog) -> None:
    rows = [("a?", None, tenant, groups, None, None) for tenant, groups in ((None, None), ("t", None), (None, ["g"]))]
    asked = catalog.spark.createDataFrame(rows, ", ".join(f"{name} {kind}" for name, kind in ASKED.items()))
    assert add_questions(catalog, asked, now=NOW) == 3


def test_questions_come_out_of_a_table(catalog: Catalog) -> None:
    view = catalog.spark.createDataFrame(
        [("a?", ["g"], 1), (" ", ["g"], 2)], "question STRING, acl_groups ARRAY<STRING>, x INT"
    )
    view.createOrReplaceTempView("asked_here")
    assert add_questions(catalog, asked_in_table(catalog.spark, "asked_here"), now=NOW) == 1
    assert catalog.read(QUESTIONS).select("question", "acl_groups").first() == ("a?", ["g"])


def test_table_that_is_no_table_of_questions_is_refused(catalog: Catalog) -> None:
    with pytest.raises(SourceError, match="neither a file nor a table 'nowhere'"):
        asked_in_table(catalog.spark, "nowhere")
    catalog.spark.range(1).select(F.col("id").alias("frage")).createOrReplaceTempView("fragen")
    with pytest.raises(SchemaError, match="Expected a column question in fragen, found frage"):
        asked_in_table(catalog.spark, "fragen")
