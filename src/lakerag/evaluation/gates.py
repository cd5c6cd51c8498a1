"""Least values that metrics must reach."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakerag.errors import GateMissedError, UsageError


@dataclass(frozen=True, slots=True)
class Gate:
    """A metric and its least value."""

    metric: str
    """Keys of the result, joined by dots: `hybrid.mrr@10`."""
    least: float


def require(least: Mapping[str, float], results: Mapping[str, Any]) -> dict[str, float]:
    """Returns the metrics that a promotion asks for, by name with the kind in front.

    Args:
        least: Least values by name.
        results: One document a kind.

    Raises:
        GateMissedError: Some are below; all of them are named.
    """
    checked = check_gates([Gate(metric, value) for metric, value in least.items()], results)
    missed = [gate for gate in checked if not gate["passed"]]
    if missed:
        said = "; ".join(f"{gate['metric']} is {_said(gate['found'])}, wanted {gate['min']}" for gate in missed)
        raise GateMissedError(f"The model misses its gates: {said}. The champion stays.", gates=missed)
    return {gate["metric"]: gate["found"] for gate in checked}


def _said(found: float | None) -> str:
    return "without a value" if found is None else f"{found:.3f}"


def parse_gates(texts: Sequence[str], known: Collection[str]) -> list[Gate]:
    """Returns the gates of `metric=value` texts.

    Raises:
        UsageError: Not of that form, or a metric that the evaluation does not give.
    """
    return [_parse(text, known) for text in texts]


def _parse(text: str, known: Collection[str]) -> Gate:
    metric, _, value = text.partition("=")
    try:
        least = float(value)
    except ValueError:
        raise UsageError(f"--min {text}: expected METRIC=VALUE, such as {min(known)}=0.5.", gate=text) from None
    if metric not in known:
        near = difflib.get_close_matches(metric, known, n=1, cutoff=0.0)[0]
        raise UsageError(f"--min {text}: there is no metric {metric!r} here; the nearest is {near}.", gate=text)
    return Gate(metric, least)


def check_gates(gates: Sequence[Gate], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns one record a gate: `metric`, `min`, `found`, `passed`; a metric without a value misses it."""
    return [_check(gate, _value(result, gate.metric)) for gate in gates]


def _check(gate: Gate, found: float | None) -> dict[str, Any]:
    passed = found is not None and found >= gate.least
    return {"metric": gate.metric, "min": gate.least, "found": found, "passed": passed}


def _value(result: Mapping[str, Any], metric: str) -> float | None:
    value: Any = result
    for key in metric.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else float(value)
