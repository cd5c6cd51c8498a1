"""Questions to answers with the registered model: those without an answer, and those that are asked for again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag.answers.choosing import AGAIN, pending
from lakerag.answers.model import Model, answer
from lakerag.catalog import Catalog
from lakerag.config import Answers
from lakerag.errors import UsageError
from lakerag.tables import ANSWER_CITATIONS, ANSWERS

QUESTIONS_A_CALL = 32
"""Questions that the model answers at a time."""

_CITATION = pa.struct(
    [
        ("n", pa.int32()),
        *((name, pa.string()) for name in ("chunk_id", "doc_id", "path", "title", "heading", "excerpt")),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("score", pa.float64()),
        ("page", pa.int32()),
        ("alternates", pa.list_(pa.string())),
    ]
)
_ANSWERED = pa.schema(
    [
        *((name, pa.string()) for name in ("question_id", "question", "answer", "reason", "generator")),
        ("abstained", pa.bool_()),
        ("confidence", pa.float64()),
        ("prompt_tokens", pa.int32()),
        ("latency_ms", pa.float64()),
        ("citations", pa.list_(_CITATION)),
    ]
)
_ANSWERED_DDL = (
    "question_id STRING, question STRING, answer STRING, reason STRING, generator STRING, abstained BOOLEAN, "
    "confidence DOUBLE, prompt_tokens INT, latency_ms DOUBLE, citations ARRAY<STRUCT<n: INT, chunk_id: STRING, "
    "doc_id: STRING, path: STRING, title: STRING, heading: STRING, excerpt: STRING, start: INT, end: INT, "
    "score: DOUBLE, page: INT, alternates: ARRAY<STRING>>>"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What answering came to."""

    answered: int
    """Questions answered now, abstentions included."""
    abstained: int
    citations: int


def answer_new(
    catalog: Catalog,
    model: Model,
    settings: Answers,
    *,
    now: datetime,
    run_id: str,
    again: str = "none",
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Report:
    """Answers every question that has no answer, slice by slice, and others again where that is asked for.

    A slice's citations are committed before its answers, and only an answer marks a question as
    done. An answer that is about to be replaced goes before its citations do: it never stands over
    those of another. After a crash in between the slice is answered again and its citations are
    replaced, so nothing stays doubled or half there. One run at a time.

    Args:
        catalog: Holds `questions`, `answers` and `answer_citations`.
        model: Answers on the executors.
        settings: Questions of a slice, and tasks.
        now: When the run began.
        run_id: That run.
        again: Which answered questions to answer again, one of `choosing.AGAIN`.
        progress: Told how many are done, and out of how many.

    Raises:
        UsageError: `again` is none of them.
    """
    if again not in AGAIN:
        raise UsageError(f"Expected one of {', '.join(AGAIN)}, found {again!r}.", again=again)
    total = pending(catalog, again, model.label, run_id).count()
    done = abstained = citations = 0
    while done < total:
        progress(done, total)
        slice_ = (
            pending(catalog, again, model.label, run_id).orderBy("question_id").limit(settings.questions_per_commit)
        )
        answered = _answer(slice_, model, settings.partitions)
        if answered.num_rows == 0:
            break  # questions were deleted meanwhile
        rows = identify(catalog.spark.createDataFrame(answered), model.label, now=now, run_id=run_id)
        if again != "none":  # else none of the questions has an answer
            catalog.merge(ANSWERS, rows.select(*ANSWERS.names, F.lit(True).alias("deleted")), guard="false")
        _write_citations(catalog, rows)
        catalog.merge(ANSWERS, rows.select(*ANSWERS.names, F.lit(False).alias("deleted")), guard="true")
        done += answered.num_rows
        abstained += pc.sum(answered["abstained"]).as_py()
        citations += pc.sum(pc.list_value_length(answered["citations"])).as_py()
    progress(done, total)
    return Report(done, abstained, citations)


def identify(answered: DataFrame, model_version: str, *, now: datetime, run_id: str) -> DataFrame:
    """Returns the rows of `answers` with their `citations`; the id is the same whenever a version answers again."""
    return answered.select(
        F.sha2(F.concat_ws("\n", "question_id", F.lit(model_version)), 256).alias("answer_id"),
        *answered.columns,
        F.lit(model_version).alias("model_version"),
        F.lit(now).cast("timestamp").alias("answered_at"),
        F.lit(run_id).alias("run_id"),
        F.lit(False).alias("revoked"),
    )


def cite(rows: DataFrame) -> DataFrame:
    """Returns the rows of `answer_citations`, one an answer and number."""
    cited = rows.select("answer_id", F.inline("citations"))
    renamed = cited.withColumnsRenamed({"start": "start_char", "end": "end_char"})
    return renamed.select(*ANSWER_CITATIONS.names)


def _answer(questions: DataFrame, model: Model, partitions: int) -> pa.Table:
    """Returns the answers of one slice; its size is bounded by the settings, whatever the number of questions."""
    asked = questions.select("question_id", "question", "tenant", "acl_groups", "top_k", "filter")
    return asked.repartition(partitions).mapInArrow(partial(_answer_batches, model), _ANSWERED_DDL).toArrow()


def _answer_batches(model: Model, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for first in range(0, batch.num_rows, QUESTIONS_A_CALL):
            asked = batch.slice(first, QUESTIONS_A_CALL).to_pylist()
            documents = answer(model, [_request(question) for question in asked])
            rows = [_row(question, document, len(asked)) for question, document in zip(asked, documents, strict=True)]
            yield pa.RecordBatch.from_pylist(rows, schema=_ANSWERED)


def _request(question: dict[str, Any]) -> dict[str, Any]:
    request = {name: question[name] for name in ("question", "tenant", "top_k", "filter")}
    return {**request, "groups": question["acl_groups"]}


def _row(question: dict[str, Any], document: dict[str, Any], asked: int) -> dict[str, Any]:
    """Returns one answer; its latency is its share of the call that answered several."""
    own = {"question_id": question["question_id"], "question": question["question"]}
    return {**document, **own, "latency_ms": document["timings_ms"]["total"] / asked}


def _write_citations(catalog: Catalog, rows: DataFrame) -> None:
    """Replaces the citations of the answers in one commit."""
    cited = cite(rows)
    left = catalog.read(ANSWER_CITATIONS).join(rows.select("answer_id"), "answer_id", "left_semi")
    left_over = left.join(cited, list(ANSWER_CITATIONS.key), "left_anti").select(*ANSWER_CITATIONS.names)
    changes = cited.withColumn("deleted", F.lit(False)).unionByName(left_over.withColumn("deleted", F.lit(True)))
    catalog.merge(ANSWER_CITATIONS, changes, guard="true")
