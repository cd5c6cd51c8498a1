"""Step 2: the reader learns from natural questions, most of which come without an answer span.

It learns from those that have one, guesses the spans of the others inside the one sentence they were asked about,
keeps its surest guesses, and learns again from all of them (hard EM, Min et al. 2019). From empty questions it also
learns which spans people ask about.
"""

import random
from collections.abc import Iterator

import numpy as np
import torch

from training.config import Recipe
from training.corpus import write_lines
from training.metrics import f1
from training.natural import (
    Example,
    SentenceQuestion,
    echoes,
    first_held_out,
    search_questions,
    sentence_questions,
    trim,
    window,
)
from training.reader import Reader, Span, best_spans, device, fit, score

CANDIDATES = 8
SAME_F1 = 0.6
"""Spans that overlap as much count as one answer."""
REPEATS = (4, 2)
"""How often the questions with known spans stand in the first round and in the later ones."""


def surest(recipe: Recipe, scores: list[float]) -> float:
    """Returns the score from which on guesses are kept."""
    return float(np.quantile(scores, 1 - recipe.reader.keep))


def guess_answers(reader: Reader, pairs: list[tuple[str, str]]) -> list[Span | None]:
    """Returns for every (question, sentence) the best span that does not repeat the question, and how sure it is."""
    guesses: list[Span | None] = []
    for (question, _), spans in zip(pairs, best_spans(reader, pairs, CANDIDATES), strict=True):
        weights = np.exp([span.score - spans[0].score for span in spans]) if spans else np.zeros(0)
        chosen = next((n for n, span in enumerate(spans) if not echoes(trim(span.text), question)), None)
        if chosen is None:
            guesses.append(None)
            continue
        span = spans[chosen]
        text = trim(span.text)
        same = sum(weight for weight, other in zip(weights, spans, strict=True) if f1(text, other.text) > SAME_F1)
        guesses.append(Span(text, span.start + span.text.index(text), float(same / weights.sum())))
    return guesses


def self_train(recipe: Recipe) -> tuple[Reader, list[Span | None]]:
    """Returns the reader after the last round, and its guesses for the sentence questions."""
    settings = recipe.reader
    known = search_questions(recipe.texts, held_out=False)
    held_out = search_questions(recipe.texts, held_out=True)
    sentences, questions = sentence_questions(recipe.texts, recipe.marks)
    pairs = [(q.question, sentences[q.position]) for q in questions]
    marked_out = [q for q in questions if q.marked and q.position >= first_held_out(sentences)]
    guesses: list[Span | None] = [Span(q.marked, 0, 1.0) if q.marked else None for q in questions]
    for number in range(settings.rounds):
        torch.manual_seed(recipe.seed)
        reader = Reader(recipe).to(device())
        repeat = REPEATS[min(number, 1)]
        examples = known * repeat + _with_guesses(recipe, sentences, questions, guesses, repeat)
        fit(reader, examples, settings, recipe.seed + number)
        found = guess_answers(reader, pairs)
        guesses = [Span(q.marked, 0, 1.0) if q.marked else g for q, g in zip(questions, found, strict=True)]
        scores = [f"{value:.1f}" for value in (score(reader, held_out), *_marked_scores(reader, sentences, marked_out))]
        told = "search, window, sentence"
        print(f"round {number}: {len(examples)} examples, held-out F1 ({told}): {', '.join(scores)}", flush=True)
    return reader, guesses


def _marked_scores(reader: Reader, sentences: list[str], marked: list[SentenceQuestion]) -> Iterator[float]:
    """Yields the F1 on held-out marked questions, over windows and over their sentences alone."""
    golds = [(q.marked or "",) for q in marked]
    for reach in (2, 0) if marked else ():
        texts = [window(sentences, q.position, before=reach, after=reach) for q in marked]
        yield score(reader, [Example(q.question, t, g) for q, t, g in zip(marked, texts, golds, strict=True)])


def _with_guesses(
    recipe: Recipe, sentences: list[str], questions: list[SentenceQuestion], guesses: list[Span | None], repeat: int
) -> list[Example]:
    """Makes examples of marks and of the surest guesses: in windows, without a question, with the wrong window."""
    pick = random.Random(recipe.seed)
    floor = surest(recipe, [g.score if g else 0.0 for g in guesses])
    end = first_held_out(sentences)
    examples = []
    for asked, guess in zip(questions, guesses, strict=True):
        if guess is None or guess.score < floor or asked.position >= end:
            continue
        for _ in range(repeat if asked.marked else 1):
            text = window(sentences[:end], asked.position, before=pick.randrange(4), after=pick.randrange(4))
            examples.append(Example(asked.question, text, (guess.text,)))
        if pick.random() < 0.2:
            examples.append(Example("", sentences[asked.position], (guess.text,)))
        elsewhere = asked.position + pick.choice((-1, 1)) * pick.randrange(6, 12)
        if pick.random() < 0.3 and 0 <= elsewhere < end:
            text = window(sentences[:end], elsewhere, before=2, after=2)
            if guess.text not in text:
                examples.append(Example(asked.question, text, ()))
    return examples


def main(recipe: Recipe) -> None:
    if (recipe.work / "guesses.jsonl").exists():
        return
    reader, guesses = self_train(recipe)
    torch.save(reader.state_dict(), recipe.work / "reader.pt")
    rows = ({"answer": g.text, "sure": round(g.score, 4)} if g else {"answer": None, "sure": 0.0} for g in guesses)
    write_lines(recipe.work / "guesses.jsonl", rows)


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
