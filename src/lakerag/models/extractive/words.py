"""Words as they are compared: folded, stemmed lightly and weighed by their rarity."""

import functools
import math
import re
import unicodedata
from importlib import resources

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_ENDINGS = (
    *(("ization", "iz"), ("isation", "iz"), ("ation", "at"), ("ator", "at"), ("ating", "at"), ("ated", "at")),
    *(("ate", "at"), ("ment", ""), ("ness", ""), ("ity", ""), ("itie", ""), ("ion", ""), ("ingly", ""), ("ing", "")),
    *(("edly", ""), ("ied", "y"), ("ie", "y"), ("er", ""), ("or", ""), ("ive", ""), ("ally", ""), ("al", "")),
    *(("ed", ""), ("ly", ""), ("e", "")),
)
_MIN_STEM = 3

_SAYS_NOTHING = (
    "what who whom whose which when where why how do does did is are was were be been a an the of in to for on by at "
    "with from as and or that this it its many much name type kind"
)


def split_words(text: str) -> list[str]:
    """Returns the words and numbers of a text; a compound (`drop_index`, `Jean-Luc`) is several words."""
    return _WORD.findall(text)


@functools.lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Returns what a word has in common with its other forms; English endings alone are taken off.

    >>> [stem(word) for word in ("Invented", "inventions", "the", "Café's", "1,000")]
    ['invent', 'invent', 'the', 'cafe', '1000']
    """
    decomposed = unicodedata.normalize("NFKD", word.casefold().replace("\u2019", "'"))
    folded = "".join(mark for mark in decomposed if not unicodedata.combining(mark))
    folded = folded.removesuffix("'s").replace("'", "")
    return folded.replace(",", "") if folded[:1].isdigit() else _cut_ending(folded)


def _cut_ending(word: str) -> str:
    if word.endswith("s") and not word.endswith("ss") and len(word) > _MIN_STEM:
        word = word[:-1]
    for ending, rest in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            word = word.removesuffix(ending) + rest
            break
    if len(word) > _MIN_STEM and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] + "i" if len(word) > _MIN_STEM and word[-1] == "y" else word


@functools.cache
def _rarities() -> tuple[dict[str, float], float]:
    """Reads the table of word_rarity.txt: on every line a rarity and the stems that have it."""
    table: dict[str, float] = {}
    lines = resources.files(__package__).joinpath("word_rarity.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        value, *stems = line.split()
        table |= dict.fromkeys(stems, float(value))
    unknown = max(table.values()) + math.log(2)
    return table | dict.fromkeys(map(stem, _SAYS_NOTHING.split()), 0.0), unknown


def rarity(stemmed: str) -> float:
    """Returns the inverse document frequency (natural logarithm) of a stem in general English; 0: says nothing."""
    table, unknown = _rarities()
    return table.get(stemmed, unknown)


def max_rarity() -> float:
    """Returns the rarity of a word outside the table."""
    return _rarities()[1]
