"""Step 4: pre-training: filling gaps, many of them with words that stand elsewhere in the text.

Gaps whose words recur teach what answering needs: find the place in the text that fits, and copy from it (recurring
span selection, Ram et al. 2021, here with a decoder). One batch in four goes on distilling the teacher.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training import tokenizer
from training.config import Recipe
from training.corpus import is_held_out, read_documents
from training.natural import search_questions, sentence_questions
from training.optimiser import train
from training.reader import device
from training.streams import Batch, stream
from training.t5 import IGNORED, T5
from training.transplant import PROSE, PROSE_REPEATS, aligned_windows, distillation_loss, load_teacher, window_batches

INPUT, OUTPUT = 512, 128
RECURRING_SHARE = 0.55
RECURRING_TOKENS = 70
RECURRING_GAPS = 22
GAP_SHARE, GAP_MEAN, GAP_MAX = 0.16, 3, 10
DISTIL_EVERY = 4
SPACES = ("Ġ", "Ċ", "ĉ")
"""How the byte-level vocabulary writes space, line feed and tab."""


class Text:
    """All training text as one row of tokens, sampled by weight."""

    def __init__(self, recipe: Recipe) -> None:
        target = recipe.work / "tokens.npz"
        if not target.exists():
            _save_tokens(recipe, target)
        saved = np.load(target)
        self.tokens, self.bounds = saved["tokens"], saved["bounds"]
        sizes = np.diff(self.bounds) * saved["weights"]
        self._cumulative = np.cumsum(sizes / sizes.sum())
        words = tokenizer.load(recipe)
        vocabulary = words.get_vocab()
        pieces = sorted(vocabulary, key=vocabulary.__getitem__)
        self.starts_word = np.array([piece[:1] in SPACES or not piece[:1].isalnum() for piece in pieces])
        self.says_something = np.array([any(c.isalnum() and c not in SPACES for c in piece) for piece in pieces])

    def cut(self, length: int, draw: np.random.Generator) -> np.ndarray:
        """Returns `length` tokens: a piece of one document, or of several where they are short."""
        parts, missing = list[np.ndarray](), length
        while missing > 0:
            document = min(int(np.searchsorted(self._cumulative, draw.random())), len(self.bounds) - 2)
            start, end = self.bounds[document], self.bounds[document + 1]
            if end - start > missing:
                start += draw.integers(0, end - start - missing + 1)
            parts.append(self.tokens[start : min(end, start + missing)])
            missing -= len(parts[-1])
        return np.concatenate(parts).astype(np.int64)


def _save_tokens(recipe: Recipe, target: Path) -> None:
    words = tokenizer.load(recipe)
    texts, weights = list[str](), list[float]()
    for document in read_documents(recipe.texts / "docs.jsonl.xz", recipe.keep_sources):
        if not is_held_out(document.source, document.path, recipe.held_out):
            texts.append(document.text)
            weights.append(PROSE_REPEATS if document.source.startswith(PROSE) else 1)
    sentences, _ = sentence_questions(recipe.texts)
    natural = [" ".join(sentences[n : n + 20]) for n in range(0, len(sentences), 20)]
    natural += [example.passage for example in search_questions(recipe.texts, held_out=False)]
    texts += natural
    weights += [PROSE_REPEATS] * len(natural)
    rows = []
    for start in range(0, len(texts), 2000):
        encoded = words.encode_batch(texts[start : start + 2000], add_special_tokens=False)
        rows += [np.array(e.ids, np.uint16) for e in encoded if e.ids]
    weights = [w for w, text in zip(weights, texts, strict=True) if text]
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    np.savez(target, tokens=np.concatenate(rows), bounds=bounds, weights=np.array(weights[: len(rows)]))


def random_gaps(length: int, share: float, draw: np.random.Generator) -> np.ndarray:
    """Returns a mask with short gaps, about `share` of the tokens, never side by side."""
    mask = np.zeros(length, bool)
    for _ in range(max(1, int(length * share / GAP_MEAN))):
        size = min(int(draw.geometric(1 / GAP_MEAN)), GAP_MAX)
        start = int(draw.integers(0, max(1, length - size)))
        if not mask[max(0, start - 1) : start + size + 1].any():
            mask[start : start + size] = True
    return mask


def recurring_gaps(tokens: np.ndarray, text: Text, draw: np.random.Generator) -> np.ndarray:
    """Returns a mask over whole words that stand, unmasked, somewhere else in `tokens`."""
    mask, kept = np.zeros(len(tokens), bool), np.zeros(len(tokens), bool)
    starts = np.append(text.starts_word[tokens], True)
    said = np.append(0, np.cumsum(text.says_something[tokens]))
    gaps = 0
    for size in draw.permutation([1, 2, 2, 3, 4, 6, 9]):
        count = len(tokens) - size + 1
        hashes = np.zeros(count, np.uint64)
        for offset in range(size):
            hashes = hashes * np.uint64(1000003) + tokens[offset : offset + count].astype(np.uint64)
        whole = starts[:count] & starts[size:] & (said[size:] > said[:count])
        places = np.flatnonzero(whole)
        _, group, sizes = np.unique(hashes[places], return_inverse=True, return_counts=True)
        again = np.flatnonzero(sizes >= 2)
        for chosen in draw.permutation(again)[:5]:
            here, there = draw.permutation(places[group == chosen])[:2]
            clear = not mask[max(0, here - 1) : here + size + 1].any() and not kept[here : here + size].any()
            if abs(here - there) >= size and clear and not mask[there : there + size].any():
                mask[here : here + size], kept[there : there + size] = True, True
                gaps += 1
            if mask.sum() >= RECURRING_TOKENS or gaps >= RECURRING_GAPS:
                return mask
    return mask


def corrupt(tokens: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replaces every gap by a sentinel; the output lists the sentinels with what stood in their gaps."""
    first = mask & ~np.append(False, mask[:-1])
    number = np.cumsum(first) - 1
    gaps = min(int(first.sum()), tokenizer.SENTINELS)
    marks = tokenizer.sentinel(0) + np.arange(gaps)
    mask = mask & (number < gaps)
    first &= mask
    inputs = np.where(first, tokenizer.sentinel(0) + number, tokens)[~mask | first]
    held = np.split(tokens[mask], np.flatnonzero(first[mask])[1:])
    outputs = [part for mark, words in zip(marks, held, strict=True) for part in ([mark], words)]
    return np.append(inputs, tokenizer.END), np.append(np.concatenate(outputs), tokenizer.END)


