"""Questions that people asked."""

from pathlib import Path

import pytest

from training.corpus import write_lines
from training.natural import Truecaser, echoes, restore_case, search_questions, sentence_questions, trim, window


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("in the 1940s,", "1940s"), ("by Ann Lee", "Ann Lee"), ("the", "the"), (' "gold dome" ', "gold dome")],
)
def test_answers_lose_the_words_that_people_leave_out(answer: str, expected: str) -> None:
    assert trim(answer) == expected


@pytest.mark.parametrize(
    ("answer", "is_echo"), [("the river Esk", True), ("1940", False), ("of the", True), ("stone bridge", False)]
)
def test_answers_made_of_the_questions_words_are_echoes(answer: str, is_echo: bool) -> None:
    assert echoes(answer, "When was the river Esk crossed?") is is_echo


def test_question_takes_its_capitals_from_the_passage() -> None:
    assert restore_case("who wrote the milvus client?", "The Milvus client was written by Ann.") == (
        "Who wrote the Milvus client?"
    )


def test_truecaser_capitalises_names_and_leaves_short_and_known_words_alone() -> None:
    caser = Truecaser(["a story about London and the river, in London by the river"])

    assert caser.restore("the river in london was painted by turner") == "The river in London was Painted by Turner"


def test_window_stops_at_the_ends_of_the_text() -> None:
    assert window(["a", "b", "c"], 0, before=2, after=1) == "a b"


def test_sentences_stand_once_and_questions_point_to_them(tmp_path: Path) -> None:
    rows = [("s1", "q1"), ("s1", "q2"), ("s2", "q3")]
    write_lines(tmp_path / "questions.jsonl.xz", ({"sentence": s, "question": q} for s, q in rows))

    sentences, questions = sentence_questions(tmp_path)

    assert sentences == ["s1", "s2"]
    assert [(q.question, q.position) for q in questions] == [("q1", 0), ("q2", 0), ("q3", 1)]


def test_search_questions_are_either_held_out_or_not_and_their_shortest_answer_comes_first(tmp_path: Path) -> None:
    rows = [
        {"title": f"t{n}", "passage": "It was in 1900.", "question": f"q{n}", "answers": ["in 1900", "1900"]}
        for n in range(60)
    ]
    write_lines(tmp_path / "natural_qa.jsonl.xz", rows)

    kept, held_out = (search_questions(tmp_path, held_out=flag) for flag in (False, True))

    assert {e.question for e in kept} | {e.question for e in held_out} == {f"q{n}" for n in range(60)}
    assert not {e.question for e in kept} & {e.question for e in held_out}
    assert held_out[0].answers == ("1900", "in 1900")
