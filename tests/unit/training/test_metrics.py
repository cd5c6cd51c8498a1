"""SQuAD's scores."""

import pytest

from training.metrics import best_f1, f1, holds


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [("The Esk.", "esk", 1.0), ("stone bridge", "bridge", 2 / 3), ("", "bridge", 0.0), ("a", "the", 1.0)],
)
def test_f1_counts_words_without_case_marks_and_articles(answer: str, gold: str, expected: float) -> None:
    assert f1(answer, gold) == pytest.approx(expected)


def test_best_gold_counts() -> None:
    assert best_f1("in 1900", ["1900", "in 1900"]) == 1.0


@pytest.mark.parametrize(("answer", "expected"), [("It was 1,900 m.", True), ("It was 19 00 m", False)])
def test_an_answer_holds_a_gold_only_in_one_piece(answer: str, expected: bool) -> None:
    assert holds(answer, ["1,900"]) is expected
