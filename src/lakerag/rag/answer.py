"""Questions to cited answers: retrieve, rerank, prompt, generate, check the citations."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lakerag.config import Retrieval
from lakerag.errors import UsageError
from lakerag.models.base import Generator, Reranker
from lakerag.rag.cite import Cited, cite
from lakerag.rag.prompt import PromptBuilder
from lakerag.rag.request import check_question
from lakerag.rag.retrieve import Retriever
from lakerag.rag.support import SupportCheck
from lakerag.records import Answer, Draft, Passage, Prompt, Question

NO_DOCUMENTS = "no indexed documents"
NOTHING_VISIBLE = "no document that the asker may see matches"
NOTHING_FITS = "no passage fits the generator's token budget"
NOTHING_SUPPORTED = "no sentence of the draft is supported by the passages"

MAX_NEW_TOKENS = 1024
"""What a request may ask for at most."""


@dataclass(frozen=True, slots=True)
class RagPipeline:
    """Answers questions from the indexed documents, with citations that hold, or not at all."""

    retriever: Retriever
    generator: Generator
    prompts: PromptBuilder
    support: SupportCheck
    limits: Retrieval
    max_batch: int
    """Questions a call at most."""
    reranker: Reranker | None = None
    model_version: str = "unregistered"

    def search(self, questions: Sequence[Question]) -> list[list[Passage]]:
        """Returns the passages of every question, best first, in the questions' order.

        Raises:
            UsageError: A question that no configuration could serve.
        """
        self._check(questions)
        return self._rerank(questions, self.retriever.retrieve(questions).passages)

    def answer(self, questions: Sequence[Question], max_new_tokens: int | None = None) -> list[Answer]:
        """Returns one answer a question, in their order; the steps run once for all of them.

        The times of an answer are those of the whole call: what its asker waited for.

        Args:
            questions: At most `max_batch`.
            max_new_tokens: Length of a generated answer; the generator's own limit by default.

        Raises:
            UsageError: A question, filter or limit that no configuration could serve; nothing was asked.
        """
        begin = time.perf_counter()
        self._check(questions)
        _check_length(max_new_tokens)
        found = self.retriever.retrieve(questions)
        retrieved = time.perf_counter()
        ranked = self._rerank(questions, found.passages)
        reranked = time.perf_counter()
        prompts = [self.prompts.build(q.question, passages) for q, passages in zip(questions, ranked, strict=True)]
        prompted = time.perf_counter()
        drafts = self.generator.generate(prompts, max_new_tokens)
        generated = time.perf_counter()
        checked = cite(drafts, prompts, self.support)
        timings = {
            "embed": found.embed_ms,
            "search": found.search_ms,
            "rerank": (reranked - retrieved) * 1e3,
            "generate": (generated - prompted) * 1e3,
            "total": (time.perf_counter() - begin) * 1e3,
        }
        return [
            self._conclude(prompt, draft, cited, self._nothing_found(prompt), timings)
            for prompt, draft, cited in zip(prompts, drafts, checked, strict=True)
        ]

    def _check(self, questions: Sequence[Question]) -> None:
        if not 1 <= len(questions) <= self.max_batch:
            raise UsageError(
                f"Expected 1 to {self.max_batch} questions at a time, found {len(questions)}. Ask in smaller batches.",
                questions=len(questions),
            )
        for question in questions:
            check_question(question, self.limits)

    def _rerank(self, questions: Sequence[Question], passages: list[list[Passage]]) -> list[list[Passage]]:
        if self.reranker is None:
            return passages
        return [self.reranker.rerank(q.question, found) for q, found in zip(questions, passages, strict=True)]

    def _nothing_found(self, prompt: Prompt) -> str:
        """Returns why a prompt has no passages; empty where it has some."""
        if prompt.passages:
            return ""
        if prompt.dropped:
            return NOTHING_FITS
        return NO_DOCUMENTS if self.retriever.is_empty() else NOTHING_VISIBLE

    def _conclude(
        self, prompt: Prompt, draft: Draft, cited: Cited, nothing_found: str, timings: dict[str, float]
    ) -> Answer:
        """Returns the answer, or why there is none."""
        reason = nothing_found or draft.reason
        if not reason and not cited.text:
            reason = NOTHING_SUPPORTED
        return Answer(
            question=prompt.question,
            answer="" if reason else cited.text,
            abstained=bool(reason),
            reason=reason,
            confidence=0.0 if reason and not draft.abstained else draft.confidence,
            citations=() if reason else cited.citations,
            generator=self.generator.name,
            model_version=self.model_version,
            prompt_tokens=prompt.tokens,
            passages_dropped=prompt.dropped,
            timings_ms=timings,
        )


def to_document(answer: Answer) -> dict[str, Any]:
    """Returns an answer as the JSON document of `lakerag ask`, of the endpoint and of the SQL functions."""
    document = asdict(answer)
    document["citations"] = list(document["citations"])
    return document


def _check_length(max_new_tokens: int | None) -> None:
    if max_new_tokens is not None and not 1 <= max_new_tokens <= MAX_NEW_TOKENS:
        raise UsageError(
            f"Expected max_new_tokens between 1 and {MAX_NEW_TOKENS}, found {max_new_tokens}.",
            max_new_tokens=max_new_tokens,
        )
