"""Answers with the sentences of the passages that most likely hold the answer, quoted exactly."""

from collections.abc import Sequence

import numpy as np

from lakerag import config
from lakerag.models.base import Embedder
from lakerag.models.extractive.features import describe
from lakerag.models.extractive.quote import choose
from lakerag.models.extractive.reading import Reading
from lakerag.models.extractive.scorer import Scorer, load_scorer
from lakerag.models.extractive.vectors import PieceVectors
from lakerag.records import Draft, Prompt, Vectors

NO_QUESTION = "the question is empty"
NOTHING_TO_QUOTE = "no passage has a sentence to quote"
NOT_ANSWERED = "the passages do not seem to answer the question"


class ExtractiveGenerator:
    """Fulfils the `Generator` port; deterministic.

    Args:
        embedder: Reads questions and sentences; the scorer is fitted to all-MiniLM-L6-v2.
        settings: `max_answer_words` and `min_confidence` are used.
        scorer: The shipped one by default.
    """

    name = "extractive"

    def __init__(self, embedder: Embedder, settings: config.Generator, scorer: Scorer | None = None) -> None:
        self._vectors = PieceVectors(embedder)
        self._max_words = settings.max_answer_words
        self._min_confidence = settings.min_confidence
        self._scorer = load_scorer() if scorer is None else scorer
        self.max_prompt_tokens = settings.max_prompt_tokens

    def count_tokens(self, text: str) -> int:  # noqa: ARG002
        """Returns 0: the passages are read, not the prompt's text."""
        return 0

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:  # noqa: ARG002
        """Returns one draft a prompt, in their order.

        The confidence is the probability that the quoted sentences hold the answer.

        Args:
            prompts: All questions, and the sentences that were not read lately, are embedded in one call.
            max_new_tokens: Not used: a quotation is bounded in words.
        """
        readings = [Reading.of(prompt) for prompt in prompts]
        pieces = [text for reading in readings for text in reading.texts[1:]]
        vectors = self._vectors.embed([reading.question for reading in readings if reading.pieces], pieces)
        return [
            self._draft(reading, np.stack([vectors[text] for text in reading.texts]))
            if reading.pieces
            else _refuse(reading)
            for reading in readings
        ]

    def _draft(self, reading: Reading, vectors: Vectors) -> Draft:
        chances = self._scorer.chances(describe(reading, vectors))
        chosen = choose(reading, chances, self._max_words)
        if chosen.confidence < self._min_confidence:
            reason = f"{NOT_ANSWERED} (confidence {chosen.confidence:.2f}, wanted {self._min_confidence:.2f})"
            return Draft((), chosen.confidence, abstained=True, reason=reason)
        return Draft(chosen.sentences, chosen.confidence, abstained=False)


def _refuse(reading: Reading) -> Draft:
    return Draft((), 0.0, abstained=True, reason=NOTHING_TO_QUOTE if reading.question else NO_QUESTION)
