"""Prompts of whole passages within the generator's token budget."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from string import Formatter

from lakerag.config import Generator, Template
from lakerag.errors import ConfigError, UsageError
from lakerag.records import Passage, Prompt

PROMPT_FIELDS = {"question", "passages"}
PASSAGE_FIELDS = {"n", "title", "heading", "path", "text"}


class PromptBuilder:
    """Lays questions and passages into the templates of the settings.

    Args:
        settings: The templates, and the model that they are chosen for.
        count_tokens: Length of a prompt in the generator's tokens.
        max_tokens: What the generator reads at most.

    Raises:
        ConfigError: A template names an unknown field, or leaves the question or the passages out.
    """

    def __init__(self, settings: Generator, count_tokens: Callable[[str], int], max_tokens: int) -> None:
        self._template = template_of(settings)
        _check_template("generator.prompt", self._template.prompt, PROMPT_FIELDS, PROMPT_FIELDS)
        _check_template("generator.passage", self._template.passage, PASSAGE_FIELDS, {"text"})
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens

    def build(self, question: str, passages: Sequence[Passage]) -> Prompt:
        """Returns the prompt with the best passages that fit; each is whole or left out.

        Args:
            question: Never cut.
            passages: Best first; the lowest-ranked are dropped first.

        Raises:
            UsageError: The question alone is longer than the generator reads.
        """
        # More passages never make a shorter prompt, so the longest that fits is found by bisection.
        fitting = bisect_right(
            range(len(passages) + 1), self._max_tokens, key=lambda k: self._tokens(question, passages[:k])
        )
        if fitting == 0:
            tokens = self._tokens(question, ())
            raise UsageError(
                f"Expected a question that fits the {self._max_tokens} tokens of the generator, found {tokens}. "
                "Shorten it, or raise generator.max_prompt_tokens.",
                tokens=tokens,
                max_tokens=self._max_tokens,
            )
        kept = tuple(passages[: fitting - 1])
        text = self._render(question, kept)
        return Prompt(question, kept, text, self._count_tokens(text), len(passages) - len(kept))

    def _tokens(self, question: str, passages: Sequence[Passage]) -> int:
        return self._count_tokens(self._render(question, passages))

    def _render(self, question: str, passages: Sequence[Passage]) -> str:
        blocks = (
            self._template.passage.format(n=n, title=p.title, heading=p.heading, path=p.path, text=p.text)
            for n, p in enumerate(passages, 1)
        )
        return self._template.prompt.format(question=question, passages="\n".join(blocks))


def template_of(settings: Generator) -> Template:
    """Returns the templates of the model's family, those of the settings themselves in their place.

    Raises:
        ConfigError: No family fits the model's name.
    """
    name = Path(settings.model or "").name.lower()
    family = next((each for each in settings.templates if fnmatchcase(name, each.models.lower())), None)
    if family is None:
        raise ConfigError(
            f"generator.templates: expected one whose `models` fits {name!r}, found "
            f"{', '.join(each.models for each in settings.templates) or 'none'}. Add one for '*'.",
            model=settings.model,
        )
    return family.model_copy(
        update={
            "prompt": family.prompt if settings.prompt is None else settings.prompt,
            "passage": family.passage if settings.passage is None else settings.passage,
        }
    )


def _check_template(key: str, template: str, known: set[str], needed: set[str]) -> None:
    try:
        found = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ConfigError(f"{key}: expected a template, found {template!r} ({error}).", key=key) from error
    if not needed <= found <= known:
        raise ConfigError(
            f"{key}: expected the fields {', '.join(sorted(needed))} out of {', '.join(sorted(known))}, "
            f"found {', '.join(sorted(found)) or 'none'}.",
            key=key,
        )
