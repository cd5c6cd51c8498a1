"""Which language a text is written in, told offline."""

import re
from functools import cache
from string import punctuation
from typing import Any

UNKNOWN = "und"

MIN_LETTERS = 40
"""Fewer letters do not tell."""

MIN_PROBABILITY = 0.7

WINDOW_CHARS = 6_000
"""Where words are looked for, at the beginning of the text."""

SAMPLE_CHARS = (240, 600)
"""How much is looked at: the second only where the first does not tell. More tells no better, and costs."""

SURE = 0.99
"""Probability at which the first sample is enough."""

_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})(?:.*\n)*?(?:[ \t>]*\1|\Z)", re.MULTILINE)


def identify(text: str) -> str:
    """Returns an ISO 639 code, or `und` where the text is too short or the model unsure.

    Only words are looked at: code, addresses and names with dots or digits are in no
    language, or always in English.
    """
    joined = _words(text)
    if sum(map(str.isalpha, joined)) < MIN_LETTERS:
        return UNKNOWN
    for chars in SAMPLE_CHARS:
        language, probability = _identifier().classify(joined[:chars])
        if probability >= SURE or len(joined) <= chars:
            break
    return str(language) if probability >= MIN_PROBABILITY else UNKNOWN


def _words(text: str) -> str:
    """Returns the first words of a text, as many as the longest sample takes."""
    words: list[str] = []
    chars = 0
    for token in _FENCE.sub(" ", text[:WINDOW_CHARS]).split():
        word = token.strip(punctuation)
        if word.isalpha() or not word.isascii():
            words.append(word)
            chars += len(word) + 1
            if chars > SAMPLE_CHARS[-1]:
                break
    return " ".join(words)[: SAMPLE_CHARS[-1]]


@cache
def _identifier() -> Any:
    """Loads the model once a process; it takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
