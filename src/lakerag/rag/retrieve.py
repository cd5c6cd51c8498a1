"""Questions to passages: one embedding call, one search call, rights always inside the query."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lakerag.errors import CollectionMissingError, DimensionMismatchError, MixedSpacesError, UsageError
from lakerag.models.base import Embedder
from lakerag.records import Passage, Question, Vectors
from lakerag.stores.base import Collection, Query, VectorStore
from lakerag.stores.filters import parse
from lakerag.stores.generations import former

REFRESH_S = 1.0
"""Age at which the collection behind the alias is looked up again."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages of some questions, and what finding them took."""

    passages: list[list[Passage]]
    """By question, best first."""
    embed_ms: float
    search_ms: float


class Retriever:
    """Finds passages in the collection behind an alias.

    Searches go to the collection that the alias pointed at when it was last checked, never to
    the alias itself: a question is only ever compared with vectors of the embedder's own space,
    even while the alias moves. A move is noticed within `REFRESH_S`; after one to another space
    they go to the collection that is kept for the way back.

    Args:
        embedder: Must be the one that the collection was filled with.
        store: Where to search.
        alias: Alias or collection.
        fields: Metadata keys that filters may name, and their kinds.
        clock: Seconds that only grow.

    Raises:
        CollectionMissingError: The alias points at nothing.
        MixedSpacesError: The collection holds vectors of another model.
        DimensionMismatchError: The collection holds vectors of another length.
    """

    def __init__(
        self,
        embedder: Embedder,
        store: VectorStore,
        alias: str,
        fields: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._alias = alias
        self._fields = fields
        self._clock = clock
        self._collection = self._look_up()

    def retrieve(self, questions: Sequence[Question]) -> Retrieved:
        """Returns the passages of every question, in the questions' order.

        Raises:
            UsageError: A question or a filter cannot be searched for.
            CollectionMissingError, MixedSpacesError, DimensionMismatchError: As above, after the alias moved.
            StoreUnavailableError: The store does not answer.
        """
        queries = [self._query(question) for question in questions]
        begin = time.perf_counter()
        vectors = self._embed(questions)
        embedded = time.perf_counter()
        passages = self._search(vectors, queries)
        searched = time.perf_counter()
        return Retrieved(passages, (embedded - begin) * 1e3, (searched - embedded) * 1e3)

    def is_empty(self) -> bool:
        """Returns whether the collection that was searched last holds no rows at all."""
        return self._store.count(self._collection.name) == 0

    def _query(self, question: Question) -> Query:
        return Query(
            text=question.question,
            access=question.access,
            top_k=question.top_k,
            mode=question.mode,
            condition=parse(question.filter, self._fields) if question.filter.strip() else None,
        )

    def _embed(self, questions: Sequence[Question]) -> Vectors:
        """Returns (len(questions), dimension) vectors; zeros for questions that need none."""
        vectors = np.zeros((len(questions), self._embedder.space.dimension), dtype=np.float32)
        rows = [row for row, question in enumerate(questions) if question.mode != "keyword"]
        for row in rows:
            self._check_length(questions[row].question)
        if rows:
            vectors[rows] = self._embedder.embed([questions[row].question for row in rows])
        return vectors

    def _check_length(self, question: str) -> None:
        found, limit = self._embedder.tokenizer.count(question), self._embedder.tokenizer.max_tokens
        if found > limit:
            raise UsageError(
                f"Expected a question of at most {limit} word pieces, which is what the embedder reads; "
                f"found {found}. Shorten it, or use mode keyword.",
                tokens=found,
                max_tokens=limit,
            )

    def _search(self, vectors: Vectors, queries: Sequence[Query]) -> list[list[Passage]]:
        if self._clock() - self._checked_at >= REFRESH_S:
            self._collection = self._look_up()
        try:
            return self._store.search(self._collection.name, vectors, queries)
        except CollectionMissingError:
            # It may have been dropped after the alias moved on.
            self._collection = self._look_up()
            return self._store.search(self._collection.name, vectors, queries)

    def _look_up(self) -> Collection:
        now = self._clock()
        try:
            collection = self._store.resolve(self._alias)
        except CollectionMissingError as error:
            raise CollectionMissingError(
                f"There is no index behind the alias {self._alias!r}. Run `lakerag run` to build it.",
                alias=self._alias,
            ) from error
        if collection.space != self._embedder.space.name:
            # A process that was started before a rebuild answers on from what is kept, until it is replaced.
            kept = former(self._store, self._alias)
            collection = kept if kept is not None and kept.space == self._embedder.space.name else collection
        self._check_space(collection)
        self._checked_at = now
        return collection

    def _check_space(self, collection: Collection) -> None:
        space = self._embedder.space
        advice = "Use the embedder that the index was built with, or run `lakerag rebuild`."
        if collection.dimension != space.dimension:
            raise DimensionMismatchError(
                f"Expected vectors of {space.dimension} numbers in the collection {collection.name}, "
                f"found {collection.dimension}. {advice}",
                expected=space.dimension,
                found=collection.dimension,
            )
        if collection.space != space.name:
            raise MixedSpacesError(
                f"Expected the embedding space {space.name} in the collection {collection.name}, "
                f"found {collection.space}. {advice}",
                expected=space.name,
                found=collection.space,
            )
