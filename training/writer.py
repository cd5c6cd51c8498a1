"""Step 5: the question writer: learns from people's questions, then asks about every document.

It reads a sentence with the answer marked and writes the question. What it learns from are the questions about single
sentences, with the reader's surest guesses as answers. What it asks about are the spans that the reader, given no
question, takes for askable. A question stays when the reader finds the same answer in the whole passage (round trip).
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from training import reader as teacher
from training import tokenizer
from training.config import Recipe
from training.corpus import (
    Document,
    Passage,
    cut_into_passages,
    is_held_out,
    read_documents,
    read_lines,
    sentences,
    write_lines,
)
from training.metrics import f1
from training.natural import echoes, first_held_out, restore_case, search_questions, sentence_questions, trim
from training.optimiser import train
from training.reader import Reader, Span, best_spans, device
from training.rules import prose
from training.selftrain import surest
from training.streams import spread
from training.t5 import IGNORED, T5
from training.transplant import PROSE

INPUT, OUTPUT = 128, 40
OPEN, CLOSE = "<extra_id_0>", "<extra_id_1>"
MAX_ANSWER_WORDS = 10
SPANS_A_SENTENCE = 6
SAME_F1 = 0.5
PROSE_TWICE = 2
"""How often sentences of prose are asked about: they are nearest to what people ask in search engines."""


@dataclass(frozen=True, slots=True)
class Askable:
    """A span in a sentence of a passage that somebody could ask for."""

    source: str
    path: str
    number: int
    """Position of the passage in its document."""
    text: str
    sentence: str
    answer: str


def marked(sentence: str, answer: str) -> str:
    """Returns the writer's input; lower case, as the questions that it learns from are."""
    before, found, after = sentence.partition(answer)
    return f"write: {before}{OPEN} {found} {CLOSE}{after}".lower()


def examples(recipe: Recipe) -> list[tuple[str, str]]:
    """Returns (input, question) of the surest guesses and of the search-engine questions."""
    texts, questions = sentence_questions(recipe.texts)
    guesses = list(read_lines(recipe.work / "guesses.jsonl"))
    floor = surest(recipe, [guess["sure"] for guess in guesses])
    end = first_held_out(texts)
    pairs = [
        (marked(texts[asked.position], guess["answer"]), asked.question)
        for asked, guess in zip(questions, guesses, strict=True)
        if guess["answer"] and guess["sure"] >= floor and asked.position < end
    ]
    for example in search_questions(recipe.texts, held_out=False):
        holder = next((s for s in sentences(example.passage) if example.answers[0] in s), None)
        if holder:
            pairs.append((marked(holder, example.answers[0]), example.question.lower()))
    return pairs


def train_writer(recipe: Recipe) -> T5:
    """Tunes a body on people's questions: the one that the recipe starts from, so that nobody waits for a new one."""
    words = tokenizer.load(recipe)
    pairs = examples(recipe)
    inputs = pad([e.ids for e in words.encode_batch([text for text, _ in pairs])], INPUT, tokenizer.PAD)
    labels = pad([e.ids for e in words.encode_batch([question for _, question in pairs])], OUTPUT, IGNORED)
    model = T5(recipe.shape, recipe.tokenizer.vocabulary).to(device())
    body = recipe.work / ("body.pt" if recipe.start is None else "encoder.pt")
    model.load_state_dict(torch.load(body, map_location=device(), weights_only=True))
    batches = shuffled(inputs, labels, recipe.writer.run.batch, recipe.seed)
    train(model, lambda batch: model(batch[0].long(), batch[1].long()), batches, recipe.writer.run, "writer")
    return model


def pad(rows: Iterable[list[int]], length: int, filler: int) -> np.ndarray:
    """Returns (rows, length) int16, cut or filled."""
    cut = [row[:length] for row in rows]
    return np.array([row + [filler] * (length - len(row)) for row in cut], np.int16)


def shuffled(inputs: np.ndarray, labels: np.ndarray, size: int, seed: int) -> Iterator[tuple[Tensor, ...]]:
    draw = np.random.default_rng(seed)
    while True:
        order = draw.permutation(len(inputs))
        for start in range(0, max(1, len(order) - size + 1), size):
            chosen = order[start : start + size]
            yield torch.from_numpy(inputs[chosen]), torch.from_numpy(labels[chosen])


