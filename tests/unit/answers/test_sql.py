from typing import Any

import pandas as pd

from lakerag.answers.sql import ANSWER, answer_all, search_all
from lakerag.errors import UsageError


class Echo:
    """Answers with the question; refuses the question "bad"."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def predict(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.calls.append(data)
        if any(record["question"] == "bad" for record in data):
            raise UsageError("it is bad")
        return [
            {
                "question": record["question"],
                "answer": f"{record['question']}!",
                "abstained": False,
                "reason": "",
                "confidence": 0.5,
                "citations": [],
                "generator": "echo",
                "model_version": "m/1",
                "timings_ms": {},
            }
            for record in data
        ]

    def search(self, data: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        self.calls.append(data)
        return [[{"chunk_id": record["question"]}] * record.get("top_k", 1) for record in data]


def test_every_row_gets_its_answer_and_null_gets_null() -> None:
    found = answer_all(Echo(), pd.Series(["a", None, "b"]), "t", ["g"])
    assert list(found.columns) == list(ANSWER)
    assert list(found["answer"]) == ["a!", None, "b!"]
    assert list(found["abstained"]) == [False, None, False]
    assert found.iloc[0].to_dict() == {
        "answer": "a!",
        "abstained": False,
        "reason": "",
        "confidence": 0.5,
        "citations": [],
        "generator": "echo",
        "model_version": "m/1",
    }


def test_rights_of_the_session_are_in_every_record() -> None:
    echo = Echo()
    answer_all(echo, pd.Series(["a"]), "t", ["g", "h"])
    search_all(echo, pd.Series(["a"]), None, "t", ["g", "h"])
    assert echo.calls == [[{"question": "a", "tenant": "t", "groups": ["g", "h"]}]] * 2


def test_refused_question_becomes_an_abstention_and_the_others_are_answered() -> None:
    found = answer_all(Echo(), pd.Series(["a", "bad", "b"]), "", [])
    assert list(found["answer"]) == ["a!", "", "b!"]
    assert list(found["abstained"]) == [False, True, False]
    assert found["reason"][1] == "the question was refused: it is bad"


def test_search_takes_k_by_row_and_leaves_out_what_is_null() -> None:
    echo = Echo()
    found = search_all(echo, pd.Series(["a", None, "b"]), pd.Series([2, 1, None]), "", [])
    assert list(found) == [[{"chunk_id": "a"}] * 2, None, [{"chunk_id": "b"}]]
    assert ["top_k" in record for record in echo.calls[0]] == [True, False]


def test_many_rows_are_asked_in_calls_of_32() -> None:
    echo = Echo()
    found = answer_all(echo, pd.Series([str(n) for n in range(70)]), "", [])
    assert [len(call) for call in echo.calls] == [32, 32, 6]
    assert list(found["answer"]) == [f"{n}!" for n in range(70)]
