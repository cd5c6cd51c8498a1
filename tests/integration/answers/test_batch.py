from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from lakerag.answers import batch
from lakerag.answers.batch import Report, answer_new
from lakerag.answers.choosing import find_revoked, revoke
from lakerag.answers.model import Model
from lakerag.answers.questions import ASKED, add_questions
from lakerag.answers.views import VIEWS, create_views
from lakerag.catalog import Catalog
from lakerag.config import Answers
from lakerag.tables import ANSWER_CITATIONS, ANSWERS, GOLD_CHUNKS, Table

FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)
SECOND = datetime(2026, 1, 2, tzinfo=timezone.utc)
SETTINGS = Answers(questions_per_commit=3, partitions=2)

MODEL = '''
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel
import pandas as pd


class Counting(PythonModel):
    """Cites as many passages as its `citations` says; refuses "bad"; abstains on "unknown"."""

    def load_context(self, context):
        self.config = context.model_config

    def predict(self, context, model_input: pd.DataFrame, params=None):
        if any(record["question"] == "bad" for record in model_input):
            raise MlflowException("it is bad", INVALID_PARAMETER_VALUE)
        return [self.answer(record) for record in model_input]

    def answer(self, record):
        known = record["question"] != "unknown"
        names = ("chunk_id", "doc_id", "path", "title", "heading", "excerpt")
        cited = [
            {
                **{"n": n, **dict.fromkeys(names, f"p{n}"), "start": n, "end": n + 5, "score": 0.5},
                **{"page": 3, "alternates": ["copy"]},
            }
            for n in range(1, self.config["citations"] + 1)
        ]
        rights = f"{record['tenant']}:{'+'.join(record['groups'])}:{record['top_k']}:{record['filter']}"
        return {
            "question": record["question"], "answer": f"{record['question']} {rights}" if known else "",
            "abstained": not known, "reason": "" if known else "nothing", "confidence": 0.5 if known else 0.0,
            "citations": cited if known else [], "generator": "counting",
            "model_version": self.config["model_version"], "prompt_tokens": 9, "passages_dropped": 0,
            "timings_ms": {"total": 8.0},
        }


set_model(Counting())
'''


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Model]:
    """Models by the number of citations that they give."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own deprecations
        import mlflow

        folder = tmp_path_factory.mktemp("models")
        (folder / "code.py").write_text(MODEL)
        for count in (1, 3):
            mlflow.pyfunc.save_model(
                folder / f"m{count}",
                python_model=str(folder / "code.py"),
                model_config={"citations": count, "model_version": ""},
                pip_requirements=["mlflow"],
            )
    registry = f"sqlite:///{folder}/m.db"
    return {count: Model(str(folder / f"m{count}"), f"m/{count}", registry, registry) for count in (1, 3)}


def ask(catalog: Catalog, *questions: str) -> None:
    rows = [(question, question, "t", ["g", "h"], None, None) for question in questions]
    asked = catalog.spark.createDataFrame(rows, ", ".join(f"{name} {kind}" for name, kind in ASKED.items()))
    add_questions(catalog, asked, now=FIRST)


def put_chunks(catalog: Catalog, *chunk_ids: str) -> None:
    """Makes chunks live, as far as answers look at them."""
    filled = {"start_char": "0", "end_char": "1", "text": "'t'"}
    columns = ", ".join(
        f"{filled.get(c.name) or ('id' if c.name == 'chunk_id' else _EMPTY.get(c.type, 'NULL'))} AS {c.name}"
        for c in GOLD_CHUNKS.columns
    )
    ids = ", ".join(f"('{chunk_id}')" for chunk_id in chunk_ids)
    catalog.append(GOLD_CHUNKS, catalog.spark.sql(f"SELECT {columns} FROM VALUES {ids} AS v(id)"))


_EMPTY = {
    "STRING": "''",
    "INT": "0",
    "BIGINT": "0",
    "ARRAY<FLOAT>": "cast(array() AS ARRAY<FLOAT>)",
    "ARRAY<STRING>": "cast(array() AS ARRAY<STRING>)",
    "MAP<STRING, STRING>": "cast(map() AS MAP<STRING, STRING>)",
}


def answered(catalog: Catalog) -> set[tuple[str, str, bool]]:
    rows = catalog.read(ANSWERS).select("question_id", "model_version", "abstained").toLocalIterator()
    return {tuple(row) for row in rows}


def citations(catalog: Catalog) -> list[tuple[str, int]]:
    """Returns question and number of every citation that belongs to an answer, and ("?", n) of every other one."""
    owners = {row["answer_id"]: row["question_id"] for row in catalog.read(ANSWERS).toLocalIterator()}
    rows = catalog.read(ANSWER_CITATIONS).toLocalIterator()
    return sorted((owners.get(row["answer_id"], "?"), row["n"]) for row in rows)


def test_only_new_questions_are_answered_in_slices(catalog: Catalog, models: dict[int, Model]) -> None:
    ask(catalog, "a", "b", "c", "unknown", "bad")
    seen: list[tuple[int, int]] = []
    report = answer_new(
        catalog, models[1], SETTINGS, now=FIRST, run_id="r1", progress=lambda done, of: seen.append((done, of))
    )
    assert report == Report(answered=5, abstained=2, citations=3)
    assert seen == [(0, 5), (3, 5), (5, 5)]
    assert answered(catalog) == {
        ("a", "m/1", False),
        ("b", "m/1", False),
        ("c", "m/1", False),
        ("unknown", "m/1", True),
        ("bad", "m/1", True),
    }
    assert citations(catalog) == [("a", 1), ("b", 1), ("c", 1)]
    rows = {row["question_id"]: row for row in catalog.read(ANSWERS).toLocalIterator()}
    assert (rows["a"]["answer"], rows["a"]["run_id"], rows["a"]["prompt_tokens"]) == ("a t:g+h:None:", "r1", 9)
    assert rows["bad"]["reason"] == "the question was refused: it is bad"

    versions = [catalog.version(table) for table in (ANSWERS, ANSWER_CITATIONS)]
    again = answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r2")
    assert again == Report(answered=0, abstained=0, citations=0)
    assert [catalog.version(table) for table in (ANSWERS, ANSWER_CITATIONS)] == versions

    ask(catalog, "d")
    assert answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r3").answered == 1
    assert ("d", "m/1", False) in answered(catalog)


def test_another_version_answers_only_what_it_is_asked_to_answer_again(
    catalog: Catalog, models: dict[int, Model]
) -> None:
    ask(catalog, "a")
    answer_new(catalog, models[1], SETTINGS, now=FIRST, run_id="r1")
    assert answer_new(catalog, models[3], SETTINGS, now=SECOND, run_id="r2").answered == 0
    put_chunks(catalog, "p1", "p2", "p3")
    assert answer_new(catalog, models[3], SETTINGS, now=SECOND, run_id="r3", again="stale") == Report(1, 0, 3)
    assert answer_new(catalog, models[3], SETTINGS, now=SECOND, run_id="r4", again="stale").answered == 0
    assert answered(catalog) == {("a", "m/1", False), ("a", "m/3", False)}
    assert citations(catalog) == [("a", 1), ("a", 1), ("a", 2), ("a", 3)]

    assert answer_new(catalog, models[3], SETTINGS, now=SECOND, run_id="r5", again="all").answered == 1
    rows = catalog.read(ANSWERS).where("model_version = 'm/3'").select("run_id").collect()
    assert [row["run_id"] for row in rows] == ["r5"]


def test_an_answer_that_cites_a_chunk_which_is_gone_is_stale(catalog: Catalog, models: dict[int, Model]) -> None:
    ask(catalog, "a")
    put_chunks(catalog, "p2")
    answer_new(catalog, models[1], SETTINGS, now=FIRST, run_id="r1")
    assert answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r2", again="stale").answered == 1


@pytest.mark.parametrize(
    ("document", "revoked"),
    [
        (None, True),
        (("", ["*"]), False),
        (("t", ["g"]), False),
        (("t", ["other"]), True),
        (("other", ["*"]), True),
        (("t", []), True),
    ],
)
def test_answers_are_revoked_when_a_cited_document_is_gone_or_hidden_from_the_asker(
    catalog: Catalog, document: tuple[str, list[str]] | None, revoked: bool
) -> None:
    spark = catalog.spark
    answers = spark.createDataFrame(
        [("A", "q", None), ("B", "q", True)], "answer_id STRING, question_id STRING, revoked BOOLEAN"
    )
    cited = spark.createDataFrame([("A", "d"), ("B", "d")], "answer_id STRING, doc_id STRING")
    questions = spark.createDataFrame(
        [("q", "t", ["g", "h"])], "question_id STRING, tenant STRING, acl_groups ARRAY<STRING>"
    )
    rows = [] if document is None else [("d", *document)]
    documents = spark.createDataFrame(rows, "doc_id STRING, tenant STRING, acl_groups ARRAY<STRING>")
    found = find_revoked(answers, cited, questions, documents).collect()
    assert [(row["answer_id"], row["revoked"]) for row in found] == ([("A", True)] if revoked else [])


def test_revoked_answers_leave_the_current_ones_until_they_are_answered_again(
    catalog: Catalog, models: dict[int, Model]
) -> None:
    ask(catalog, "a", "unknown")
    answer_new(catalog, models[1], SETTINGS, now=FIRST, run_id="r1")
    assert revoke(catalog) == 1
    assert revoke(catalog) == 0
    create_views(catalog)
    current = "SELECT question_id FROM answers_current ORDER BY 1"
    assert [tuple(row) for row in catalog.spark.sql(current).collect()] == [("unknown",)]
    unanswered = "SELECT question_id, reason FROM answers_unanswered ORDER BY 1"
    assert [tuple(row) for row in catalog.spark.sql(unanswered).collect()] == [("a", "revoked"), ("unknown", "nothing")]
    answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r2", again="stale")
    assert [tuple(row) for row in catalog.spark.sql(current).collect()] == [("a",), ("unknown",)]


def test_crash_between_the_two_tables_leaves_nothing_doubled_or_half(
    catalog: Catalog, models: dict[int, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(catalog, "a", "b")
    merge = Catalog.merge

    def crash(self: Catalog, table: object, *args: object, **options: object) -> object:
        if table is ANSWERS:
            raise KeyboardInterrupt
        return merge(self, table, *args, **options)  # type: ignore[arg-type]

    more = replace(models[3], label="m/1")
    with monkeypatch.context() as patch:
        patch.setattr(batch.Catalog, "merge", crash)
        with pytest.raises(KeyboardInterrupt):
            answer_new(catalog, more, SETTINGS, now=FIRST, run_id="r1")
    assert citations(catalog) == [("?", 1), ("?", 1), ("?", 2), ("?", 2), ("?", 3), ("?", 3)]
    assert answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r2") == Report(2, 0, 2)
    assert citations(catalog) == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("again", ["stale", "all"])
def test_crash_while_answering_again_leaves_no_answer_over_the_citations_of_another(
    catalog: Catalog, models: dict[int, Model], monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    ask(catalog, "a")
    put_chunks(catalog, "p1")
    answer_new(catalog, replace(models[3], label="m/1"), SETTINGS, now=FIRST, run_id="r1")
    merge, written = Catalog.merge, []

    def crash(self: Catalog, table: Table, *args: object, **options: object) -> object:
        if table is ANSWERS and ANSWER_CITATIONS in written:
            raise KeyboardInterrupt
        written.append(table)
        return merge(self, table, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(batch.Catalog, "merge", crash)
        with pytest.raises(KeyboardInterrupt):
            answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r2", again=again)
    assert (answered(catalog), citations(catalog)) == (set(), [("?", 1)])
    assert answer_new(catalog, models[1], SETTINGS, now=SECOND, run_id="r3", again="stale") == Report(1, 0, 1)
    assert [row["run_id"] for row in catalog.read(ANSWERS).toLocalIterator()] == ["r3"]
    assert citations(catalog) == [("a", 1)]


def test_views_show_current_unanswered_and_by_document(catalog: Catalog, models: dict[int, Model]) -> None:
    ask(catalog, "a", "unknown")
    answer_new(catalog, models[1], SETTINGS, now=FIRST, run_id="r1")
    answer_new(catalog, models[3], SETTINGS, now=SECOND, run_id="r2", again="all")
    ask(catalog, "later")
    create_views(catalog)
    create_views(catalog)

    def rows(query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in catalog.spark.sql(query).collect()]

    assert rows("SELECT question_id, model_version FROM answers_current ORDER BY 1") == [
        ("a", "m/3"),
        ("unknown", "m/3"),
    ]
    assert rows("SELECT question_id, reason FROM answers_unanswered ORDER BY 1") == [
        ("later", "not asked yet"),
        ("unknown", "nothing"),
    ]
    assert rows("SELECT path, question_id, n, model_version FROM answers_by_document ORDER BY path") == [
        ("p1", "a", 1, "m/3"),
        ("p2", "a", 2, "m/3"),
        ("p3", "a", 3, "m/3"),
    ]


@pytest.fixture(autouse=True)
def _no_views_left(catalog: Catalog) -> Iterator[None]:
    yield
    for name in reversed(VIEWS):
        catalog.spark.sql(f"DROP VIEW IF EXISTS {name}")
