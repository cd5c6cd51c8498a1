"""Step 3: the T5's encoder starts as the teacher's, then learns to see text as the teacher does.

BERT normalises after every sublayer, T5 before. Were BERT's normalisation a fixed scaling, one would be the other:
with `h = A * r`, where `h` is BERT's hidden state, `r` T5's stream and `A` the product of the scalings so far, BERT's
matrices serve T5 when the rows of every output matrix are divided by `A`. The scalings are measured on text; what the
approximation loses (biases, positions, the spread of the scalings) is learnt back, by drawing the layers' inputs to the
teacher's hidden states on the tokens that end at the same character.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertModel

from lakerag.models.t5_grounded import WEIGHTS, unpack
from training import tokenizer
from training.config import Recipe
from training.corpus import is_held_out, read_documents, stable_fraction
from training.natural import search_questions, sentence_questions, window
from training.optimiser import train
from training.reader import device
from training.streams import spread
from training.t5 import T5, transformers_names

WINDOW_CHARS = 1100
LENGTH = 320
PROSE = "openstax"
PROSE_REPEATS = 3
LOWERED = 0.15


def texts(recipe: Recipe) -> Iterator[str]:
    """Yields windows of the documents; prose stands in more often, for it is nearer to what people ask about."""
    for document in read_documents(recipe.texts / "docs.jsonl.xz", recipe.keep_sources):
        if is_held_out(document.source, document.path, recipe.held_out):
            continue
        for repeat in range(PROSE_REPEATS if document.source.startswith(PROSE) else 1):
            offset = repeat * (WINDOW_CHARS // PROSE_REPEATS)
            for start in range(offset, len(document.text), WINDOW_CHARS):
                yield document.text[start : start + WINDOW_CHARS]
    sentences, _ = sentence_questions(recipe.texts)
    for position in range(2, len(sentences), 2):
        yield window(sentences, position, before=2, after=3)
    for example in search_questions(recipe.texts, held_out=False):
        yield f"{example.passage} {example.question}"


class Aligner:
    """Picklable. Tokenises a text as student and as teacher, and pairs the tokens that end at the same character."""

    def __init__(self, student: Tokenizer, teacher: Tokenizer) -> None:
        self.student, self.teacher = student, teacher
        teacher.no_padding()
        teacher.enable_truncation(LENGTH)

    def __call__(self, text: str) -> np.ndarray:
        """Returns (4, LENGTH) int16: student tokens, teacher tokens, and the paired positions, -1 after the last."""
        rows = np.zeros((4, LENGTH), np.int16)
        rows[2:] = -1
        cased = text.lower() if stable_fraction(text[:80]) < LOWERED else text
        student = self.student.encode(cased, add_special_tokens=False)
        teacher = self.teacher.encode(cased)
        for row, ids in zip(rows, (student.ids[:LENGTH], teacher.ids), strict=False):
            row[: len(ids)] = ids
        ends = [np.array([end for _, end in e.offsets[:LENGTH]]) for e in (student, teacher)]
        common, ours, theirs = np.intersect1d(*ends, return_indices=True)
        paired = common > 0
        rows[2, : paired.sum()], rows[3, : paired.sum()] = ours[paired], theirs[paired]
        return rows


def aligned_windows(recipe: Recipe) -> np.ndarray:
    """Returns (windows, 4, LENGTH) int16, shuffled; kept in the work folder."""
    target = recipe.work / "aligned.npy"
    if not target.exists():
        align = Aligner(tokenizer.load(recipe), Tokenizer.from_file(str(recipe.teacher / "tokenizer.json")))
        rows = np.stack(spread(align, texts(recipe), recipe.processes))
        np.random.default_rng(recipe.seed).shuffle(rows)
        np.save(target, rows)
    windows: np.ndarray = np.load(target)
    return windows


def load_teacher(recipe: Recipe) -> BertModel:
    teacher = BertModel.from_pretrained(str(recipe.teacher), add_pooling_layer=False)
    return teacher.to(device()).eval().requires_grad_(False)


@torch.no_grad()
def transplant(model: T5, teacher: BertModel, recipe: Recipe, sample: Tensor) -> None:
    """Writes the teacher's embeddings and layers into the T5; layers beyond the teacher's start as identities."""
    hidden = teacher(sample, attention_mask=(sample != 0).long(), output_hidden_states=True).hidden_states
    seen = sample != 0
    scale = torch.ones(model.shape.width, device=sample.device)
    for layer, source, states in zip(model.encoder, teacher.encoder.layer, hidden, strict=False):
        attention = source.attention
        key_width = model.shape.width // model.shape.heads
        layer.attention.q.weight.copy_(attention.self.query.weight * key_width**-0.5)
        layer.attention.k.weight.copy_(attention.self.key.weight)
        layer.attention.v.weight.copy_(attention.self.value.weight)
        layer.attention.o.weight.copy_(attention.output.dense.weight / scale[:, None])
        layer.attention_norm.weight.copy_(_norm_weight(states[seen], scale))
        mask = torch.zeros(sample.shape, device=sample.device).masked_fill(~seen, -1e4)[:, None, None, :]
        mixed = attention.output.dense(attention.self(states, mask)[0]) + states
        scale = _scaled(scale, attention.output.LayerNorm, mixed[seen])
        middle = attention.output.LayerNorm(mixed)
        layer.inner.wi.weight.copy_(source.intermediate.dense.weight)
        layer.inner.wo.weight.copy_(source.output.dense.weight / scale[:, None])
        layer.inner_norm.weight.copy_(_norm_weight(middle[seen], scale))
        after = source.output.dense(source.intermediate(middle)) + middle
        scale = _scaled(scale, source.output.LayerNorm, after[seen])
    for layer in model.encoder[len(teacher.encoder.layer) :]:
        layer.attention_norm.weight.copy_(_norm_weight(hidden[-1][seen], scale))
        layer.inner_norm.weight.copy_(_norm_weight(hidden[-1][seen], scale))
        layer.attention.o.weight.mul_(0.1 / scale[:, None])
        layer.inner.wo.weight.mul_(0.1 / scale[:, None])
    model.encoder_norm.weight.copy_(_norm_weight(hidden[-1][seen], scale))
    model.embedding.weight.copy_(_embeddings(teacher, recipe).to(sample.device))


def _norm_weight(states: Tensor, scale: Tensor) -> Tensor:
    """Returns the weight with which T5's norm of `states / scale` gives back `states`, on average."""
    return scale * (states / scale).pow(2).mean(-1).sqrt().mean()


