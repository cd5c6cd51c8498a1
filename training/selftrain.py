"""Step 2: the reader learns from natural questions, most of which come without an answer span.

It learns from the few that have one, guesses the spans of the others inside the one sentence they were asked about,
keeps its surest guesses, and learns again from all of them (hard EM, Min et al. 2019). From empty questions it also
learns which spans people ask about.
"""

import random

import numpy as np
import torch

from training.config import Recipe
from training.corpus import write_lines
from training.metrics import f1
from training.natural import Example, echoes, search_questions, sentence_questions, trim, window
from training.reader import Reader, Span, best_spans, device, fit, score

CANDIDATES = 8
SAME_F1 = 0.6
"""Spans that overlap as much count as one answer."""
REPEATS = (6, 3)
"""How often the questions with known spans stand in the first round and in the later ones."""


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
    sentences, questions = sentence_questions(recipe.texts)
    pairs = [(q.question, sentences[q.position]) for q in questions]
    guesses: list[Span | None] = []
    for number in range(settings.rounds):
        torch.manual_seed(recipe.seed)
        reader = Reader(recipe).to(device())
        examples = known * REPEATS[min(number, 1)] + _with_guesses(recipe, pairs, guesses)
        fit(reader, examples, settings, recipe.seed + number)
        guesses = guess_answers(reader, pairs)
        print(f"round {number}: {len(examples)} examples, held-out F1 {score(reader, held_out):.1f}", flush=True)
    return reader, guesses


def _with_guesses(recipe: Recipe, pairs: list[tuple[str, str]], guesses: list[Span | None]) -> list[Example]:
    """Makes examples of the surest guesses: in windows of text, some with no question, some with the wrong window."""
    if not guesses:
        return []
    sentences, questions = sentence_questions(recipe.texts)
    pick = random.Random(recipe.seed)
    floor = float(np.quantile([g.score if g else 0.0 for g in guesses], 1 - recipe.reader.keep))
    examples = []
    for (question, sentence), guess, asked in zip(pairs, guesses, questions, strict=True):
        if guess is None or guess.score < floor:
            continue
        text = window(sentences, asked.position, before=pick.randrange(4), after=pick.randrange(4))
        examples.append(Example(question, text, (guess.text,)))
        if pick.random() < 0.2:
            examples.append(Example("", sentence, (guess.text,)))
        elsewhere = asked.position + pick.choice((-1, 1)) * pick.randrange(6, 12)
        if pick.random() < 0.3 and 0 <= elsewhere < len(sentences):
            text = window(sentences, elsewhere, before=2, after=2)
            if guess.text not in text:
                examples.append(Example(question, text, ()))
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
