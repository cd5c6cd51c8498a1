"""`ask(question)` and `search(query, k)` as SQL functions, under the rights of the session.

Rights are settings of the session: `SET spark.lakerag.tenant = acme`, `SET spark.lakerag.groups = hr,it`.
Without them the functions see what everybody may see. Spark hands a query's settings to its tasks when
their names begin with `spark`; where it does not, nothing is seen beyond the public.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import pandas as pd
from pyspark import TaskContext
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import pandas_udf

from lakerag.answers.model import refusal
from lakerag.errors import UsageError

TENANT = "spark.lakerag.tenant"
GROUPS = "spark.lakerag.groups"
"""Settings of the session; groups stand with commas between them."""

_PLACE = "chunk_id: STRING, doc_id: STRING, path: STRING, title: STRING, heading: STRING, "
_SPAN = "start: INT, end: INT, score: DOUBLE, page: INT, alternates: ARRAY<STRING>"

ANSWER = {
    "answer": "STRING",
    "abstained": "BOOLEAN",
    "reason": "STRING",
    "confidence": "DOUBLE",
    "citations": f"ARRAY<STRUCT<n: INT, {_PLACE}excerpt: STRING, {_SPAN}>>",
    "generator": "STRING",
    "model_version": "STRING",
}
"""Fields of the struct that `ask` returns: the document of `lakerag ask`."""

PASSAGES = f"ARRAY<STRUCT<{_PLACE}text: STRING, {_SPAN}>>"
"""What `search` returns, best first."""

QUESTIONS_A_CALL = 32
"""Questions that are answered at a time."""


T = TypeVar("T")


class Answerer(Protocol):
    """Answers and searches; records have `question`, `tenant`, `groups` and perhaps `top_k`."""

    def predict(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns one answer document a record."""

    def search(self, data: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Returns the passages of every record, best first."""


OpenAnswerer = Callable[[Mapping[str, Any]], Answerer]
"""Opens an answerer by plain values; a module's own function, so that workers find it by its name."""

_open: dict[tuple[int, str], Answerer] = {}
"""By process, since connections do not survive a fork."""


def register_functions(spark: SparkSession, open_answerer: OpenAnswerer, values: Mapping[str, Any]) -> None:
    """Makes `ask(question)` and `search(query[, k])` known to a session.

    Args:
        spark: The session.
        open_answerer: Called once a worker.
        values: What it is called with.
    """

    def ask(questions: pd.Series) -> pd.DataFrame:
        return answer_all(_answerer(open_answerer, values), questions, *_rights())

    def search(queries: pd.Series, *k: pd.Series) -> pd.Series:
        return search_all(_answerer(open_answerer, values), queries, k[0] if k else None, *_rights())

    answer = ", ".join(f"{name} {kind}" for name, kind in ANSWER.items())
    spark.udf.register("ask", pandas_udf(ask, answer))  # type: ignore[call-overload]
    spark.udf.register("search", pandas_udf(search, PASSAGES))  # type: ignore[call-overload]


def set_rights(spark: SparkSession, tenant: str = "", groups: Sequence[str] = ()) -> None:
    """Sets what the session's functions may see; by default what everybody may."""
    spark.conf.set(TENANT, tenant)
    spark.conf.set(GROUPS, ",".join(groups))


def answer_all(answerer: Answerer, questions: pd.Series, tenant: str, groups: list[str]) -> pd.DataFrame:
    """Returns the answer documents of a column of questions; null for null."""
    records = [_record(question, tenant, groups) for question in questions.dropna()]
    documents = iter(_in_calls(partial(_predict, answerer), records))
    rows = [{} if pd.isna(question) else next(documents) for question in questions]
    return pd.DataFrame([[row.get(name) for name in ANSWER] for row in rows], columns=list(ANSWER), dtype=object)


def search_all(
    answerer: Answerer, queries: pd.Series, k: pd.Series | None, tenant: str, groups: list[str]
) -> pd.Series:
    """Returns the passages of a column of queries, `k` of each or as many as the model does; null for null."""
    wanted = [None] * len(queries) if k is None else list(k)
    records = [
        _record(query, tenant, groups) | ({} if pd.isna(top_k) else {"top_k": int(top_k)})
        for query, top_k in zip(queries, wanted, strict=True)
        if not pd.isna(query)
    ]
    passages = iter(_in_calls(answerer.search, records))
    return pd.Series([None if pd.isna(query) else next(passages) for query in queries], dtype=object)


def _predict(answerer: Answerer, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the answers; a question that is refused must not keep the other rows from theirs."""
    try:
        return answerer.predict(records)
    except UsageError as error:
        if len(records) > 1:
            return [document for record in records for document in _predict(answerer, [record])]
        return [refusal(str(error))]


def _in_calls(call: Callable[[list[dict[str, Any]]], list[T]], records: list[dict[str, Any]]) -> list[T]:
    firsts = range(0, len(records), QUESTIONS_A_CALL)
    return [result for first in firsts for result in call(records[first : first + QUESTIONS_A_CALL])]


def _record(question: str, tenant: str, groups: list[str]) -> dict[str, Any]:
    return {"question": question, "tenant": tenant, "groups": groups}


def _rights() -> tuple[str, list[str]]:
    """Returns tenant and groups of the session whose query this task is part of."""
    task = TaskContext.get()
    given = (task.getLocalProperty(name) if task is not None else None for name in (TENANT, GROUPS))
    tenant, groups = (value or "" for value in given)
    return tenant, [group.strip() for group in groups.split(",") if group.strip()]


def _answerer(open_answerer: OpenAnswerer, values: Mapping[str, Any]) -> Answerer:
    key = (os.getpid(), json.dumps([open_answerer.__module__, open_answerer.__qualname__, values], sort_keys=True))
    if key not in _open:
        _open[key] = open_answerer(values)
    return _open[key]
