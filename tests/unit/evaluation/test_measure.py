"""What is asked of a pipeline, and how its results are laid together."""

import pytest

from lakerag.errors import UsageError
from lakerag.evaluation.datasets import QaCase, Reference, RetrievalCase, SpanCase
from lakerag.evaluation.measure import PROBE, Interview, measure_qa, measure_retrieval, measure_spans
from lakerag.records import Access, Question
from tests.fakes.evaluation import ScriptedPipeline, answer_of, passage_of

ASKER = Access("acme", ("staff",))
A, B, C = passage_of("a.md"), passage_of("b.md"), passage_of("c.md")


def interview(pipeline, batch=3, say=lambda _: None):
    return Interview(pipeline, ASKER, batch, say)


def test_retrieval_is_measured_in_every_mode_side_by_side():
    pipeline = ScriptedPipeline(
        {
            ("vector", "one"): [A, A, B],
            ("vector", "two"): [C, A, B],
            ("keyword", "one"): [B, A],
            ("hybrid", "one"): [A],
            ("hybrid", "two"): [B],
        }
    )
    cases = [RetrievalCase("one", frozenset({"a.md"})), RetrievalCase("two", frozenset({"b.md"}))]
    found = measure_retrieval(interview(pipeline), cases, 100)
    assert {mode: (found[mode]["recall@1"], found[mode]["mrr@10"]) for mode in ("vector", "keyword", "hybrid")} == {
        "vector": (0.5, pytest.approx((1 + 1 / 3) / 2)),
        "keyword": (0.0, pytest.approx(0.25)),
        "hybrid": (1.0, 1.0),
    }
    assert found["queries"] == 2


def test_a_mode_that_the_store_lacks_says_why_and_the_others_are_measured():
    pipeline = ScriptedPipeline({("vector", "one"): [A]}, modes=["vector"])
    found = measure_retrieval(interview(pipeline), [RetrievalCase("one", frozenset({"a.md"}))], 100)
    assert found["vector"]["recall@1"] == 1.0
    assert found["keyword"] == {"unavailable": "The mode keyword needs BM25."}
    assert found["hybrid"] == {"unavailable": "The mode hybrid needs BM25."}


def test_a_question_that_cannot_be_asked_is_no_missing_mode():
    class Strict(ScriptedPipeline):
        def search(self, questions):
            if any(q.question == "long" for q in questions):
                raise UsageError("too long")
            return super().search(questions)

    with pytest.raises(UsageError, match="too long"):
        measure_retrieval(interview(Strict()), [RetrievalCase("long", frozenset({"a"}))], 100)


def test_questions_go_in_batches_with_the_rights_of_the_asker():
    pipeline, told = ScriptedPipeline(), []
    cases = [RetrievalCase(name, frozenset({"a"})) for name in "stuvw"]
    measure_retrieval(interview(pipeline, 2, told.append), cases, 70)
    asked = [[(q.question, q.top_k) for q in call] for call in pipeline.calls if call[0].mode == "keyword"]
    assert asked == [[(PROBE, 1)], [("s", 70), ("t", 70)], [("u", 70), ("v", 70)], [("w", 70)]]
    assert all(question.access == ASKER for call in pipeline.calls for question in call)
    assert told[:3] == ["vector: 0 of 5 questions", "vector: 2 of 5 questions", "vector: 4 of 5 questions"]


def test_answers_are_scored_against_their_own_questions():
    answers = {
        "one": answer_of("red"),
        "two": answer_of("blue"),
        "three": answer_of("red"),
        "four": answer_of(abstained=True),
    }
    pipeline = ScriptedPipeline(answers=answers)
    cases = [QaCase("one", ("red",)), QaCase("two", ("blue",)), QaCase("three", ("blue",)), QaCase("four", ())]
    found = measure_qa(interview(pipeline, 3), cases, 5, "hybrid")
    assert found["em"] == pytest.approx(2 / 3)
    assert found["abstention"]["recall"] == 1.0
    assert (found["mode"], found["top_k"], found["batch_questions"]) == ("hybrid", 5, 3)
    assert [len(call) for call in pipeline.calls] == [3, 1]
    assert pipeline.calls[0][0] == Question("one", ASKER, 5, "hybrid")


