"""Questions to be answered: added once each, with the rights of their askers."""

from datetime import datetime
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakerag.answers.question_files import read_questions
from lakerag.catalog import Catalog
from lakerag.errors import SchemaError, SourceError, UsageError
from lakerag.tables import QUESTIONS

ASKED = {
    "question": "string",
    "question_id": "string",
    "tenant": "string",
    "groups": "array<string>",
    "top_k": "int",
    "filter": "string",
}
"""Columns of asked questions and their types; null where the asker said nothing."""

_SAID = ("question", "tenant", "acl_groups", "filter", "top_k")
"""Columns of `questions` that make a question what it is."""
_NAMED_IDS = 5
"""Ids that a message names at most."""


def add_questions(catalog: Catalog, asked: DataFrame, *, now: datetime) -> int:
    """Adds the questions that are not there yet, in one commit or none; returns how many.

    Args:
        catalog: Holds `questions`.
        asked: The columns of `ASKED`.
        now: When the run began.

    Raises:
        UsageError: An id stands for two questions, among those asked or with what is there; nothing was added.
    """
    rows, known = asked.transform(identify, now=now), catalog.read(QUESTIONS)
    _check_ids(rows, known)
    new = rows.join(known, "question_id", "left_anti")
    if new.isEmpty():
        return 0
    return catalog.merge(QUESTIONS, new.withColumn("deleted", F.lit(False)), guard="false")["inserted"]


def identify(asked: DataFrame, *, now: datetime) -> DataFrame:
    """Returns the rows of `questions`, each once; empty questions are left out.

    The id is the caller's, else the hash of question, rights, filter and, where one is given, `top_k`:
    the same question asked again by somebody with the same rights is one question.
    """
    filled = asked.where(F.length(F.trim("question")) > 0).select(
        "question",
        F.nullif("question_id", F.lit("")).alias("given_id"),
        F.coalesce("tenant", F.lit("")).alias("tenant"),
        F.array_sort(F.array_distinct(F.coalesce("groups", F.array().cast("array<string>")))).alias("acl_groups"),
        "top_k",
        F.coalesce("filter", F.lit("")).alias("filter"),
        F.lit(now).cast("timestamp").alias("asked_at"),
    )
    asking = F.sha2(F.to_json(F.struct(*_SAID), {"ignoreNullFields": "true"}), 256)
    return filled.withColumn("question_id", F.coalesce("given_id", asking)).select(*QUESTIONS.names).distinct()


def find_ambiguous(asked: DataFrame, known: DataFrame) -> DataFrame:
    """Returns each `question_id` of the asked questions that stands for more than one; both are rows of `questions`."""
    met = known.join(asked, "question_id", "left_semi")
    questions = asked.unionByName(met).select("question_id", *_SAID).distinct()
    return questions.groupBy("question_id").count().where("count > 1").select("question_id")


def _check_ids(asked: DataFrame, known: DataFrame) -> None:
    rows = find_ambiguous(asked, known).orderBy("question_id").limit(_NAMED_IDS + 1).collect()
    ids = [row["question_id"] for row in rows]
    if ids:
        named = ", ".join(ids[:_NAMED_IDS]) + (", ..." if len(ids) > _NAMED_IDS else "")
        raise UsageError(
            "Expected each question_id to stand for one question, found other words, rights, filter or top_k under "
            f"{named}. Nothing was added: a question that changed is another one, give it an id of its own.",
            question_ids=ids,
        )


def asked_in_file(spark: SparkSession, path: Path) -> DataFrame:
    """Returns the questions of a file in the columns of `ASKED`; the errors are those of `read_questions`."""
    return spark.createDataFrame(
        [tuple(asked) for asked in read_questions(path)], ", ".join(f"{name} {kind}" for name, kind in ASKED.items())
    )


def asked_in_table(spark: SparkSession, name: str) -> DataFrame:
    """Returns the questions of a table or view in the columns of `ASKED`.

    Raises:
        SourceError: There is no such table.
        SchemaError: It has no column `question`.
    """
    try:
        rows = spark.table(name)
        columns = set(rows.columns)
    except AnalysisException as error:
        raise SourceError(f"There is neither a file nor a table {name!r} of questions.", name=name) from error
    if "question" not in columns:
        raise SchemaError(f"Expected a column question in {name}, found {', '.join(sorted(columns))}.", name=name)
    if "groups" not in columns and "acl_groups" in columns:
        rows = rows.withColumnRenamed("acl_groups", "groups")
    there = set(rows.columns)
    return rows.select(
        *((F.col(name) if name in there else F.lit(None)).cast(kind).alias(name) for name, kind in ASKED.items())
    )
