"""Metrics of chunk boundaries, each with a value worked out by hand."""

import pytest

from lakerag.evaluation.spans import Span, common, score_index, score_spans, size, union

A = "a.md"
B = "b.md"


def test_overlapping_and_touching_spans_of_one_document_are_joined():
    assert union([Span(A, 8, 12), Span(B, 0, 5), Span(A, 0, 5), Span(A, 5, 7), Span(A, 9, 10)]) == [
        Span(A, 0, 7),
        Span(A, 8, 12),
        Span(B, 0, 5),
    ]
    assert size([Span(A, 0, 10), Span(A, 5, 15), Span(B, 0, 10)]) == 25


def test_the_same_characters_of_two_documents_are_different_positions():
    assert common([Span(A, 0, 10)], [Span(B, 0, 10)]) == 0
    assert common([Span(A, 0, 10), Span(A, 20, 30)], [Span(A, 5, 25), Span(A, 5, 8)]) == 10


def test_recall_precision_and_iou_of_partly_found_references():
    # 20 characters wanted, 40 retrieved, 10 of them wanted.
    found = score_spans([Span(A, 0, 10), Span(A, 50, 60)], [Span(A, 0, 20), Span(B, 50, 70)])
    assert found == pytest.approx({"span_recall@5": 0.5, "span_precision@5": 0.25, "span_iou@5": 10 / 50})


def test_text_retrieved_twice_counts_twice_against_precision():
    # 10 wanted, all found; 20 + 20 retrieved although they overlap.
    found = score_spans([Span(A, 10, 20)], [Span(A, 0, 20), Span(A, 5, 25)])
    assert found == pytest.approx({"span_recall@5": 1.0, "span_precision@5": 0.25, "span_iou@5": 10 / 40})


def test_overlapping_references_are_wanted_once():
    found = score_spans([Span(A, 0, 10), Span(A, 5, 15)], [Span(A, 0, 30)])
    assert found == pytest.approx({"span_recall@5": 1.0, "span_precision@5": 0.5, "span_iou@5": 0.5})


def test_nothing_retrieved_is_zero():
    found = score_spans([Span(A, 0, 10)], [])
    assert found == {"span_recall@5": 0.0, "span_precision@5": 0.0, "span_iou@5": 0.0}


def test_a_reference_is_whole_only_inside_one_chunk():
    chunks = [Span(A, 0, 10), Span(A, 10, 30), Span(B, 0, 80)]
    # Exactly a chunk: whole. Across a cut: not, although both halves are indexed. Elsewhere: not.
    references = [Span(A, 0, 10), Span(A, 5, 15), Span(A, 25, 31), Span(B, 1, 2)]
    assert score_index(references, chunks) == {"boundary_integrity": 0.5, "mean_chunk_chars": pytest.approx(110 / 3)}


def test_an_empty_index_has_no_mean_length():
    assert score_index([Span(A, 0, 10)], []) == {"boundary_integrity": 0.0, "mean_chunk_chars": None}