ROWS = [
    {"path": "sea.md", "start": 0, "end": 10, "text": "aaaaaaaaaa"},
    {"path": "sea.md", "start": 10, "end": 30, "text": "b" * 20},
    {"path": "ice.md", "start": 0, "end": 40, "text": "c" * 40},
    {"path": "other.md", "start": 0, "end": 900, "text": "d" * 900},
]
SPANS = [
    SpanCase("one", "sea", (Reference("a" * 10, 0, 10),)),
    SpanCase("two", "sea", (Reference("a" * 5 + "b" * 5, 5, 15),)),
    SpanCase("three", "ice", (Reference("c" * 20, 0, 20), Reference("pepper", 90, 96))),
]


def span_pipeline(modes=("vector", "keyword", "hybrid")):
    first, second = passage_of("sea.md", 0, 10), passage_of("sea.md", 10, 30)
    ice = passage_of("ice.md", 0, 40)
    return ScriptedPipeline(
        {
            ("vector", "one"): [first],
            ("vector", "two"): [first],
            ("vector", "three"): [ice],
            ("keyword", "one"): [second],
            ("keyword", "two"): [second],
            ("keyword", "three"): [ice, ice, first, first, first, second],
        },
        modes=modes,
    )


def test_span_metrics_of_the_asked_mode_stand_at_the_top():
    found = measure_spans(interview(span_pipeline()), SPANS, ROWS, "vector")
    # Recalls: 10/10, 5/10, 20/26 (its second reference is nowhere). Precisions: 10/10, 5/10, 20/40.
    assert found["span_recall@5"] == pytest.approx((1 + 0.5 + 20 / 26) / 3)
    assert found["span_precision@5"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert found["span_iou@5"] == pytest.approx((1 + 5 / 15 + 20 / 46) / 3)
    # Whole: the first and the third of four references; chunks of the set's corpora alone.
    assert found["boundary_integrity"] == 0.5
    assert found["mean_chunk_chars"] == pytest.approx(70 / 3)
    assert (found["questions"], found["mode"], found["not_indexed"]) == (3, "vector", 1)


def test_span_metrics_by_corpus_are_over_its_own_questions_and_chunks():
    found = measure_spans(interview(span_pipeline()), SPANS, ROWS, "vector")["by_corpus"]
    assert found["sea"] == {
        "span_recall@5": 0.75,
        "span_precision@5": 0.75,
        "span_iou@5": pytest.approx(2 / 3),
        "boundary_integrity": 0.5,
        "mean_chunk_chars": 15,
        "questions": 2,
    }
    assert (found["ice"]["mean_chunk_chars"], found["ice"]["boundary_integrity"]) == (40, 0.5)


def test_span_metrics_of_the_modes_stand_side_by_side_over_five_passages():
    found = measure_spans(interview(span_pipeline()), SPANS, ROWS, "vector")
    assert found["vector"] == {name: found[name] for name in ("span_recall@5", "span_precision@5", "span_iou@5")}
    # Precisions: 0, 5/20, and 20 found in five passages of 40 + 40 + 10 + 10 + 10.
    assert found["keyword"]["span_precision@5"] == pytest.approx((0.25 + 20 / 110) / 3)
    assert found["hybrid"] == {"span_recall@5": 0.0, "span_precision@5": 0.0, "span_iou@5": 0.0}


def test_spans_in_a_mode_that_the_store_lacks_are_refused():
    pipeline = span_pipeline(["vector"])
    with pytest.raises(UsageError, match="keyword needs BM25"):
        measure_spans(interview(pipeline), SPANS, ROWS, "keyword")
    found = measure_spans(interview(pipeline), SPANS, ROWS, "vector")
    assert found["keyword"] == {"unavailable": "The mode keyword needs BM25."}
