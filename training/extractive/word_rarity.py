"""Counts how rare words are in general English and technical prose.

    python -m training.extractive.word_rarity --docs docs.jsonl.xz

Paragraphs of at least 12 words, at most 6,000 a source so that no source rules; the 10,000 stems that
stand in most paragraphs are kept, with the natural logarithm of their inverse document frequency to one digit.
"""

import argparse
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from lakerag.models.extractive import words
from training.corpus import read_documents

PARAGRAPHS_PER_SOURCE = 6000
MIN_WORDS = 12
STEMS = 10_000
TABLE = Path(words.__file__).with_name("word_rarity.txt")


def paragraphs(docs: Path) -> Iterator[str]:
    taken: Counter[str] = Counter()
    for document in read_documents(docs, {}):
        for block in re.split(r"\n\s*\n", document.text):
            is_prose = not block.startswith("#") and "```" not in block and len(block.split()) >= MIN_WORDS
            if is_prose and taken[document.source] < PARAGRAPHS_PER_SOURCE:
                taken[document.source] += 1
                yield block


def count(texts: Iterable[str]) -> tuple[Counter[str], int]:
    """Returns in how many texts every stem stands, and the number of texts."""
    frequency: Counter[str] = Counter()
    number = 0
    for text in texts:
        frequency.update({words.stem(word) for word in words.split_words(text)})
        number += 1
    return frequency, number


def write_table(frequency: Counter[str], number: int, path: Path) -> None:
    kept = sorted((round(math.log(number / n), 1), stem) for stem, n in frequency.most_common(STEMS))
    lines = [
        f"{value} " + " ".join(stem for _, stem in group) for value, group in groupby(kept, key=lambda row: row[0])
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, required=True)
    write_table(*count(paragraphs(parser.parse_args().docs)), TABLE)
