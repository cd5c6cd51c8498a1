import pytest

from lakerag.errors import GateMissedError
from lakerag.evaluation.gates import require
from lakerag.evaluation.quality import Measurement, compare, flatten

RESULT = {"hybrid": {"recall@5": 0.9, "mrr@10": None}, "abstention": {"false_refusal": 0.2}, "queries": 7}


def measured(**metrics: float | None) -> Measurement:
    return Measurement("qa", metrics, "sha", "docs_1", "space")


def test_metrics_are_named_by_their_place_in_the_result() -> None:
    names = ("hybrid.recall@5", "hybrid.mrr@10", "vector.recall@5", "abstention.false_refusal")
    assert flatten(RESULT, names) == {"hybrid.recall@5": 0.9, "hybrid.mrr@10": None, "abstention.false_refusal": 0.2}


def test_a_metric_that_falls_further_than_allowed_below_the_median_is_an_alarm() -> None:
    before = {"f1": [0.9, 0.5, 0.8], "em": [0.8], "contains": [0.9]}
    assert compare(measured(f1=0.74, em=0.76, contains=None, new=0.1), before, 0.05) == [
        {"metric": "f1", "value": 0.74, "reference": 0.8, "alarm": True},
        {"metric": "em", "value": 0.76, "reference": 0.8, "alarm": False},
        {"metric": "contains", "value": None, "reference": 0.9, "alarm": True},
        {"metric": "new", "value": 0.1, "reference": None, "alarm": False},
    ]


def test_fewer_false_refusals_are_no_alarm() -> None:
    found = measured(**{"abstention.false_refusal": 0.1})
    assert not compare(found, {"abstention.false_refusal": [0.5]}, 0.05)[0]["alarm"]


def test_every_missed_gate_of_a_promotion_is_named() -> None:
    results = {"qa": {"contains": 0.71, "em": 0.5, "abstention": {"precision": None}}}
    assert require({"qa.contains": 0.7, "qa.em": 0.5}, results) == {"qa.contains": 0.71, "qa.em": 0.5}
    with pytest.raises(GateMissedError) as caught:
        require({"qa.contains": 0.8, "qa.em": 0.1, "qa.abstention.precision": 0.9}, results)
    assert str(caught.value) == (
        "The model misses its gates: qa.contains is 0.710, wanted 0.8; "
        "qa.abstention.precision is without a value, wanted 0.9. The champion stays."
    )
    assert caught.value.exit_code == 4
