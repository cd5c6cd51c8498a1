"""Vector, keyword and hybrid search, each request within the asker's rights."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pymilvus import AnnSearchRequest

from lakerag.records import Passage, Vectors
from lakerag.stores.base import Query, Window
from lakerag.stores.milvus import fusion, layout
from lakerag.stores.milvus.connection import Connection
from lakerag.stores.milvus.expressions import any_key, inside
from lakerag.tables import INDEX_KEY, INDEX_VECTOR

MODES = ("vector", "keyword", "hybrid")
MIN_CANDIDATES = 50
"""Hits of each part at least, before they are fused."""
MIN_BREADTH = 100
"""Of the graph search."""
EXACT_ROWS = 2000
"""So few visible rows are compared one by one where the index comes up short."""

_WINDOWS = 32
"""Windows of one request."""
_MAX_AROUND = 2000
"""Chunks that one request for surroundings brings back at most."""

_PASSAGE = ["chunk_id", "doc_id", "path", "title", "heading", "text", "start", "end", "page", "alternates"]


def search(
    connection: Connection, name: str, visible: str, vectors: Vectors, queries: Sequence[Query]
) -> list[list[Passage]]:
    """Returns the passages of queries that differ in text and vector alone, best first.

    Where an index comes up short, vector search compares all visible rows; hybrid search
    leaves that to its keyword half.

    Args:
        connection: The store.
        name: Alias or collection.
        visible: From `expressions.allowed`: the rights and the condition of all queries.
        vectors: (len(queries), dimension).
        queries: All with the mode and top_k of the first.
    """
    first = queries[0]
    texts = [query.text for query in queries]
    if first.mode == "keyword":
        return _ask(connection, name, _keyword(texts, visible, first.top_k))
    if first.mode == "hybrid":
        candidates = max(MIN_CANDIDATES, 2 * first.top_k)
        parts = [_nearest(vectors, visible, candidates), _keyword(texts, visible, candidates)]
        return _fuse(connection, name, parts, first.top_k)
    found = _ask(connection, name, _nearest(vectors, visible, first.top_k))
    short = [place for place, passages in enumerate(found) if len(passages) < first.top_k]
    for place, passages in zip(short, _exact(connection, name, vectors[short], visible, first.top_k), strict=False):
        found[place] = passages
    return found


def around(connection: Connection, name: str, visible: str, windows: Sequence[Window]) -> list[Passage]:
    """Returns the visible chunks that reach into the windows."""
    return [
        _passage(row, 0.0)
        for first in range(0, len(windows), _WINDOWS)
        for row in _rows(
            connection, name, f"{visible} and {inside(windows[first : first + _WINDOWS])}", _PASSAGE, _MAX_AROUND
        )
    ]


def _nearest(vectors: Vectors, visible: str, limit: int) -> AnnSearchRequest:
    breadth = {"ef": max(MIN_BREADTH, limit)}
    options = {"metric_type": layout.VECTOR_METRIC, "params": breadth}
    return AnnSearchRequest(list(vectors), INDEX_VECTOR, options, limit, visible)


def _keyword(texts: Sequence[str], visible: str, limit: int) -> AnnSearchRequest:
    return AnnSearchRequest(list(texts), layout.SPARSE, {"metric_type": layout.SPARSE_METRIC}, limit, visible)


def _ask(connection: Connection, name: str, request: AnnSearchRequest) -> list[list[Passage]]:
    found = connection.call(
        connection.client.search,
        name,
        request.data,
        filter=request.expr,
        limit=request.limit,
        output_fields=_PASSAGE,
        search_params=request.param,
        anns_field=request.anns_field,
        consistency_level=connection.address.consistency,
    )
    # BM25 is never negative, but Lite turns its sign: the size is the score everywhere.
    scored = abs if request.anns_field == layout.SPARSE else float
    return [[_passage(hit["entity"], scored(hit["distance"])) for hit in hits] for hits in found]


def _fuse(connection: Connection, name: str, parts: list[AnnSearchRequest], limit: int) -> list[list[Passage]]:
    """Searches every part and adds the scores up."""
    results = []
    for found in zip(*(_ask(connection, name, part) for part in parts), strict=True):
        rows = {passage.chunk_id: passage for passages in found for passage in passages}
        scores = [{passage.chunk_id: passage.score for passage in passages} for passages in found]
        fused = fusion.fuse(scores, parts[0].limit, limit)
        results.append([replace(rows[key], score=score) for key, score in fused])
    return results


def _exact(connection: Connection, name: str, vectors: Vectors, visible: str, limit: int) -> list[list[Passage]]:
    """Compares every visible row with every vector; nothing when there are too many rows.

    A graph or cluster index walks past rows that few askers may see: with 20 of 20,000
    rows visible, Milvus 2.3.5 found one of them. Where it finds fewer than were asked
    for, few are visible, and comparing them is cheap.
    """
    if not len(vectors):
        return []
    rows = _rows(connection, name, visible, [INDEX_KEY, INDEX_VECTOR], EXACT_ROWS + 1)
    if not rows or len(rows) > EXACT_ROWS:
        return []
    held = np.asarray([row[INDEX_VECTOR] for row in rows], dtype=np.float32)
    scores = _unit(vectors) @ _unit(held).T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
    keys = [row[INDEX_KEY] for row in rows]
    wanted = sorted({keys[place] for places in best for place in places})
    fields = {
        row[INDEX_KEY]: row
        for row in _rows(connection, name, f"{visible} and {any_key(wanted)}", _PASSAGE, len(wanted))
    }
    return [
        [_passage(fields[keys[place]], float(scores[n, place])) for place in places if keys[place] in fields]
        for n, places in enumerate(best)
    ]


def _rows(connection: Connection, name: str, visible: str, fields: list[str], limit: int) -> list[dict[str, Any]]:
    return list(
        connection.call(
            connection.client.query,
            name,
            filter=visible,
            output_fields=fields,
            limit=limit,
            consistency_level=connection.address.consistency,
        )
    )


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def _passage(fields: Mapping[str, Any], score: float) -> Passage:
    held = {name: fields[name] for name in _PASSAGE}
    return Passage(**{**held, "alternates": tuple(held["alternates"])}, score=score)
