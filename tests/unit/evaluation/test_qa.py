"""Metrics of answers, each with a value worked out by hand."""

import pytest

from lakerag.evaluation.datasets import QaCase
from lakerag.evaluation.qa import (
    citation_holds,
    contains,
    exact_match,
    f1,
    normalise,
    score_abstention,
    score_answer,
    score_answers,
    without_marks,
)
from tests.fakes.evaluation import answer_of, citation_of

TOWER = QaCase("How high is it?", ("96 metres", "about 96 m"), "The tower, built in 1931, is 96 metres high.")
ABSENT = QaCase("Who painted it?", ())


def test_normalisation_drops_case_punctuation_articles_and_blanks():
    assert normalise(" The  Bell-tower,\tof a church; an U.S. one! ") == ["belltower", "of", "church", "us", "one"]
    assert normalise("theatre another") == ["theatre", "another"]
    assert normalise("The") == []


def test_exact_match_is_with_any_gold_answer():
    assert exact_match("The 96 Metres.", TOWER.answers) == 1.0
    assert exact_match("96 metres high", TOWER.answers) == 0.0


def test_f1_is_the_best_over_gold_answers_of_bags_of_tokens():
    # Against "96 metres": precision 2/4, recall 2/2, so 2/3; against "about 96 m": 1/4 and 1/3, so 2/7.
    assert f1("it is 96 metres", TOWER.answers) == pytest.approx(2 / 3)
    # Of "b b c" against "b d": one b is common. Precision 1/3, recall 1/2.
    assert f1("b b c", ["b d"]) == pytest.approx(0.4)
    assert f1("nothing alike", TOWER.answers) == 0.0
    assert f1("the", ["a"]) == 1.0
    assert f1("the", ["b"]) == 0.0


def test_contains_wants_the_gold_tokens_in_one_run():
    assert contains("It is all of the 96 metres, they say.", TOWER.answers) == 1.0
    assert contains("96 square metres", TOWER.answers) == 0.0
    assert contains("196 metres", TOWER.answers) == 0.0
    assert contains("anything", ["The"]) == 0.0


def test_contains_reads_60_words_of_an_answer():
    assert contains(" ".join(["word"] * 58 + ["96", "metres"]), TOWER.answers) == 1.0
    assert contains(" ".join(["word"] * 59 + ["96", "metres"]), TOWER.answers) == 0.0


def test_citation_marks_are_no_words_of_an_answer():
    answer = answer_of("It is 96 [1][2]. So [7] says.", citation_of("a", n=1), citation_of("b", n=2))
    assert without_marks(answer) == "It is 96. So [7] says."


def test_a_citation_holds_when_its_excerpt_has_the_answer_and_lies_in_the_paragraph():
    assert citation_holds(citation_of("is 96 metres high."), TOWER)
    assert citation_holds(citation_of("# Towers\n\nThe tower, built in 1931,\nis 96 metres high."), TOWER)
    assert citation_holds(citation_of("A church. The tower, built in 1931, is 96 metres high. It leans."), TOWER)


def test_a_citation_of_another_paragraph_does_not_hold():
    assert not citation_holds(citation_of("Another tower is 96 metres high."), TOWER)


def test_a_citation_without_the_answer_does_not_hold():
    assert not citation_holds(citation_of("The tower, built in 1931"), TOWER)


def test_without_a_paragraph_a_citation_needs_the_answer_alone():
    case = QaCase(TOWER.question, TOWER.answers)
    assert citation_holds(citation_of("Another tower is 96 metres high."), case)
    assert not citation_holds(citation_of("Another tower."), case)


def test_an_answer_longer_than_the_gold_answer_keeps_its_citation():
    answer = answer_of("It is 96 metres [1]", citation_of("is 96 metres high", n=1))
    assert score_answer(answer, TOWER) == pytest.approx({"em": 0, "f1": 2 / 3, "contains": 1, "citation_precision": 1})


def test_one_citation_that_holds_is_enough():
    answer = answer_of("96 metres [1][2]", citation_of("Built of brick.", n=1), citation_of("is 96 metres high", n=2))
    assert score_answer(answer, TOWER) == {"em": 1, "f1": 1, "contains": 1, "citation_precision": 1}


def test_a_refusal_counts_nothing():
    zeros = {"em": 0, "f1": 0, "contains": 0, "citation_precision": 0}
    assert score_answer(answer_of(abstained=True), TOWER) == zeros
    # Not even where the gold answer normalises to nothing, as a refusal's text does.
    assert score_answer(answer_of(abstained=True), QaCase("Which article?", ("the",))) == zeros


def test_abstention_is_precise_and_complete_over_all_questions():
    abstained = [True, True, True, False, False, False, False]
    answerable = [False, False, True, False, True, True, True]
    assert score_abstention(abstained, answerable) == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "false_refusal": 1 / 4}
    )
    assert score_abstention([True, True, True, True], [False, True, True, True]) == pytest.approx(
        {"precision": 1 / 4, "recall": 1, "f1": 2 / 5, "false_refusal": 1}
    )


def test_abstention_without_refusals_or_unanswerables_has_no_value():
    assert score_abstention([False, False], [True, True]) == {
        "precision": None,
        "recall": None,
        "f1": None,
        "false_refusal": 0.0,
    }


def test_metrics_of_a_set_average_over_answerable_questions():
    answers = [
        answer_of("96 metres [1]", citation_of("is 96 metres high", n=1), total_ms=10),
        answer_of(abstained=True, total_ms=30),
        answer_of(abstained=True, total_ms=20),
        answer_of("a Dutchman", total_ms=40),
    ]
    found = score_answers(answers, [TOWER, TOWER, ABSENT, ABSENT])
    assert found == {
        "em": 0.5,
        "f1": 0.5,
        "contains": 0.5,
        "citation_precision": 0.5,
        "abstention": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "false_refusal": 0.5},
        "answerable": 2,
        "unanswerable": 2,
        "latency_ms": {"p50": 25.0, "p95": 38.5},
        "generator": "scripted",
    }


def test_a_set_of_unanswerables_alone_has_no_answer_metrics():
    found = score_answers([answer_of(abstained=True)], [ABSENT])
    assert [found[name] for name in ("em", "f1", "contains", "citation_precision")] == [None] * 4
    assert found["abstention"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "false_refusal": None}