class Gaps:
    """Makes batches of corrupted text; picklable work for `stream`."""

    def __init__(self, text: Text, size: int) -> None:
        self._text, self._size = text, size

    def __call__(self, draw: np.random.Generator) -> Batch:
        """Returns inputs (size, INPUT) and labels (size, OUTPUT), int16."""
        inputs = np.zeros((self._size, INPUT), np.int16)
        labels = np.full((self._size, OUTPUT), IGNORED, np.int16)
        for row, label in zip(inputs, labels, strict=True):
            tokens, answer = self._sample(draw)
            row[: len(tokens)] = tokens[:INPUT]
            label[: len(answer[:OUTPUT])] = answer[:OUTPUT]
        return inputs, labels

    def _sample(self, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        tokens = self._text.cut(INPUT + 24, draw)
        if draw.random() < RECURRING_SHARE:
            mask = recurring_gaps(tokens, self._text, draw)
            if mask.any():
                return corrupt(tokens, mask)
        return corrupt(tokens, random_gaps(len(tokens), GAP_SHARE, draw))


def interleave(
    often: Iterator[tuple[Tensor, ...]], seldom: Iterator[tuple[Tensor, ...]]
) -> Iterator[tuple[Tensor, ...]]:
    while True:
        for _ in range(DISTIL_EVERY - 1):
            yield next(often)
        yield next(seldom)


def main(recipe: Recipe) -> None:
    if (recipe.work / "body.pt").exists():
        return
    torch.manual_seed(recipe.seed)
    run = recipe.pretrain
    gaps = stream(Gaps(Text(recipe), run.batch), recipe.processes, recipe.seed)
    batches = interleave(gaps, window_batches(aligned_windows(recipe), run.batch, recipe.seed + 1))
    model = T5(recipe.shape, recipe.tokenizer.vocabulary).to(device())
    model.load_state_dict(torch.load(recipe.work / "encoder.pt", map_location=device(), weights_only=True))
    teacher = load_teacher(recipe)
    if recipe.compile:
        model.compile_layers()

    def loss_of(batch: tuple[Tensor, ...]) -> Tensor:
        if len(batch) == 1:
            return distillation_loss(model, teacher, batch[0])
        return model(batch[0].long(), batch[1].long())

    train(model, loss_of, batches, run, "pretrain")
    torch.save(model.state_dict(), recipe.work / "body.pt")


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
