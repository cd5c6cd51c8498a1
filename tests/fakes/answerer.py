"""An answerer for Spark workers, found there by its name; nothing is loaded."""

from collections.abc import Mapping
from typing import Any


class RightsAnswerer:
    """Answers with the rights that it was asked with."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._label = values["label"]

    @classmethod
    def open(cls, values: Mapping[str, Any]) -> "RightsAnswerer":
        return cls(values)

    def predict(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "answer": f"{record['question']} {record['tenant']}:{'+'.join(record['groups'])}",
                "abstained": False,
                "reason": "",
                "confidence": 0.75,
                "citations": [_place(1) | {"n": 1, "excerpt": "words"}],
                "generator": "rights",
                "model_version": self._label,
            }
            for record in data
        ]

    def search(self, data: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        return [
            [_place(n) | {"text": f"{record['question']} {record['tenant']}"} for n in range(record.get("top_k", 1))]
            for record in data
        ]


def _place(n: int) -> dict[str, Any]:
    names = ("chunk_id", "doc_id", "path", "title", "heading")
    return {**dict.fromkeys(names, f"p{n}"), "start": n, "end": n + 5, "score": 0.5, "page": 0, "alternates": []}