def _scaled(scale: Tensor, norm: torch.nn.LayerNorm, summed: Tensor) -> Tensor:
    wanted = scale * norm.weight / summed.std(-1).mean()
    return torch.where(wanted < 0, -1.0, 1.0) * wanted.abs().clamp(min=1e-4)


def _embeddings(teacher: BertModel, recipe: Recipe) -> Tensor:
    """Returns for each of our tokens the mean of the teacher's embeddings of its pieces, (vocabulary, width)."""
    ours, theirs = tokenizer.load(recipe), Tokenizer.from_file(str(recipe.teacher / "tokenizer.json"))
    theirs.no_padding()
    parts = teacher.embeddings
    raw = (
        parts.word_embeddings.weight + parts.position_embeddings.weight.mean(0) + parts.token_type_embeddings.weight[0]
    )
    table = parts.LayerNorm(raw).cpu()
    rows = table.mean(0).repeat(ours.get_vocab_size(), 1)
    for token in range(len(rows)):
        pieces = theirs.encode(ours.decode([token], skip_special_tokens=False).strip(), add_special_tokens=False).ids
        if pieces:
            rows[token] = table[pieces].mean(0)
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(recipe.seed))
    return rows + 0.1 * rows.std() * noise


def distillation_loss(model: T5, teacher: BertModel, rows: Tensor) -> Tensor:
    """Returns the mean over the teacher's layers of the squared error relative to the spread of its states."""
    ours, theirs, our_ends, their_ends = rows.long().unbind(1)
    layers = range(len(teacher.encoder.layer) + 1)
    with torch.no_grad():
        wanted = teacher(theirs, attention_mask=(theirs != 0).long(), output_hidden_states=True).hidden_states
    _, seen = model.encode(ours, keep=tuple(layers))
    batch, pair = (our_ends >= 0).nonzero(as_tuple=True)
    total = torch.zeros((), device=rows.device)
    for mine, target in zip(seen, wanted, strict=True):
        goal = target[batch, their_ends[batch, pair]].float()
        error = mine[batch, our_ends[batch, pair]].float() - goal
        total = total + error.pow(2).mean() / goal.var(0).mean()
    return total / len(layers)


def window_batches(rows: np.ndarray, size: int, seed: int) -> Iterator[tuple[Tensor, ...]]:
    """Yields batches of aligned windows without end."""
    draw = np.random.default_rng(seed)
    while True:
        for chosen in np.array_split(draw.permutation(len(rows)), max(1, len(rows) // size)):
            if len(chosen) >= size or len(rows) < size:
                yield (torch.from_numpy(rows[np.sort(chosen[:size])]),)


def exported_weights(recipe: Recipe, folder: Path) -> dict[str, Tensor]:
    """Returns the weights of an exported folder under the names that training uses."""
    ours = T5(recipe.shape, recipe.tokenizer.vocabulary).state_dict().keys()
    theirs: dict[str, str] = transformers_names({name: name for name in ours})
    weights = unpack(load_file(folder / WEIGHTS))
    return {name: weights[exported] for exported, name in theirs.items()}


def main(recipe: Recipe) -> None:
    if (recipe.work / "encoder.pt").exists():
        return
    if recipe.start is not None:
        torch.save(exported_weights(recipe, recipe.start), recipe.work / "encoder.pt")
        return
    torch.manual_seed(recipe.seed)
    rows = aligned_windows(recipe)
    model = T5(recipe.shape, recipe.tokenizer.vocabulary).to(device())
    teacher = load_teacher(recipe)
    transplant(model, teacher, recipe, torch.from_numpy(rows[:64, 1]).long().to(device()))
    if recipe.compile:
        model.compile_layers()
    run = recipe.transplant
    batches = window_batches(rows, run.batch, recipe.seed)
    train(model, lambda batch: distillation_loss(model, teacher, batch[0]), batches, run, "transplant")
    torch.save(model.state_dict(), recipe.work / "encoder.pt")


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
