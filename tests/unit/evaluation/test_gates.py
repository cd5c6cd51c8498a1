"""Gates on metrics."""

import pytest

from lakerag.errors import UsageError
from lakerag.evaluation.gates import Gate, check_gates, parse_gates

KNOWN = ["em", "abstention.f1", "hybrid.mrr@10"]
RESULT = {"em": 0.5, "abstention": {"f1": None}, "hybrid": {"mrr@10": 0.4}, "keyword": {"unavailable": "no BM25"}}


def test_a_gate_names_a_metric_and_its_least_value():
    assert parse_gates(["hybrid.mrr@10=0.5", "em=0"], KNOWN) == [Gate("hybrid.mrr@10", 0.5), Gate("em", 0.0)]


def test_an_unknown_metric_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"no metric 'hybrid\.mrr' here; the nearest is hybrid\.mrr@10"):
        parse_gates(["hybrid.mrr=0.5"], KNOWN)


@pytest.mark.parametrize("text", ["em", "em=", "em=high", "=0.5x"])
def test_a_gate_without_a_number_is_refused(text):
    with pytest.raises(UsageError, match="expected METRIC=VALUE"):
        parse_gates([text], KNOWN)


def test_a_gate_is_passed_from_its_value_on():
    gates = [Gate("em", 0.5), Gate("hybrid.mrr@10", 0.41)]
    assert check_gates(gates, RESULT) == [
        {"metric": "em", "min": 0.5, "found": 0.5, "passed": True},
        {"metric": "hybrid.mrr@10", "min": 0.41, "found": 0.4, "passed": False},
    ]


@pytest.mark.parametrize("metric", ["abstention.f1", "keyword.mrr@10", "spans.span_recall@5"])
def test_a_metric_without_a_value_misses_its_gate(metric):
    assert check_gates([Gate(metric, 0.0)], RESULT) == [{"metric": metric, "min": 0.0, "found": None, "passed": False}]
