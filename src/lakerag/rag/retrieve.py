"""Questions to passages: one embedding call, one search call, rights always inside the query."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from lakerag.config import Retrieval
from lakerag.errors import CollectionMissingError, DimensionMismatchError, MixedSpacesError, UsageError
from lakerag.models.base import Embedder
from lakerag.rag.joining import by_document, join_all, windows
from lakerag.rag.steps import Steps
from lakerag.records import Access, Passage, Question, Vectors
from lakerag.stores.base import Collection, Query, VectorStore
from lakerag.stores.filters import parse

REFRESH_S = 1.0
"""Age at which the collection behind the alias is looked up again."""


class Retriever:
    """Finds passages in the collection behind an alias.

    Searches go to the collection that the alias pointed at when it was last checked, never to
    the alias itself: a question is only ever compared with vectors of the embedder's own space,
    even while the alias moves. A move is noticed within `REFRESH_S`; after one to another space
    they stay with the collection that they went to, as long as it is kept for the way back. That
    one learns of deletions and rights no longer, so that nobody begins with it.

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
        self._collection = self._look_up(follow=False)

    def retrieve(
        self, questions: Sequence[Question], steps: Steps, candidates: Callable[[int], int] = lambda top_k: top_k
    ) -> list[list[Passage]]:
        """Returns the passages of every question, best first, in the questions' order.

        Args:
            questions: Asked together.
            steps: Take the times of `embed` and `search`.
            candidates: How many passages to look for, by a question's `top_k`.

        Raises:
            UsageError: A question or a filter cannot be searched for.
            CollectionMissingError, MixedSpacesError, DimensionMismatchError: As above, after the alias moved.
            StoreUnavailableError: The store does not answer.
        """
        queries = [self._query(question, candidates(question.top_k)) for question in questions]
        with steps.step("embed", questions=len(questions)):
            vectors = self._embed(questions)
        with steps.step("search", queries=len(queries)):
            return self._search(vectors, queries)

    def surround(
        self, questions: Sequence[Question], found: list[list[Passage]], limits: Retrieval, steps: Steps
    ) -> list[list[Passage]]:
        """Returns the passages with what stands beside them in their documents, as far as the asker may see it.

        Args:
            questions: Whose passages they are.
            found: By question.
            limits: `join` and `join_chars`.
            steps: Take the time of `join`.
        """
        if limits.join == "none" or not any(found):
            return found
        asked: dict[Access, list[int]] = {}
        for place, question in enumerate(questions):
            asked.setdefault(question.access, []).append(place)
        joined = list(found)
        with steps.step("join", passages=sum(map(len, found))):
            for access, places in asked.items():
                reach = windows((p for place in places for p in found[place]), limits.join_chars)
                beside = by_document(self._store.around(self._collection.name, access, reach))
                for place in places:
                    joined[place] = join_all(found[place], beside, limits)
        return joined

    def is_empty(self) -> bool:
        """Returns whether the collection that was searched last holds no rows at all."""
        return self._store.count(self._collection.name) == 0

    def _query(self, question: Question, candidates: int) -> Query:
        return Query(
            text=question.question,
            access=question.access,
            top_k=candidates,
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

    def _look_up(self, follow: bool = True) -> Collection:
        now = self._clock()
        try:
            collection = self._store.resolve(self._alias)
        except CollectionMissingError as error:
            raise CollectionMissingError(
                f"There is no index behind the alias {self._alias!r}. Run `lakerag run` to build it.",
                alias=self._alias,
            ) from error
        if follow and collection.space != self._embedder.space.name:
            # A process that searched before a rebuild answers on from there, until it is replaced.
            with suppress(CollectionMissingError):
                collection = self._store.resolve(self._collection.name)
        self._check_space(collection)
        self._checked_at = now
        return collection

    def _check_space(self, collection: Collection) -> None:
        space = self._embedder.space
        advice = (
            "Use the embedder that the index was built with (`lakerag package` makes a model with it), "
            "or run `lakerag rebuild`."
        )
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
