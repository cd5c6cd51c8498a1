"""Which questions a run answers, and which answers no longer stand."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakerag.catalog import Catalog
from lakerag.records import PUBLIC_GROUP
from lakerag.tables import ANSWER_CITATIONS, ANSWERS, GOLD_CHUNKS, QUESTIONS, SILVER_DOCUMENTS

AGAIN = ("none", "stale", "all")
"""What may be answered again: nothing; answers by another model version, revoked ones and those that cite a chunk
that is gone; everything."""


def pending(catalog: Catalog, again: str, model_version: str, run_id: str) -> DataFrame:
    """Returns the questions that a run has yet to answer.

    Args:
        catalog: Holds questions and answers.
        again: One of `AGAIN`.
        model_version: That of the run.
        run_id: What this run has answered is done, whatever else holds.
    """
    questions, answers = catalog.read(QUESTIONS), catalog.read(ANSWERS)
    if again == "none":
        return questions.join(answers.select("question_id"), "question_id", "left_anti")
    done = answers.where(F.col("run_id") == run_id)
    if again == "stale":
        fresh = latest(answers).transform(
            keep_fresh, catalog.read(ANSWER_CITATIONS), catalog.read(GOLD_CHUNKS), model_version=model_version
        )
        done = done.select("question_id").unionByName(fresh.select("question_id"))
    return questions.join(done.select("question_id"), "question_id", "left_anti")


def latest(answers: DataFrame) -> DataFrame:
    """Returns the latest answer to every question."""
    order = Window.partitionBy("question_id").orderBy(F.desc("answered_at"), "answer_id")
    return answers.withColumn("place", F.row_number().over(order)).where("place = 1").drop("place")


def keep_fresh(answers: DataFrame, citations: DataFrame, chunks: DataFrame, *, model_version: str) -> DataFrame:
    """Returns the answers by a model version that still stand and cite nothing but live chunks."""
    gone = citations.join(chunks.select("chunk_id"), "chunk_id", "left_anti")
    standing = answers.where((F.col("model_version") == model_version) & ~F.coalesce("revoked", F.lit(False)))
    return standing.join(gone.select("answer_id"), "answer_id", "left_anti")


def revoke(catalog: Catalog) -> int:
    """Flags the answers that cite a document which is gone or hidden from the asker; returns how many, once each.

    The flag stays when the document comes back: only a new answer says that it was read again.
    """
    revoked = find_revoked(
        catalog.read(ANSWERS), catalog.read(ANSWER_CITATIONS), catalog.read(QUESTIONS), catalog.read(SILVER_DOCUMENTS)
    )
    rows = revoked.select(*ANSWERS.names, F.lit(False).alias("deleted"))
    return 0 if rows.isEmpty() else catalog.merge(ANSWERS, rows, guard="true")["updated"]


def find_revoked(answers: DataFrame, citations: DataFrame, questions: DataFrame, documents: DataFrame) -> DataFrame:
    """Returns the answers to be flagged, flagged.

    Args:
        answers: Rows of `answers`; the flagged ones among them are left out.
        citations: Rows of `answer_citations`.
        questions: Rows of `questions`: the rights of the askers. An answer to a question that is not there is kept.
        documents: Rows of `silver_documents`.
    """
    standing = answers.where(~F.coalesce("revoked", F.lit(False)))
    # First, since it leaves few rows: what everybody may see is hidden from no asker.
    public = documents.where((F.col("tenant") == "") & F.array_contains("acl_groups", PUBLIC_GROUP))
    doubtful = citations.join(public, "doc_id", "left_anti")
    rights = questions.select("question_id", F.col("tenant").alias("asker"), F.col("acl_groups").alias("asked_by"))
    held = documents.select("doc_id", "tenant", "acl_groups", F.lit(True).alias("there"))
    cited = doubtful.select("answer_id", "doc_id").join(standing.select("answer_id", "question_id"), "answer_id")
    placed = cited.join(rights, "question_id", "left").join(held, "doc_id", "left")
    groups = F.array_union("asked_by", F.array(F.lit(PUBLIC_GROUP)))
    hidden = ~(F.col("tenant").isin("") | (F.col("tenant") == F.col("asker"))) | ~F.arrays_overlap("acl_groups", groups)
    lost = placed.where(F.col("there").isNull() | F.coalesce(hidden, F.lit(False)))
    return standing.join(lost.select("answer_id"), "answer_id", "left_semi").withColumn("revoked", F.lit(True))
