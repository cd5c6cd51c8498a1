import pytest

from lakerag.config import Retrieval
from lakerag.errors import UsageError
from lakerag.rag.request import check_question, read_questions
from lakerag.records import Access, Question

DEFAULTS = Retrieval(top_k=3, max_top_k=20, mode="hybrid", max_question_chars=40)


def test_text_becomes_question_with_defaults_and_public_rights() -> None:
    assert read_questions(["What is Delta?"], DEFAULTS, {}) == [
        Question("What is Delta?", Access(tenant="", groups=()), top_k=3, mode="hybrid", filter="")
    ]


def test_every_field_of_a_record_is_read() -> None:
    record = {
        "question": "Who?",
        "top_k": 7.0,
        "groups": ["a", "b"],
        "tenant": "t",
        "filter": 'lang == "en"',
        "mode": "vector",
    }
    assert read_questions([record], DEFAULTS, {}) == [
        Question("Who?", Access("t", ("a", "b")), top_k=7, mode="vector", filter='lang == "en"')
    ]


def test_null_fields_are_as_if_left_out() -> None:
    record = {"question": "Who?", "top_k": None, "groups": None, "tenant": None, "filter": None, "mode": None}
    assert read_questions([record], DEFAULTS, {}) == [Question("Who?", Access(), top_k=3, mode="hybrid")]


def test_record_wins_over_params_and_params_over_defaults() -> None:
    found = read_questions(
        [{"question": "a"}, {"question": "b", "top_k": 1}], DEFAULTS, {"top_k": 9, "mode": "keyword"}
    )
    assert [(question.top_k, question.mode) for question in found] == [(9, "keyword"), (1, "keyword")]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"question": "Who?", "goups": ["a"]}, "there is no field 'goups'; the nearest is groups"),
        ({"top_k": 3}, "expected the field question, found none"),
        ({"question": 5}, "expected a text in the field question, found 5"),
        ({"question": "Who?", "groups": "a"}, "expected a list of texts in the field groups, found 'a'"),
        ({"question": "Who?", "groups": ["a", 1]}, r"expected a list of texts in the field groups, found \['a', 1\]"),
        ({"question": "Who?", "tenant": 1}, "expected a text in the field tenant, found 1"),
        ({"question": "Who?", "top_k": 2.5}, "expected a whole number in the field top_k, found 2.5"),
        ({"question": "Who?", "top_k": True}, "expected a whole number in the field top_k, found True"),
        ({"question": "Who?", "top_k": float("inf")}, "expected a whole number in the field top_k, found inf"),
        ({"question": "Who?", "top_k": 0}, "Expected top_k between 1 and 20, found 0"),
        ({"question": "Who?", "top_k": 21}, "Expected top_k between 1 and 20, found 21"),
        ({"question": "Who?", "mode": "magic"}, "Expected a mode out of vector, keyword, hybrid, found 'magic'"),
        ({"question": "Who \ud800?"}, "The request holds a lone surrogate"),
        ({"question": "Who?", "groups": ["\udfff"]}, "The request holds a lone surrogate"),
        ({"question": " \n"}, "The question is empty"),
        ({"question": "x" * 41}, "Expected a question of at most 40 characters, found 41"),
        (7, "expected a text or a record with the field question, found int"),
    ],
)
def test_refused_record_is_named_with_its_place_and_cause(record: object, message: str) -> None:
    with pytest.raises(UsageError, match=f"Question 2 of 2: {message}"):
        read_questions(["fine", record], DEFAULTS, {})


def test_request_without_questions_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one question"):
        read_questions([], DEFAULTS, {})


def test_question_at_the_limits_passes() -> None:
    check_question(Question("x" * 40, top_k=20), DEFAULTS)
