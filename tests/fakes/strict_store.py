"""A VectorStore in memory that is stricter than Milvus and fails on demand."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lakerag.errors import (
    CollectionMissingError,
    DimensionMismatchError,
    MixedSpacesError,
    StoreUnavailableError,
    UsageError,
)
from lakerag.records import PUBLIC_GROUP, Access, Passage, Vectors
from lakerag.stores import rows as contract
from lakerag.stores.base import Collection, Query, Row, Window
from lakerag.stores.filters import Comparison, Condition, Every
from lakerag.tables import INDEX_FIELDS, INDEX_KEY, INDEX_VECTOR

_PASSAGE = ("chunk_id", "doc_id", "path", "title", "heading", "text", "start", "end", "page", "alternates")


class StrictStore:
    """Rows by collection; refuses what the strictest store refuses, in every order.

    `fail_after(n)` lets n more rows be written or removed, then times out half-way through
    the request, as a store that dies does. `crash()` refuses everything until `restart()`.
    Keyword mode counts shared words.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._held: dict[str, dict[str, dict[str, Any]]] = {}
        self._known: dict[str, Collection] = {}
        self._aliases: dict[str, str] = {}
        self._budget: int | None = None
        self._crashed = False
        self.writes: list[tuple[str, str]] = []
        """(`upsert` or `delete`, chunk_id) in the order of the writes."""

    def fail_after(self, rows: int | None) -> None:
        self._budget = rows

    def crash(self) -> None:
        self._crashed = True

    def restart(self) -> None:
        self._crashed, self._budget = False, None

    def create(self, collection: Collection) -> None:
        self._answer()
        found = self._known.setdefault(collection.name, collection)
        if found != collection:
            raise MixedSpacesError(f"{collection.name} holds {found}, wanted {collection}")
        self._held.setdefault(collection.name, {})

    def drop(self, name: str) -> None:
        self._answer()
        self._known.pop(name, None)
        self._held.pop(name, None)
        self._aliases = {alias: behind for alias, behind in self._aliases.items() if behind != name}

    def collections(self) -> list[Collection]:
        self._answer()
        return [self._known[name] for name in sorted(self._known)]

    def point(self, alias: str, name: str) -> None:
        self._aliases[alias] = self.resolve(name).name

    def resolve(self, alias: str) -> Collection:
        self._answer()
        name = self._aliases.get(alias, alias)
        if name not in self._known:
            raise CollectionMissingError(f"no collection {alias!r}", name=alias)
        return self._known[name]

    def upsert(self, name: str, rows: Sequence[Row]) -> int:
        collection = self.resolve(name)
        contract.check(rows, collection.dimension)
        for row in self._random.sample(list(rows), len(rows)):
            self._spend()
            self._held[collection.name][row[INDEX_KEY]] = contract.encode(row)
            self.writes.append(("upsert", row[INDEX_KEY]))
        return len(rows)

    def delete(self, name: str, chunk_ids: Sequence[str]) -> int:
        collection = self.resolve(name)
        for key in self._random.sample(list(chunk_ids), len(chunk_ids)):
            self._spend()
            self._held[collection.name].pop(key, None)
            self.writes.append(("delete", key))
        return len(chunk_ids)

    def count(self, name: str) -> int:
        return len(self._held[self.resolve(name).name])

    def search(self, name: str, vectors: Vectors, queries: Sequence[Query]) -> list[list[Passage]]:
        collection = self.resolve(name)
        if any(query.mode not in ("vector", "keyword", "hybrid") or query.top_k < 1 for query in queries):
            raise UsageError("unknown mode or top_k")
        by_vector = any(query.mode != "keyword" for query in queries)
        if by_vector and vectors.shape != (len(queries), collection.dimension):
            raise DimensionMismatchError(f"{vectors.shape} for {collection}")
        held = self._held[collection.name].values()
        return [self._best(held, vectors[n] if len(vectors) else None, query) for n, query in enumerate(queries)]

    def around(self, name: str, access: Access, windows: Sequence[Window]) -> list[Passage]:
        held = self._held[self.resolve(name).name].values()
        return [
            _passage(0.0, row)
            for row in held
            if can_see(access, row)
            and any(row["doc_id"] == w.doc_id and row["start"] < w.end and row["end"] > w.start for w in windows)
        ]

    def scan(self, name: str, fields: Sequence[str], batch_rows: int = 1000) -> Iterator[list[dict[str, Any]]]:
        held = list(self._held[self.resolve(name).name].values())
        self._random.shuffle(held)
        for first in range(0, len(held), batch_rows):
            self._answer()
            yield [{field: _read(field, row[field]) for field in fields} for row in held[first : first + batch_rows]]

    def close(self) -> None:
        """Nothing is held open."""

    def _answer(self) -> None:
        if self._crashed:
            raise StoreUnavailableError("the store is down")

    def _spend(self) -> None:
        self._answer()
        if self._budget is not None:
            if self._budget == 0:
                self._budget = None
                raise StoreUnavailableError("the store timed out half-way")
            self._budget -= 1

    def _best(self, held: Any, vector: Any, query: Query) -> list[Passage]:
        visible = [row for row in held if can_see(query.access, row) and holds(query.condition, row)]
        by_vector = _ranked((_cosine(vector, row), row) for row in visible) if query.mode != "keyword" else []
        by_words = _ranked((_shared(query.text, row), row) for row in visible) if query.mode != "vector" else []
        by_words = [(score, row) for score, row in by_words if score > 0]
        ranked = {"vector": by_vector, "keyword": by_words, "hybrid": _fused(by_vector, by_words)}[query.mode]
        return [_passage(score, row) for score, row in ranked[: query.top_k]]


