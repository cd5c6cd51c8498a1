"""What kind of answer a question asks for, and which marks of such answers a text bears."""

import re
from collections.abc import Sequence

KINDS = ("person", "time", "number", "place", "reason", "manner", "thing")
"""What can be asked for; `thing` where nothing says otherwise."""

MARKS = ("name", "year", "date", "number", "reason", "place")
"""What can be seen in a text without a model."""

_ASKED = (
    ("person", r"\bwho(m|se|'s)?\b|\b(what|which) (person|man|woman|actor|king|queen|author|president|scientist)\b"),
    ("time", r"\bwhen\b|\b(what|which) (\w+ )?(years?|date|day|month|century|decade|time|period|era)\b"),
    (
        "number",
        r"\bhow (many|much|long|far|old|tall|high|large|big|often|deep|wide|fast|heavy)\b|\b(what|which) (\w+ )?"
        r"(number|percent|percentage|amount|population|rate|size|age|proportion|fraction|distance|temperature"
        r"|length|height|width|depth|speed|cost|price|ratio|score|port|limit|maximum|minimum)\b",
    ),
    (
        "place",
        r"\bwhere\b|\b(what|which) (\w+ )?(city|country|state|place|region|town|location|continent|river|street"
        r"|county|area|island|building)\b",
    ),
    ("reason", r"\bwhy\b|\bwhat (caused?|reason|led)\b|\bhow come\b"),
    ("manner", r"\bhow\b"),
)
_KIND_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ASKED)
_MARKS_OF_KIND = {
    "person": ("name",),
    "time": ("year", "date", "number"),
    "number": ("number",),
    "place": ("name",),
    "reason": ("reason",),
}

_YEAR = re.compile(r"1\d{3}|20\d\d")
_DATE = re.compile(
    r"\b(january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday"
    r"|wednesday|thursday|friday|saturday|sunday|century|centuries|decade|spring|summer|autumn|winter|ago)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(because|due to|since|as a result|reasons?|caused?|so that|in order to|therefore|led to|leads? to|owing to"
    r"|thus|to avoid|to prevent|result(ed|s)? (in|from))\b",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\b(?:in|at|near|from|to|on|of|into|outside|between|across|around) (?:the )?[A-Z]")
_NUMERALS = re.compile(
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(thir|four|fif|six|seven|eigh|nine)teen"
    r"|(twen|thir|for|fif|six|seven|eigh|nine)ty|(hundred|thousand|million|billion|trillion|dozen)s?|half|third|quarter"
    r"|once|twice|none|first|second|double|single|percent",
    re.IGNORECASE,
)


def asked_kind(question: str) -> str:
    """Returns the kind of answer that a question asks for.

    >>> asked_kind("In which year did it open?"), asked_kind("How do I open it?")
    ('time', 'manner')
    """
    return next((kind for kind, pattern in _KIND_PATTERNS if pattern.search(question)), "thing")


def marks(text: str, new_words: Sequence[str], starts_new: bool) -> dict[str, bool]:
    """Returns which marks a sentence bears.

    Args:
        text: The sentence.
        new_words: Its words that the question does not have: an answer says something new.
        starts_new: Whether its first word is one of them; a capital there says nothing.
    """
    names = new_words[1:] if starts_new else new_words
    return {
        "name": any(word[0].isupper() for word in names),
        "year": any(_YEAR.fullmatch(word) for word in new_words),
        "date": _DATE.search(text) is not None,
        "number": any(word[0].isdigit() or _NUMERALS.fullmatch(word) for word in new_words),
        "reason": _REASON.search(text) is not None,
        "place": _PLACE.search(text) is not None,
    }


def bears_answer(kind: str, found: dict[str, bool]) -> bool:
    """Tells whether a text may hold an answer of a kind; what has no marks may stand anywhere."""
    wanted = _MARKS_OF_KIND.get(kind)
    return wanted is None or any(found[mark] for mark in wanted)
