"""Models and a store in memory, at least as strict as the real ones."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lakerag.errors import CollectionMissingError, RowRefusedError, StoreUnavailableError
from lakerag.models.base import EmbeddingSpace
from lakerag.records import PUBLIC_GROUP, Access, Draft, Passage, Prompt, Sentence, Vectors
from lakerag.stores.base import Collection, Query, Window

PUBLIC = Access(groups=(PUBLIC_GROUP,))


class WordTokenizer:
    """Every run of word characters is one word piece."""

    max_tokens = 12

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+", text)]

    def count(self, text: str) -> int:
        return len(self.spans(text))


class WordEmbedder:
    """Unit vectors that count words; texts that share words are close. Keeps its calls."""

    def __init__(self, revision: str = "000000000000", dimension: int = 64) -> None:
        self.space = EmbeddingSpace("words", revision, "mean", True, dimension)
        self.tokenizer = WordTokenizer()
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        for text in texts:
            if self.tokenizer.count(text) > self.tokenizer.max_tokens:
                raise RowRefusedError("too long")
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Any:
        vector = np.zeros(self.space.dimension, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[sum(ord(c) * 31**i for i, c in enumerate(word)) % self.space.dimension] += 1
        return vector / max(float(np.linalg.norm(vector)), 1e-9)


class MemoryStore:
    """Rows by collection with rights; searches by cosine."""

    def __init__(self, embedder: WordEmbedder) -> None:
        self._embedder = embedder
        self._rows: dict[str, list[tuple[Passage, Access, Vectors]]] = {}
        self._known: dict[str, Collection] = {}
        self._aliases: dict[str, str] = {}
        self.down = False
        self.searches: list[tuple[str, list[Query]]] = []

    def create(self, collection: Collection) -> None:
        self._known[collection.name] = collection
        self._rows[collection.name] = []

    def drop(self, name: str) -> None:
        self._known.pop(name, None)
        self._rows.pop(name, None)

    def collections(self) -> list[Collection]:
        return sorted(self._known.values(), key=lambda collection: collection.name)

    def point(self, alias: str, name: str) -> None:
        self._collection(name)
        self._aliases[alias] = name

    def resolve(self, alias: str) -> Collection:
        return self._collection(self._aliases.get(alias, alias))

    def put(self, name: str, passage: Passage, access: Access = PUBLIC) -> None:
        """Adds a passage that the tenant and groups of `access` may see."""
        self._rows[name].append((passage, access, self._embedder._vector(passage.text)))

    def upsert(self, name: str, rows: Sequence[Mapping[str, Any]]) -> int:
        raise NotImplementedError

    def delete(self, name: str, chunk_ids: Sequence[str]) -> int:
        raise NotImplementedError

    def around(self, name: str, access: Access, windows: Sequence[Window]) -> list[Passage]:
        groups = {PUBLIC_GROUP, *access.groups}
        return [
            _scored(passage, 0.0)
            for passage, rights, _ in self._rows[name]
            if rights.tenant in ("", access.tenant)
            and groups & set(rights.groups)
            and any(passage.doc_id == w.doc_id and passage.start < w.end and passage.end > w.start for w in windows)
        ]

    def scan(self, name: str, fields: Sequence[str], batch_rows: int = 1000) -> Iterator[list[dict[str, Any]]]:
        raise NotImplementedError

    def close(self) -> None: ...

    def count(self, name: str) -> int:
        self._collection(name)
        return len(self._rows[name])

    def search(self, name: str, vectors: Vectors, queries: Sequence[Query]) -> list[list[Passage]]:
        self.searches.append((name, list(queries)))
        collection = self._collection(name)
        assert vectors.shape == (len(queries), collection.dimension)
        assert vectors.dtype == np.float32
        return [self._best(name, vector, query) for vector, query in zip(vectors, queries, strict=True)]

    def _best(self, name: str, vector: Vectors, query: Query) -> list[Passage]:
        groups = {PUBLIC_GROUP, *query.access.groups}
        scored = [
            (float(vector @ row), passage)
            for passage, access, row in self._rows[name]
            if access.tenant in ("", query.access.tenant) and groups & set(access.groups)
        ]
        scored.sort(key=lambda pair: -pair[0])
        return [_scored(passage, score) for score, passage in scored[: query.top_k]]

    def _collection(self, name: str) -> Collection:
        if self.down:
            raise StoreUnavailableError("down")
        if name not in self._known:
            raise CollectionMissingError(name)
        return self._known[name]


class ScriptedGenerator:
    """Says what the test gave it; abstains where there are no passages. Keeps its prompts."""

    name = "scripted"
    max_prompt_tokens = 1000

    def __init__(self, *sentences: Sentence, confidence: float = 0.9) -> None:
        self._draft = Draft(sentences, confidence, abstained=False)
        self.prompts: list[Prompt] = []
        self.max_new_tokens: list[int | None] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:
        self.prompts += prompts
        self.max_new_tokens.append(max_new_tokens)
        nothing = Draft((), 0.0, abstained=True, reason="no passages")
        return [self._draft if prompt.passages else nothing for prompt in prompts]


def passage(text: str, chunk_id: str = "c1", start: int = 0, score: float = math.nan) -> Passage:
    """A passage of the document `d-<chunk_id>`."""
    return Passage(
        chunk_id=chunk_id,
        doc_id=f"d-{chunk_id}",
        path=f"{chunk_id}.md",
        title=f"Title {chunk_id}",
        heading="",
        text=text,
        start=start,
        end=start + len(text),
        score=score,
    )


def _scored(found: Passage, score: float) -> Passage:
    return Passage(
        found.chunk_id, found.doc_id, found.path, found.title, found.heading, found.text, found.start, found.end, score
    )