def askable(recipe: Recipe, reader: Reader) -> list[Askable]:
    """Picks sentences of the documents, and in each a span that the reader takes for an answer."""
    pick = random.Random(recipe.seed)
    documents = read_documents(recipe.texts / "docs.jsonl.xz", recipe.keep_sources)
    places = [place for found in spread(_places, documents, recipe.processes) for place in found]
    likely = [place for place in places if place.source.startswith(PROSE)] * PROSE_TWICE
    others = [place for place in places if not place.source.startswith(PROSE)]
    room = max(0, recipe.writer.sentences - len(likely))
    places = likely[: recipe.writer.sentences] + pick.sample(others, min(len(others), room))
    spans = best_spans(reader, [("", place.sentence) for place in places], SPANS_A_SENTENCE)
    found = []
    for place, candidates in zip(places, spans, strict=True):
        answers = [a for a in (trim(span.text) for span in candidates) if 0 < len(a.split()) <= MAX_ANSWER_WORDS]
        if answers:
            found.append(replace(place, answer=pick.choice(answers[:3])))
    return found


def _places(document: Document) -> list[Askable]:
    """Returns every sentence of a document, nothing asked for yet."""
    return [
        Askable(document.source, document.path, number, shown(passage), sentence, "")
        for number, passage in enumerate(cut_into_passages(document))
        for sentence in prose(passage)
    ]


def shown(passage: Passage) -> str:
    """Returns the passage as a question-answering prompt shows it: heading, then text."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


@torch.no_grad()
def ask(recipe: Recipe, model: T5, spans: list[Askable]) -> list[str]:
    """Returns one sampled question a span, in lower case."""
    torch.manual_seed(recipe.seed)
    words = tokenizer.load(recipe)
    where, written = device(), list[str]()
    for start in range(0, len(spans), recipe.writer.batch):
        texts = [marked(span.sentence, span.answer) for span in spans[start : start + recipe.writer.batch]]
        inputs = torch.from_numpy(pad([e.ids for e in words.encode_batch(texts)], INPUT, tokenizer.PAD)).long()
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            tokens, _ = model.generate(inputs.to(where), OUTPUT, temperature=recipe.writer.temperature)
        written += words.decode_batch(tokens.tolist(), skip_special_tokens=True)
    return [question.strip() for question in written]


def round_trip(reader: Reader, spans: list[Askable], questions: list[str]) -> Iterator[dict[str, object]]:
    """Yields the questions whose answer the reader finds again in the whole passage."""
    found: list[list[Span]] = best_spans(reader, [(q, span.text) for q, span in zip(questions, spans, strict=True)], 1)
    for span, question, best in zip(spans, questions, found, strict=True):
        sure = bool(best) and best[0].score > 0 and f1(trim(best[0].text), span.answer) >= SAME_F1
        if sure and len(question.split()) >= 3 and not echoes(span.answer, question):
            yield {
                "source": span.source,
                "path": span.path,
                "passage": span.number,
                "question": restore_case(question, span.text),
                "answer": span.answer,
            }


def main(recipe: Recipe) -> None:
    target = recipe.work / "asked.jsonl.xz"
    if target.exists():
        return
    torch.manual_seed(recipe.seed)
    writer = train_writer(recipe)
    writer.eval()
    torch.save(writer.state_dict(), recipe.work / "writer.pt")
    plain = T5(recipe.shape, recipe.tokenizer.vocabulary).to(device()).eval()
    plain.load_state_dict(writer.state_dict())
    reader = teacher.load(recipe)
    spans = askable(recipe, reader)
    kept = list(round_trip(reader, spans, ask(recipe, plain, spans)))
    held_out = sum(is_held_out(str(row["source"]), str(row["path"]), recipe.held_out) for row in kept)
    print(f"asked {len(spans)} questions, kept {len(kept)}, {held_out} of them about held-out documents", flush=True)
    write_lines(target, kept)


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
