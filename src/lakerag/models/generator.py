"""Which generator writes the answers."""

from collections.abc import Sequence

from lakerag import config
from lakerag.models.base import Embedder, Generator
from lakerag.records import Draft, Prompt


class FallbackGenerator:
    """Fulfils the `Generator` port with two: what the first does not answer, the second may.

    Args:
        first: Asked about every prompt; its limits hold.
        second: Asked about the prompts that the first abstains on.
    """

    def __init__(self, first: Generator, second: Generator) -> None:
        self.name = f"{first.name}+{second.name}"
        self.max_prompt_tokens = first.max_prompt_tokens
        self._first, self._second = first, second

    def count_tokens(self, text: str) -> int:
        """Returns the tokens of a prompt in the first generator's count."""
        return self._first.count_tokens(text)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:
        """See the port."""
        drafts = self._first.generate(prompts, max_new_tokens)
        left = [n for n, draft in enumerate(drafts) if draft.abstained]
        again = self._second.generate([prompts[n] for n in left], max_new_tokens) if left else []
        for n, draft in zip(left, again, strict=True):
            drafts[n] = draft
        return drafts


def load_generator(settings: config.Generator, embedder: Embedder) -> Generator:
    """Returns the configured generator, loaded.

    Args:
        settings: The section `generator`.
        embedder: Compares sentences with questions, where the generator does.

    Raises:
        ModelError: The model is not there, incomplete or of another kind.
    """
    if settings.kind == "t5":
        from lakerag.models.t5 import load_t5

        if settings.fallback is None:
            return load_t5(settings)
        return FallbackGenerator(load_t5(settings), _extractive(settings, embedder))
    return _extractive(settings, embedder)


def _extractive(settings: config.Generator, embedder: Embedder) -> Generator:
    from lakerag.models.extractive import ExtractiveGenerator

    return ExtractiveGenerator(embedder, settings)
