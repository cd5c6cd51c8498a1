"""The small values that pass between retrieval, generation and answers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""(n, dimension) float32, unit norm where the space is normalised."""

PUBLIC_GROUP = "*"
"""The group that everybody is in; a document without it is for its own groups alone."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the asker may see; part of every query inside the store.

    A row is visible when its tenant is "" (shared) or the asker's, and one of its
    groups is `*` or one of the asker's. The default sees only shared, public rows.
    """

    tenant: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk."""

    chunk_id: str
    doc_id: str
    path: str
    title: str
    heading: str
    """Headings above the chunk, outermost first, joined by ` > `."""
    text: str
    start: int
    """First character in the silver text."""
    end: int
    """One past the last character in the silver text."""
    score: float
    """Higher is better: cosine, BM25 or mean standard score, by mode."""
    page: int = 0
    """Page of the document, from 1; 0: it has no pages."""
    alternates: tuple[str, ...] = ()
    """Paths of other documents that say the same."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with the passages that fit the generator."""

    question: str
    passages: tuple[Passage, ...]
    text: str
    """What a text-to-text generator reads; an extractive one reads the passages."""
    tokens: int
    """Length of `text` in the generator's tokens."""
    dropped: int
    """Low-ranked passages left out because they did not fit."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a draft, with the passages that it rests on."""

    text: str
    passages: tuple[int, ...]
    """Indexes into `Prompt.passages`, from 0."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator says before its citations are checked."""

    sentences: tuple[Sentence, ...]
    confidence: float
    """Probability that the draft answers the question, 0 to 1."""
    abstained: bool
    reason: str = ""
    """Why it abstained; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with the rights of its asker."""

    question: str
    access: Access = Access()
    top_k: int = 5
    """Passages to retrieve."""
    mode: str = "vector"
    """`vector`, `keyword` or `hybrid`."""
    filter: str = ""
    """An expression over declared metadata fields; empty for none."""


@dataclass(frozen=True, slots=True)
class Citation:
    """The place in a document that a sentence of an answer rests on."""

    n: int
    """The number in the answer, from 1."""
    chunk_id: str
    doc_id: str
    path: str
    title: str
    heading: str
    excerpt: str
    start: int
    """First character of the excerpt in the silver text."""
    end: int
    """One past its last character."""
    score: float
    """The passage's retrieval score."""
    page: int = 0
    """Page of the document, from 1; 0: it has no pages."""
    alternates: tuple[str, ...] = ()
    """Paths of other documents that say the same."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that says where it stands, or that nothing answers."""

    question: str
    answer: str
    abstained: bool
    reason: str
    """Why it abstained; empty otherwise."""
    confidence: float
    """Probability that the answer is right, 0 to 1."""
    citations: tuple[Citation, ...]
    generator: str
    model_version: str
    prompt_tokens: int
    passages_dropped: int
    timings_ms: dict[str, float]
    """Milliseconds by step: embed, search, rerank, generate, total."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one gold row over a range of versions."""

    chunk_id: str
    op: str
    """`upsert` or `delete`."""
    version: int
    """Last Delta version that touched the row."""
