"""Answers against gold answers: what they say, what they cite, when they refuse.

Normalisation, exact match and F1 are those of SQuAD (Rajpurkar et al., 2016).
"""

import re
import string
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from lakerag.evaluation.datasets import QaCase
from lakerag.evaluation.means import Scores, means, share
from lakerag.records import Answer, Citation

MAX_WORDS = 60
"""Words of an answer that are searched for a gold answer."""
METRICS = ("em", "f1", "contains", "citation_precision")
ABSTENTION = ("precision", "recall", "f1", "false_refusal")

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_MARK = re.compile(r"\s*\[(\d+)\]")
_HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)


def normalise(text: str) -> list[str]:
    """Returns the tokens that count: lower case, without punctuation and articles.

    Examples:
        >>> normalise("The  Bell-tower, of a church!")
        ['belltower', 'of', 'church']
    """
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def without_marks(answer: Answer) -> str:
    """Returns an answer's words without the numbers of its citations."""
    numbers = {str(citation.n) for citation in answer.citations}
    return _MARK.sub(lambda mark: "" if mark[1] in numbers else mark[0], answer.answer)


def exact_match(text: str, golds: Collection[str]) -> float:
    """Returns 1 if the text equals a gold answer after normalisation, else 0."""
    return float(any(normalise(text) == normalise(gold) for gold in golds))


def f1(text: str, golds: Collection[str]) -> float:
    """Returns the harmonic mean of precision and recall over the bags of tokens, best over the gold answers."""
    return max(_f1(normalise(text), normalise(gold)) for gold in golds)


def _f1(tokens: Sequence[str], gold: Sequence[str]) -> float:
    if not tokens or not gold:
        return float(tokens == gold)
    return 2 * (Counter(tokens) & Counter(gold)).total() / (len(tokens) + len(gold))


def contains(text: str, golds: Collection[str], max_words: int | None = MAX_WORDS) -> float:
    """Returns 1 if a gold answer's tokens stand in one run in the first words of the text, else 0.

    Args:
        text: Cut after `max_words` words, before normalisation.
        golds: One that normalises to nothing is never contained.
        max_words: None for the whole text.
    """
    tokens = normalise(" ".join(text.split()[:max_words]))
    return float(any(_holds(tokens, normalise(gold)) for gold in golds))


def _holds(tokens: Sequence[str], run: Sequence[str]) -> bool:
    return bool(run) and f" {' '.join(run)} " in f" {' '.join(tokens)} "


def citation_holds(citation: Citation, case: QaCase) -> bool:
    """Returns whether a citation's excerpt holds a gold answer and lies in the question's own paragraph.

    Both are compared after normalisation, headings of the excerpt aside; where the excerpt is
    longer than the paragraph, the paragraph must lie in it. Questions without a paragraph ask
    for the gold answer alone.
    """
    if not contains(citation.excerpt, case.answers, max_words=None):
        return False
    excerpt, paragraph = normalise(_HEADING.sub("", citation.excerpt)), normalise(case.paragraph)
    return not paragraph or _holds(paragraph, excerpt) or _holds(excerpt, paragraph)


def score_answer(answer: Answer, case: QaCase) -> dict[str, float]:
    """Returns the metrics of one answerable question; a refusal is 0 in all of them.

    `citation_precision` is 1 if one citation of the answer holds (see `citation_holds`).
    """
    if answer.abstained:
        return dict.fromkeys(METRICS, 0.0)
    text = without_marks(answer)
    return {
        "em": exact_match(text, case.answers),
        "f1": f1(text, case.answers),
        "contains": contains(text, case.answers),
        "citation_precision": float(any(citation_holds(citation, case) for citation in answer.citations)),
    }


def score_abstention(abstained: Sequence[bool], answerable: Sequence[bool]) -> Scores:
    """Returns how well refusals find the unanswerable questions.

    Precision: refused and unanswerable / refused. Recall: refused and unanswerable /
    unanswerable. F1: their harmonic mean. False refusal: refused and answerable / answerable.
    """
    pairs = list(zip(abstained, answerable, strict=True))
    right = pairs.count((True, False))
    refused, unanswerable = sum(abstained), len(pairs) - sum(answerable)
    return {
        "precision": share(right, refused),
        "recall": share(right, unanswerable),
        "f1": share(2 * right, refused + unanswerable),
        "false_refusal": share(pairs.count((True, True)), sum(answerable)),
    }


def score_answers(answers: Sequence[Answer], cases: Sequence[QaCase]) -> dict[str, Any]:
    """Returns the metrics of a set: `METRICS` over answerable questions, abstention over all.

    Latencies are what an asker waited, in milliseconds: those of the whole call where several
    questions were asked at once.

    Args:
        answers: One a case, in the cases' order.
        cases: At least one.
    """
    answerable = [case.answerable for case in cases]
    scores = [score_answer(answer, case) for answer, case in zip(answers, cases, strict=True) if case.answerable]
    p50, p95 = np.percentile([answer.timings_ms["total"] for answer in answers], [50, 95])
    return {
        **means(scores, METRICS),
        "abstention": score_abstention([answer.abstained for answer in answers], answerable),
        "answerable": sum(answerable),
        "unanswerable": len(cases) - sum(answerable),
        "latency_ms": {"p50": round(float(p50), 1), "p95": round(float(p95), 1)},
        "generator": answers[0].generator,
    }
