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

SAMPLE_CHARS = 600
"""More words tell no better and cost more than all other cleaning."""

_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})(?:.*\n)*?(?:[ \t>]*\1|\Z)", re.MULTILINE)


def identify(text: str) -> str:
    """Returns an ISO 639 code, or `und` where the text is too short or the model unsure.

    Only words are looked at: code, addresses and names with dots or digits are in no
    language, or always in English.
    """
    tokens = (token.strip(punctuation) for token in _FENCE.sub(" ", text[:WINDOW_CHARS]).split())
    words = (token for token in tokens if token.isalpha() or not token.isascii())
    sample = " ".join(words)[:SAMPLE_CHARS]
    if sum(map(str.isalpha, sample)) < MIN_LETTERS:
        return UNKNOWN
    language, probability = _identifier().classify(sample)
    return str(language) if probability >= MIN_PROBABILITY else UNKNOWN


@cache
def _identifier() -> Any:
    """Loads the model once a process; it takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
