"""Questions to cited answers: retrieve, rerank, prompt, generate, check the citations."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lakerag.config import Retrieval
from lakerag.errors import UsageError
from lakerag.models.base import Generator, Reranker
from lakerag.rag.cite import Cited, cite
from lakerag.rag.passages import collapse, diversify
from lakerag.rag.prompt import PromptBuilder
from lakerag.rag.request import check_question
from lakerag.rag.retrieve import Retriever
from lakerag.rag.steps import Steps
from lakerag.rag.support import SupportCheck
from lakerag.records import Answer, Draft, Passage, Prompt, Question

NO_DOCUMENTS = "no indexed documents"
NOTHING_VISIBLE = "no document that the asker may see matches"
NOTHING_FITS = "no passage fits the generator's token budget"
NOTHING_SUPPORTED = "no sentence of the draft is supported by the passages"

MAX_NEW_TOKENS = 1024
"""What a request may ask for at most."""
SPARE = 5
"""Further passages that are looked for, in the place of repeats."""

Observe = Callable[[Steps, Sequence[Answer]], None]

Event = list[Passage] | str | Answer
"""What a stream yields: the passages, parts of the answer's text, the answer."""


def unobserved(steps: Steps, answers: Sequence[Answer]) -> None:
    """Takes no note of a call."""


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
    observe: Observe = unobserved
    """Is told of every call that has been answered."""

    def search(self, questions: Sequence[Question]) -> list[list[Passage]]:
        """Returns the passages of every question, best first, in the questions' order.

        Raises:
            UsageError: A question that no configuration could serve.
        """
        self.check(questions)
        return self._find(questions, Steps())

    def answer(self, questions: Sequence[Question], max_new_tokens: int | None = None) -> list[Answer]:
        """Returns one answer a question, in their order; the steps run once for all of them.

        The times of an answer are those of the whole call: what its asker waited for.

        Args:
            questions: At most `max_batch`.
            max_new_tokens: Length of a generated answer; the generator's own limit by default.

        Raises:
            UsageError: A question, filter or limit that no configuration could serve; nothing was asked.
        """
        steps = Steps()
        self.check(questions, max_new_tokens)
        return [answer for answer, _ in self._write(questions, self._find(questions, steps), max_new_tokens, steps)]

    def stream(self, question: Question, max_new_tokens: int | None = None) -> Iterator[Event]:
        """Yields the passages as soon as they are found, then the answer's checked sentences, then the answer.

        Raises:
            UsageError: As `answer` does, before anything is yielded.
        """
        steps = Steps()
        self.check([question], max_new_tokens)
        found = self._find([question], steps)
        yield found[0]
        [(answer, cited)] = self._write([question], found, max_new_tokens, steps)
        yield from () if answer.abstained else cited.parts
        yield answer

    def _find(self, questions: Sequence[Question], steps: Steps) -> list[list[Passage]]:
        """Returns the passages as they rank: repeats collapsed, reranked, diverse."""
        found = [collapse(passages) for passages in self.retriever.retrieve(questions, steps, self._candidates)]
        if self.reranker is not None:
            with steps.step("rerank", passages=sum(map(len, found))):
                pairs = zip(questions, found, strict=True)
                found = [self.reranker.rerank(q.question, passages) for q, passages in pairs]
        weight = self.limits.diversity
        return [diversify(passages, q.top_k, weight) for q, passages in zip(questions, found, strict=True)]

    def _candidates(self, top_k: int) -> int:
        """Returns how many passages to look at for `top_k` of them."""
        if self.reranker is not None:
            return max(top_k, self.limits.rerank_candidates)
        return top_k + min(top_k, SPARE) if self.limits.diversity == 0 else 3 * top_k

    def _write(
        self,
        questions: Sequence[Question],
        found: list[list[Passage]],
        max_new_tokens: int | None,
        steps: Steps,
    ) -> list[tuple[Answer, Cited]]:
        """Returns the answers from the passages, and their sentences."""
        read = self.retriever.surround(questions, found, self.limits, steps)
        with steps.step("prompt", passages=sum(map(len, read))):
            prompts = [self.prompts.build(q.question, passages) for q, passages in zip(questions, read, strict=True)]
        with steps.step("generate", prompts=len(prompts)):
            drafts = self.generator.generate(prompts, max_new_tokens)
        with steps.step("cite", sentences=sum(len(draft.sentences) for draft in drafts)):
            checked = cite(drafts, prompts, self.support)
        timings = steps.timings("embed", "search", "rerank", "generate")
        answers = [
            self._conclude(prompt, draft, cited, self._nothing_found(prompt), timings)
            for prompt, draft, cited in zip(prompts, drafts, checked, strict=True)
        ]
        self.observe(steps, answers)
        return list(zip(answers, checked, strict=True))

    def check(self, questions: Sequence[Question], max_new_tokens: int | None = None) -> None:
        """Checks what is asked against the limits.

        Raises:
            UsageError: A question or limit that no configuration could serve.
        """
        if not 1 <= len(questions) <= self.max_batch:
            raise UsageError(
                f"Expected 1 to {self.max_batch} questions at a time, found {len(questions)}. Ask in smaller batches.",
                questions=len(questions),
            )
        for question in questions:
            check_question(question, self.limits)
        _check_length(max_new_tokens)

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
