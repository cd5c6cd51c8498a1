"""What the scorer sees of a piece: how it and its surroundings meet the question, in meaning and in words."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lakerag.models.extractive.cues import KINDS, MARKS, asked_kind, bears_answer, marks
from lakerag.models.extractive.reading import Reading
from lakerag.models.extractive.words import max_rarity, rarity, split_words, stem
from lakerag.records import Passage, Vectors

Matrix = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_PREFIX = 4
_HEADING = re.compile(r"^#{1,6}\s.*", re.MULTILINE)
_LOOKS_BACK = re.compile(r"he|she|it|they|this|these|his|her|its|their|such|that|those", re.IGNORECASE)

FEATURES = (
    # likeness of the embeddings: of the piece, to the best piece, with its neighbours, of the passage
    *("likeness", "likeness_gap", "likeness_before", "likeness_after", "likeness_passage"),
    # share of the question's words, weighed by rarity, that stands in the piece, its surroundings, the passage
    *("covered", "covered_gap", "covered_rare_here", "covered_before", "covered_passage", "covered_loosely"),
    # the rarest word that is missing in the piece and in the passage; the share that is missing everywhere
    *("missing_piece", "missing_passage", "missing_share"),
    *("pairs", "closeness", "focus"),
    *("words", "order", "rank", "looks_back"),
    *("question_words", "question_rarity"),
    "bears_answer",
    *MARKS,
    *KINDS,
)
"""Names of the features, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of the question against those of the pieces."""

    weights: Matrix
    """(m,), rarity of the question's stems."""
    here: Flags
    """(n, m), which stands in which piece."""
    loosely: Flags
    """(n, m), the same by the first letters alone."""
    around: Flags
    """(n, m), in the piece, the one before it or the titles above."""
    passage: Flags
    """(n, m), in the piece's passage or the titles above."""


def describe(reading: Reading, vectors: Vectors) -> Matrix:
    """Returns (n, len(FEATURES)) float64 for n pieces.

    Args:
        reading: A question with at least one piece.
        vectors: (1 + n, dimension), of `reading.texts`; unit norm is not needed.
    """
    passages = np.array([place.passage for place in reading.pieces])
    split = [split_words(place.piece.read) for place in reading.pieces]
    stems = [[stem(word) for word in words] for words in split]
    asked = [stem(word) for word in split_words(reading.question)]
    columns = {
        **_likeness(vectors, passages),
        **_overlap(_compare(reading, asked, stems, passages)),
        **_arrangement(asked, stems),
        **_standing(reading, split),
        **_cues(reading, asked, split, stems),
    }
    n = len(reading.pieces)
    return np.stack([np.broadcast_to(np.asarray(columns[name], dtype=np.float64), n) for name in FEATURES], axis=1)


def _likeness(vectors: Vectors, passages: npt.NDArray[np.int_]) -> dict[str, Matrix]:
    question, pieces = vectors[0], vectors[1:]
    same_before = np.r_[False, passages[1:] == passages[:-1]]
    same_after = np.r_[same_before[1:], False]
    before = pieces + np.where(same_before[:, None], np.roll(pieces, 1, axis=0), 0)
    after = pieces + np.where(same_after[:, None], np.roll(pieces, -1, axis=0), 0)
    members = (passages[:, None] == passages).astype(np.float64)
    likeness = _cosine(pieces, question)
    return {
        "likeness": likeness,
        "likeness_gap": likeness - likeness.max(),
        "likeness_before": _cosine(before, question),
        "likeness_after": _cosine(after, question),
        "likeness_passage": _cosine(members @ pieces, question),
    }


def _cosine(rows: npt.NDArray[np.floating], vector: npt.NDArray[np.floating]) -> Matrix:
    rows, vector = rows.astype(np.float64), vector.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    cosines: Matrix = rows @ vector / np.maximum(norms, 1e-9)
    return cosines


