from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakerag.config import Retrieval
from lakerag.errors import UsageError
from lakerag.rag.endpoint import Endpoint
from lakerag.records import Access, Answer, Passage, Question
from tests.fakes.rag import passage


class Echo:
    """A pipeline that keeps what it is asked."""

    max_batch = 100

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.max_new_tokens: int | None = None

    def answer(self, questions: list[Question], max_new_tokens: int | None = None) -> list[Answer]:
        self.asked += questions
        self.max_new_tokens = max_new_tokens
        return [Answer(q.question, "yes [1]", False, "", 0.9, (), "echo", "1", 0, 0, {}) for q in questions]

    def check(self, questions: list[Question], max_new_tokens: int | None = None) -> None:
        """Takes everything."""

    def search(self, questions: list[Question]) -> list[list[Passage]]:
        self.asked += questions
        return [[passage("text", score=0.5)] for _ in questions]


def asked(data: Any, params: dict[str, Any] | None = None) -> list[Question]:
    pipeline = Echo()
    Endpoint(pipeline, Retrieval(top_k=3)).predict(data, params)  # type: ignore[arg-type]
    return pipeline.asked


@pytest.mark.parametrize(
    "data",
    [
        ["a", "b"],
        np.array(["a", "b"]),
        [{"question": "a"}, {"question": "b"}],
        [{"question": np.array("a")}, {"question": np.str_("b")}],
        {"question": ["a", "b"]},
        {"question": np.array(["a", "b"])},
        pd.DataFrame({"question": ["a", "b"]}),
        pd.DataFrame({"question": ["a", "b"], "top_k": [np.nan, 3.0], "groups": [None, np.nan], "tenant": [pd.NA, ""]}),
    ],
)
def test_every_form_of_two_questions_is_read(data: Any) -> None:
    assert asked(data) == [Question("a", top_k=3), Question("b", top_k=3)]


@pytest.mark.parametrize("data", ["a", np.array("a"), {"question": "a"}, ["a"]])
def test_every_form_of_one_question_is_read(data: Any) -> None:
    assert asked(data) == [Question("a", top_k=3)]


def test_fields_survive_every_form() -> None:
    wanted = [Question("a", Access("t", ("x", "y")), top_k=7, mode="hybrid", filter='lang == "en"')]
    record = {
        "question": "a",
        "groups": ["x", "y"],
        "tenant": "t",
        "top_k": 7,
        "mode": "hybrid",
        "filter": 'lang == "en"',
    }
    assert asked(record) == wanted
    assert asked(pd.DataFrame([record])) == wanted
    assert asked({name: [value] for name, value in record.items()}) == wanted
    assert asked([{name: np.array(value) for name, value in record.items()}]) == wanted


def test_params_reach_the_pipeline() -> None:
    pipeline = Echo()
    documents = Endpoint(pipeline, Retrieval()).predict("a", {"max_new_tokens": 9, "top_k": 2, "mode": None})  # type: ignore[arg-type]
    assert (pipeline.max_new_tokens, pipeline.asked[0].top_k) == (9, 2)
    assert documents[0]["answer"] == "yes [1]"


def test_search_gives_passage_documents() -> None:
    found = Endpoint(Echo(), Retrieval()).search(["a"])  # type: ignore[arg-type]
    assert found == [
        [
            {
                "chunk_id": "c1",
                "doc_id": "d-c1",
                "path": "c1.md",
                "title": "Title c1",
                "heading": "",
                "text": "text",
                "start": 0,
                "end": 4,
                "score": 0.5,
                "page": 0,
                "alternates": (),
            }
        ]
    ]


def test_a_record_may_want_its_passages_alone_beside_others_that_want_answers() -> None:
    pipeline = Echo()
    records = [{"question": "a"}, {"question": "b", "task": "search", "top_k": 2}, {"question": "c", "task": "ask"}]
    first, second, third = Endpoint(pipeline, Retrieval()).predict(pd.DataFrame(records))  # type: ignore[arg-type]
    assert (first["question"], third["question"]) == ("a", "c")
    assert [found["text"] for found in second["passages"]] == ["text"]
    assert Question("b", top_k=2) in pipeline.asked
    with pytest.raises(UsageError, match="Expected a task out of ask, search, found 'serch'"):
        asked([{"question": "a", "task": "serch"}])


@pytest.mark.parametrize("data", [[], np.array([]), pd.DataFrame(), pd.DataFrame({"question": []})])
def test_empty_request_is_refused(data: Any) -> None:
    with pytest.raises(UsageError, match="at least one question"):
        asked(data)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="a list of the same length for every field"):
        asked({"question": ["a", "b"], "top_k": [1]})


def test_missing_question_in_a_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="Question 2 of 2: expected the field question"):
        asked(pd.DataFrame({"question": ["a", None]}))
