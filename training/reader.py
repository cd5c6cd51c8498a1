"""The teacher that reads: all-MiniLM-L6-v2 with a span head."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from training.config import ReaderSettings, Recipe
from training.metrics import best_f1
from training.natural import Example, trim

SEPARATOR = 102
MAX_TOKENS = 384
MAX_SPAN = 24
BLOCKED = -1e4
SHORTEST_SCHEDULE = 20
"""Steps: the warm-up is a tenth, and one of a single step divides by zero."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a passage."""

    text: str
    start: int
    """First character in the passage."""
    score: float
    """How much more likely than "not here", in nats."""


class Reader(nn.Module):
    """Reads question and passage together and scores where the answer starts and ends; position 0: not here."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(str(recipe.teacher), add_pooling_layer=False)
        self.head = nn.Linear(self.bert.config.hidden_size, 2)
        self.tokenizer = Tokenizer.from_file(str(recipe.teacher / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
        self.tokenizer.no_padding()

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns logits (batch, length, 2), blocked outside the passage and position 0."""
        separators = tokens == SEPARATOR
        segment = separators.cumsum(1) - separators.long()
        hidden = self.bert(tokens, attention_mask=(tokens != 0).long(), token_type_ids=segment.clamp(max=1))
        outside = (segment != 1) | separators
        outside[:, 0] = False
        return self.head(hidden.last_hidden_state).float().masked_fill(outside[..., None], BLOCKED)

    def encode(self, pairs: list[tuple[str, str]]) -> list[Encoding]:
        return self.tokenizer.encode_batch(pairs)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def stack(encodings: list[Encoding], target: torch.device) -> Tensor:
    """Pads token lists to a common multiple of 32: (batch, length)."""
    length = -(-max(len(encoding.ids) for encoding in encodings) // 32) * 32
    rows = np.zeros((len(encodings), length), np.int64)
    for row, encoding in zip(rows, encodings, strict=True):
        row[: len(encoding.ids)] = encoding.ids
    return torch.from_numpy(rows).to(target)


def fit(reader: Reader, examples: list[Example], settings: ReaderSettings, seed: int) -> None:
    """Trains on the likelihood of every place where an answer stands, or of position 0."""
    encodings = reader.encode([(e.question, e.passage) for e in examples])
    places = [_token_places(encoding, example) for encoding, example in zip(encodings, examples, strict=True)]
    known = [number for number, found in enumerate(places) if found]
    where = device()
    optimiser = torch.optim.AdamW(reader.parameters(), lr=settings.rate, weight_decay=0.01)
    per_epoch = -(-len(known) // settings.batch)
    total = max(SHORTEST_SCHEDULE, settings.epochs * per_epoch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total, pct_start=0.1)
    shuffle = random.Random(seed)
    reader.train()
    for _ in range(settings.epochs):
        shuffle.shuffle(known)
        for start in range(0, len(known), settings.batch):
            chosen = known[start : start + settings.batch]
            with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                logits = reader(stack([encodings[n] for n in chosen], where))
            loss = _span_loss(logits, [places[n] for n in chosen])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    reader.eval()


def _span_loss(logits: Tensor, places: list[list[tuple[int, int]]]) -> Tensor:
    rows = torch.tensor([n for n, spans in enumerate(places) for _ in spans], device=logits.device)
    ends = torch.tensor([span for spans in places for span in spans], device=logits.device)
    likelihood = logits.log_softmax(1)
    each = likelihood[rows, ends[:, 0], 0] + likelihood[rows, ends[:, 1], 1]
    total = torch.zeros(len(places), device=logits.device).index_add(0, rows, each.exp())
    return -total.clamp(min=1e-12).log().mean()


def _token_places(encoding: Encoding, example: Example) -> list[tuple[int, int]]:
    """Returns (first, last) token of up to six places of the shortest answer; (0, 0) where there is none."""
    if not example.answers:
        return [(0, 0)]
    answer, found, at = example.answers[0], list[tuple[int, int]](), 0
    while len(found) < 6 and (at := example.passage.find(answer, at)) >= 0:
        first, last = encoding.char_to_token(at, 1), encoding.char_to_token(at + len(answer) - 1, 1)
        if first is not None and last is not None:
            found.append((first, last))
        at += len(answer)
    return found


@torch.no_grad()
def best_spans(reader: Reader, pairs: list[tuple[str, str]], count: int, batch: int = 512) -> list[list[Span]]:
    """Returns the `count` likeliest spans of every (question, passage), the surest first."""
    where = device()
    encodings = reader.encode(pairs)
    order = sorted(range(len(pairs)), key=lambda n: len(encodings[n].ids))
    found: list[list[Span]] = [[] for _ in pairs]
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            logits = reader(stack([encodings[n] for n in chosen], where))
        values, firsts, lasts = _top_spans(logits, count)
        for n, row in zip(chosen, zip(values.tolist(), firsts.tolist(), lasts.tolist(), strict=True), strict=True):
            found[n] = list(_spans_of(encodings[n], pairs[n][1], *row))
    return found


def _top_spans(logits: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    starts, ends = logits.unbind(-1)
    nothing = starts[:, 0] + ends[:, 0]
    starts, ends = starts.clone(), ends.clone()
    starts[:, 0] = ends[:, 0] = BLOCKED
    widths = [starts + torch.roll(ends, -w, 1).index_fill(1, _tail(ends, w), BLOCKED) for w in range(MAX_SPAN)]
    values, flat = torch.stack(widths, 2).flatten(1).topk(count)
    firsts = flat // MAX_SPAN
    return values - nothing[:, None], firsts, firsts + flat % MAX_SPAN


def _tail(ends: Tensor, width: int) -> Tensor:
    return torch.arange(max(0, ends.shape[1] - width), ends.shape[1], device=ends.device)


def _spans_of(
    encoding: Encoding, passage: str, values: list[float], firsts: list[int], lasts: list[int]
) -> Iterator[Span]:
    for value, first, last in zip(values, firsts, lasts, strict=True):
        if value < BLOCKED / 2:
            continue
        start, end = encoding.token_to_chars(first)[0], encoding.token_to_chars(last)[1]
        while start > 0 and passage[start].isalnum() and passage[start - 1].isalnum():
            start -= 1
        while end < len(passage) and passage[end - 1].isalnum() and passage[end].isalnum():
            end += 1
        yield Span(passage[start:end], start, value)


def score(reader: Reader, examples: list[Example]) -> float:
    """Returns the mean token F1, in per cent, of the best span of each example."""
    found = best_spans(reader, [(e.question, e.passage) for e in examples], 1)
    return 100 * float(np.mean([best_f1(trim(s[0].text), e.answers) for s, e in zip(found, examples, strict=True)]))


def load(recipe: Recipe) -> Reader:
    reader = Reader(recipe).to(device())
    reader.load_state_dict(torch.load(recipe.work / "reader.pt", map_location=device(), weights_only=True))
    return reader.eval()
