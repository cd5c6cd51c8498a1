"""Metrics of ranked documents, each with a value worked out by hand."""

import math

import pytest

from lakerag.evaluation.means import means, share
from lakerag.evaluation.retrieval import METRICS, ndcg, rank_documents, recall, reciprocal_rank, score_ranking

TEN_OTHERS = [f"other{n}" for n in range(10)]


def test_a_document_is_ranked_by_its_best_chunk():
    assert rank_documents(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


def test_recall_counts_the_relevant_documents_among_the_first_k():
    ranking = ["a", "x", "b", "y"]
    assert [recall(ranking, {"a", "b"}, k) for k in (1, 2, 3)] == [0.5, 0.5, 1.0]
    assert recall(ranking, {"missing"}, 4) == 0.0


def test_reciprocal_rank_is_that_of_the_first_relevant_document():
    assert reciprocal_rank(["x", "y", "a", "b"], {"a", "b"}) == pytest.approx(1 / 3)
    assert reciprocal_rank([*TEN_OTHERS[:9], "a"], {"a"}) == pytest.approx(0.1)
    assert reciprocal_rank([*TEN_OTHERS, "a"], {"a"}) == 0.0


def test_discounted_gain_is_measured_against_the_best_that_can_be():
    # Found at ranks 1 and 3 of two: (1 + 1/2) / (1 + 1/log2(3)).
    assert ndcg(["a", "x", "b"], {"a", "b"}) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert ndcg(["x", "a"], {"a"}) == pytest.approx(0.6309297535714575)
    assert ndcg([*TEN_OTHERS, "a"], {"a"}) == 0.0


def test_the_best_that_can_be_is_ten_documents():
    twelve = [f"d{n}" for n in range(12)]
    assert ndcg(twelve, set(twelve)) == pytest.approx(1.0)


def test_all_metrics_of_one_question():
    ranking = ["x", "y", "z", "u", "v", "a"]
    assert score_ranking(ranking, {"a"}) == pytest.approx(
        {"recall@1": 0, "recall@5": 0, "recall@10": 1, "mrr@10": 1 / 6, "ndcg@10": 1 / math.log2(7)}
    )
    assert tuple(score_ranking(ranking, {"a"})) == METRICS


def test_every_question_counts_the_same():
    assert means([{"m": 1.0}, {"m": 0.0}, {"m": 0.5}], ["m"]) == {"m": 0.5}


def test_nothing_to_average_is_no_zero():
    assert means([], ["m"]) == {"m": None}
    assert share(0, 0) is None
    assert share(1, 4) == 0.25