def _compare(reading: Reading, asked: list[str], stems: list[list[str]], passages: npt.NDArray[np.int_]) -> _Words:
    wanted = [word for word in dict.fromkeys(asked) if rarity(word) > 0]
    sets = [set(words) for words in stems]
    starts = [{word[:_PREFIX] for word in words} for words in sets]
    titles = [{stem(word) for word in split_words(_titles(passage))} for passage in reading.passages]
    here = np.array([[word in words for word in wanted] for words in sets], dtype=bool)
    above = np.array([[word in titles[number] for word in wanted] for number in passages], dtype=bool)
    same_before = np.r_[False, passages[1:] == passages[:-1]][:, None]
    members = passages[:, None] == passages
    return _Words(
        weights=np.array([rarity(word) for word in wanted]),
        here=here,
        loosely=np.array([[word[:_PREFIX] in words for word in wanted] for words in starts], dtype=bool),
        around=here | above | (same_before & np.roll(here, 1, axis=0)),
        passage=above | (members.astype(int) @ here.astype(int) > 0),
    )


def _titles(passage: Passage) -> str:
    return "\n".join((passage.title, passage.heading, *_HEADING.findall(passage.text)))


def _overlap(words: _Words) -> dict[str, Matrix | float]:
    n = len(words.here)
    weights = words.weights
    local = weights * np.log1p(n / (words.here.sum(axis=0) + 0.5))
    covered = _share(words.here, weights)
    return {
        "covered": covered,
        "covered_gap": covered - covered.max(),
        "covered_rare_here": _share(words.here, local),
        "covered_before": _share(words.around, weights),
        "covered_passage": _share(words.passage, weights),
        "covered_loosely": _share(words.loosely, weights),
        "missing_piece": _rarest(~words.here, weights),
        "missing_passage": _rarest(~words.passage, weights),
        "missing_share": float(_share(words.here.sum(axis=0, keepdims=True) == 0, weights)[0]),
        "question_words": float(np.log1p(len(weights))),
        "question_rarity": float(weights.mean()) / max_rarity() if len(weights) else 0.0,
    }


def _share(flags: Flags, weights: Matrix) -> Matrix:
    shares: Matrix = flags @ weights / max(float(weights.sum()), 1e-9)
    return shares


def _rarest(flags: Flags, weights: Matrix) -> Matrix:
    rarest: Matrix = np.max(flags * weights, axis=1, initial=0.0) / max_rarity()
    return rarest


def _arrangement(asked: list[str], stems: list[list[str]]) -> dict[str, list[float]]:
    """Pairs of neighbours kept, matches per word of the stretch that holds them, share of the piece that is asked."""
    telling = [word for word in asked if rarity(word) > 0]
    wanted, pairs = set(telling), set(pairwise(telling))
    columns: dict[str, list[float]] = {"pairs": [], "closeness": [], "focus": []}
    for words in stems:
        content = [word for word in words if rarity(word) > 0]
        kept = pairs.intersection(pairwise(content))
        at = [position for position, word in enumerate(words) if word in wanted]
        distinct = {words[position] for position in at}
        mass = sum(rarity(word) for word in set(content))
        columns["pairs"].append(len(kept) / max(len(pairs), 1))
        columns["closeness"].append(len(distinct) / (at[-1] - at[0] + 1) if len(at) > 1 else 0.0)
        columns["focus"].append(sum(rarity(word) for word in distinct) / max(mass, 1e-9))
    return columns


def _standing(reading: Reading, split: list[list[str]]) -> dict[str, list[float]]:
    last = {place.passage: max(place.order, 1) for place in reading.pieces}
    return {
        "words": [float(np.log1p(len(words))) for words in split],
        "order": [place.order / last[place.passage] for place in reading.pieces],
        "rank": [float(place.passage) for place in reading.pieces],
        "looks_back": [float(bool(words) and _LOOKS_BACK.fullmatch(words[0]) is not None) for words in split],
    }


def _cues(
    reading: Reading, asked: list[str], split: list[list[str]], stems: list[list[str]]
) -> dict[str, list[float] | float]:
    kind, known = asked_kind(reading.question), set(asked)
    found = []
    for place, words, stemmed in zip(reading.pieces, split, stems, strict=True):
        new = [word for word, root in zip(words, stemmed, strict=True) if root not in known]
        starts_new = bool(stemmed) and stemmed[0] not in known
        found.append(marks(place.piece.read, new, starts_new))
    columns: dict[str, list[float] | float] = {mark: [float(f[mark]) for f in found] for mark in MARKS}
    columns["bears_answer"] = [float(bears_answer(kind, f)) for f in found]
    return columns | {name: float(name == kind) for name in KINDS}