def can_see(access: Access, row: Mapping[str, Any]) -> bool:
    """The rule of rights, in Python."""
    return row["tenant"] in ("", access.tenant) and bool({PUBLIC_GROUP, *access.groups} & set(row["acl_groups"]))


def holds(condition: Condition | None, row: Mapping[str, Any]) -> bool:
    """The meaning of a filter, in Python: two-valued, an absent field equals nothing."""
    if condition is None:
        return True
    if not isinstance(condition, Comparison):
        every = isinstance(condition, Every)
        return (all if every else any)(holds(part, row) for part in condition.conditions)
    return _compared(condition, row) != condition.negated


def _compared(comparison: Comparison, row: Mapping[str, Any]) -> bool:
    field = comparison.field
    section = {"number": "number", "texts": "texts"}.get(field.kind, "text")
    held = row["metadata"][section].get(field.name) if field.metadata else row[field.name]
    if held is None:
        return False
    value: Any = comparison.values[0]
    return {
        "==": lambda: held == value,
        "<": lambda: held < value,
        "<=": lambda: held <= value,
        ">": lambda: held > value,
        ">=": lambda: held >= value,
        "in": lambda: held in comparison.values,
        "has": lambda: value in held,
    }[comparison.op]()


def _ranked(scored: Any) -> list[tuple[float, dict[str, Any]]]:
    return sorted(scored, key=lambda pair: (-pair[0], pair[1][INDEX_KEY]))


def _fused(*rankings: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, dict[str, Any]]]:
    """Mean standard scores; a row that shares no word with the query shares 0."""
    held = {row[INDEX_KEY]: row for ranking in rankings for _, row in ranking}
    if not held:
        return []
    parts = [{row[INDEX_KEY]: score for score, row in ranking} for ranking in rankings]
    table = np.array([[part.get(key, 0.0) for part in parts] for key in held]).reshape(len(held), len(parts))
    spread = table.std(axis=0)
    standard = (table - table.mean(axis=0)) / np.where(spread, spread, 1)
    brought = {key: sum(key in part for part in parts) for key in held}
    scored = [(float(row.mean()), key) for row, key in zip(standard, held, strict=True)]
    best = sorted(scored, key=lambda pair: (-round(pair[0], 9), -brought[pair[1]], pair[1]))
    return [(score, held[key]) for score, key in best]


def _cosine(vector: Any, row: Mapping[str, Any]) -> float:
    held = row[INDEX_VECTOR]
    return float(vector @ held / (np.linalg.norm(vector) * np.linalg.norm(held) or 1))


def _shared(text: str, row: Mapping[str, Any]) -> float:
    return float(len(set(text.lower().split()) & set(row["text"].lower().split())))


def _passage(score: float, row: Mapping[str, Any]) -> Passage:
    held = {name: row[name] for name in _PASSAGE}
    return Passage(**{**held, "alternates": tuple(held["alternates"])}, score=score)


def _read(field: str, held: Any) -> Any:
    kind = next((known.kind for known in INDEX_FIELDS if known.name == field), "")
    return contract.untyped(held) if kind == "map" else held
