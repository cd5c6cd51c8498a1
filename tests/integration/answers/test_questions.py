from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag.answers.question_files import Asked
from lakerag.answers.questions import ASKED, add_questions, asked_in_file, asked_in_table
from lakerag.catalog import Catalog
from lakerag.errors import SchemaError, SourceError, UsageError
from lakerag.tables import QUESTIONS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
LATER = datetime(2026, 2, 2, 3, 4, 5, tzinfo=timezone.utc)


def test_questions_are_added_once_with_their_rights(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(
        '{"question": "a?", "groups": ["y", "x", "y"], "tenant": "t", "top_k": 3, "filter": "f"}\n'
        '{"question": "a?", "groups": ["x", "y"], "tenant": "t", "top_k": 3, "filter": "f"}\n'
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


def asked(catalog: Catalog, *rows: Asked) -> DataFrame:
    return catalog.spark.createDataFrame(list(rows), ", ".join(f"{name} {kind}" for name, kind in ASKED.items()))


def test_same_words_with_other_rights_or_passages_are_another_question(catalog: Catalog) -> None:
    rows = [Asked("a?"), Asked("a?", tenant="t"), Asked("a?", groups=["g"]), Asked("a?", top_k=3)]
    assert add_questions(catalog, asked(catalog, *rows), now=NOW) == 4
    plain = sha256(b'{"question":"a?","tenant":"","acl_groups":[],"filter":""}').hexdigest()
    found = catalog.read(QUESTIONS).where("tenant = '' AND size(acl_groups) = 0 AND top_k IS NULL").first()
    assert found["question_id"] == plain, "questions that stand in tables already keep their ids"


@pytest.mark.parametrize(
    "other",
    [
        Asked("b?", "q1", "t", ["hr"], 3, "f"),
        Asked("a?", "q1", "u", ["hr"], 3, "f"),
        Asked("a?", "q1", "t", None, 3, "f"),
        Asked("a?", "q1", "t", ["hr"], None, "f"),
        Asked("a?", "q1", "t", ["hr"], 3, None),
    ],
)
def test_id_that_stands_for_another_question_is_refused_and_nothing_is_added(catalog: Catalog, other: Asked) -> None:
    first, new = Asked("a?", "q1", "t", ["hr"], 3, "f"), Asked("new?", "q2")
    with pytest.raises(UsageError, match="rights, filter or top_k under q1"):
        add_questions(catalog, asked(catalog, first, other, new), now=NOW)
    assert catalog.read(QUESTIONS).count() == 0
    assert add_questions(catalog, asked(catalog, first, first), now=NOW) == 1
    with pytest.raises(UsageError, match="under q1") as refused:
        add_questions(catalog, asked(catalog, other, new), now=LATER)
    assert refused.value.details == {"question_ids": ["q1"]}
    assert [row["question_id"] for row in catalog.read(QUESTIONS).toLocalIterator()] == ["q1"]


def test_a_refusal_names_a_few_ids(catalog: Catalog) -> None:
    rows = [Asked(words, f"q{n}") for n in range(9) for words in ("a?", "b?")]
    with pytest.raises(UsageError, match=r"under q0, q1, q2, q3, q4, \.\.\.\. Nothing"):
        add_questions(catalog, asked(catalog, *rows), now=NOW)


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
