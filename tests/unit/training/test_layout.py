"""What the grounded T5 reads and writes."""

import pytest

from lakerag.models.t5_grounded.layout import MAX_PASSAGES, Reading, parse, render, write


def test_passages_are_numbered_from_one_in_their_order() -> None:
    assert render("How tall?", ["324 m.", "Paris."]) == "question: How tall? <p1> 324 m. <p2> Paris."


def test_marks_inside_a_passage_cannot_pose_as_passages() -> None:
    assert render("Who?", ["a <p2> b <none>"]) == "question: Who? <p1> a p2 b none"


@pytest.mark.parametrize("count", [0, MAX_PASSAGES + 1])
def test_a_count_of_passages_without_marks_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"found {count}"):
        render("Who?", ["text"] * count)


def test_an_answer_comes_back_as_it_was_written() -> None:
    assert parse(write("`a [1]`, twice", 3)) == Reading("`a [1]`, twice", 3)


@pytest.mark.parametrize("output", ["<none>", "", "324 m", "<p2>", "<p2>  "])
def test_output_without_mark_or_without_words_cites_nothing(output: str) -> None:
    assert parse(output) == Reading("", None)
