"""Asks a pipeline the questions of a set, batch by batch, and scores what comes back."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from lakerag.errors import UsageError
from lakerag.evaluation import qa, retrieval, spans
from lakerag.evaluation.datasets import QaCase, RetrievalCase, SpanCase
from lakerag.evaluation.means import Scores, means
from lakerag.evaluation.placing import Corpora
from lakerag.evaluation.spans import Span
from lakerag.records import Access, Answer, Passage, Question

Measured = TypeVar("Measured")

MODES = ("vector", "keyword", "hybrid")
RANKED_PASSAGES = 100
"""Passages asked for to rank documents: enough for 10 documents with 10 chunks each at the top."""
PROBE = "probe"
"""A question that every store could answer in a mode that it has."""


class Pipeline(Protocol):
    """What is measured."""

    def search(self, questions: Sequence[Question]) -> list[list[Passage]]:
        """Returns the passages of every question, best first."""

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Returns one answer a question."""


@dataclass(frozen=True, slots=True)
class Interview:
    """A pipeline, and how it is asked."""

    pipeline: Pipeline
    access: Access
    batch_questions: int
    """Questions of one call."""
    say: Callable[[str], None] = lambda _: None
    """Is told how far it is."""

    def search(self, texts: Sequence[str], top_k: int, mode: str) -> list[list[Passage]]:
        """Returns the passages of every text, best first."""
        return [found for batch in self._batches(texts, top_k, mode) for found in self.pipeline.search(batch)]

    def answer(self, texts: Sequence[str], top_k: int, mode: str) -> list[Answer]:
        """Returns one answer a text."""
        return [answer for batch in self._batches(texts, top_k, mode) for answer in self.pipeline.answer(batch)]

    def lacks(self, mode: str) -> str:
        """Returns why the store cannot search in a mode; empty where it can."""
        try:
            self.pipeline.search([Question(PROBE, self.access, 1, mode)])
        except UsageError as error:
            return str(error)
        return ""

    def _batches(self, texts: Sequence[str], top_k: int, mode: str) -> Iterator[list[Question]]:
        for start in range(0, len(texts), self.batch_questions):
            self.say(f"{mode}: {start} of {len(texts)} questions")
            batch = texts[start : start + self.batch_questions]
            yield [Question(text, self.access, top_k, mode) for text in batch]


def measure_retrieval(interview: Interview, cases: Sequence[RetrievalCase], top_k: int) -> dict[str, Any]:
    """Returns `retrieval.METRICS` by mode; a mode that the store lacks has the reason under `unavailable`."""

    def measure(mode: str) -> Scores:
        found = interview.search([case.query for case in cases], top_k, mode)
        scored = [
            retrieval.score_ranking(
                retrieval.rank_documents(_named(passage, case.relevant) for passage in passages), case.relevant
            )
            for passages, case in zip(found, cases, strict=True)
        ]
        return means(scored, retrieval.METRICS)

    scores, lacking = _by_mode(interview, measure)
    return {**scores, **lacking, "queries": len(cases)}


def measure_qa(interview: Interview, cases: Sequence[QaCase], top_k: int, mode: str) -> dict[str, Any]:
    """Returns the metrics of `qa.score_answers`, and how the questions were asked."""
    answers = interview.answer([case.question for case in cases], top_k, mode)
    asked = {"mode": mode, "top_k": top_k, "batch_questions": interview.batch_questions}
    return {**qa.score_answers(answers, cases), **asked}


def measure_spans(
    interview: Interview, cases: Sequence[SpanCase], rows: Iterable[Mapping[str, Any]], mode: str
) -> dict[str, Any]:
    """Returns span metrics of one mode, by corpus as well, and `spans.METRICS` of every mode.

    Args:
        interview: Whom to ask.
        cases: At least one.
        rows: `path`, `start`, `end` and `text` of every chunk of the index.
        mode: Whose metrics stand at the top.

    Raises:
        UsageError: A corpus that is not indexed, or a mode that the store lacks.
    """
    names = sorted({case.corpus for case in cases})
    corpora = Corpora(names, rows)
    references = [corpora.place(case) for case in cases]

    def measure(mode: str) -> list[dict[str, float]]:
        found = interview.search([case.question for case in cases], spans.K, mode)
        return [spans.score_spans(wanted, _spans(passages)) for wanted, passages in zip(references, found, strict=True)]

    scores, lacking = _by_mode(interview, measure)
    if mode in lacking:
        raise UsageError(lacking[mode]["unavailable"], mode=mode)
    scored = list(zip(cases, references, scores[mode], strict=True))
    return {
        **_summary(scored, corpora, names),
        "by_corpus": {name: _summary(scored, corpora, [name]) for name in names},
        **{name: means(found, spans.METRICS) for name, found in scores.items()},
        **lacking,
        "mode": mode,
        "not_indexed": corpora.missing(cases),
    }


def _named(passage: Passage, relevant: Collection[str]) -> str:
    """Returns the path that a passage counts for: a relevant one of its own and its alternates', else its own."""
    return next((path for path in (passage.path, *passage.alternates) if path in relevant), passage.path)


def _summary(
    scored: Sequence[tuple[SpanCase, list[Span], dict[str, float]]], corpora: Corpora, names: Sequence[str]
) -> dict[str, Any]:
    """Returns the metrics of the questions about some of the corpora."""
    chosen = [(wanted, score) for case, wanted, score in scored if case.corpus in names]
    references = [span for wanted, _ in chosen for span in wanted]
    chunks = [chunk for name in names for chunk in corpora.chunks(name)]
    retrieved = means([score for _, score in chosen], spans.METRICS)
    return {**retrieved, **spans.score_index(references, chunks), "questions": len(chosen)}


def _by_mode(
    interview: Interview, measure: Callable[[str], Measured]
) -> tuple[dict[str, Measured], dict[str, dict[str, str]]]:
    """Returns what was measured in every mode that the store has, and why it lacks the others."""
    reasons = {mode: interview.lacks(mode) for mode in MODES if mode != "vector"}
    lacking = {mode: {"unavailable": reason} for mode, reason in reasons.items() if reason}
    return {mode: measure(mode) for mode in MODES if mode not in lacking}, lacking


def _spans(passages: Sequence[Passage]) -> list[Span]:
    return [Span(passage.path, passage.start, passage.end) for passage in passages]
