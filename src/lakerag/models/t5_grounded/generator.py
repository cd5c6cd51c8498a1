"""Our own small T5 as a generator: it picks a passage, then copies the answer out of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakerag import config
from lakerag.models.batching import refuse_long, token_batches
from lakerag.models.device import pick_device, prompt_tokens
from lakerag.models.drafts import abstention
from lakerag.models.locate import read_json
from lakerag.models.sentences import cut_into_pieces
from lakerag.models.t5_grounded import CALIBRATION, layout, load_grounded_t5
from lakerag.models.t5_grounded.copying import Copy, token_bytes
from lakerag.models.tokenizer import read_tokenizer
from lakerag.records import Draft, Passage, Prompt, Sentence

MAX_ANSWER_TOKENS = 64
END = 1
LEAST = 1e-6
"""Probabilities are kept as far from 0 and 1."""
SURE_OF_PHRASE = -0.25
"""Mean log probability of the answer's tokens below which its whole sentence is said: on held-out questions such a
phrase was wrong more often than right, while its sentence mostly held the answer."""


@dataclass(frozen=True, slots=True)
class Copied:
    """An answer as the model wrote it."""

    passage: int
    """Index of the passage, from 0."""
    text: str
    features: tuple[float, float, float]
    """Log odds that a passage answers; log probability of this one; mean log probability of the answer's tokens."""


class GroundedGenerator:
    """Fulfils the `Generator` port over a folder that `training.export` wrote.

    Args:
        folder: Packed weights, config.json, tokenizer.json and calibration.json.
        settings: Limits and threshold.
    """

    def __init__(self, folder: Path, settings: config.Generator) -> None:
        import torch

        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.name = "t5:lakerag"
        self.max_prompt_tokens = layout.MAX_INPUT_TOKENS
        self._settings = settings
        self._device = pick_device(settings.device)
        self._batch_tokens = prompt_tokens(settings)
        model: Any = load_grounded_t5(folder)[0]
        self._model = model.to(self._device, torch.bfloat16 if self._device == "cuda" else torch.float32)
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._tokens = token_bytes(self._tokenizer.get_vocab(with_added_tokens=False))
        vocabulary = self._tokenizer.get_vocab()
        self._marks = [vocabulary[mark] for mark in layout.MARKS]
        self._nothing = vocabulary[layout.NOTHING]
        self._weights: list[float] = read_json(folder / CALIBRATION)["weights"]

    def count_tokens(self, text: str) -> int:
        """Returns the tokens of a prompt, its end token included; its marks count as text, so it is never too few."""
        return len(self._tokenizer.encode(layout.neutralise(text)).ids)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:
        """See the port. The confidence is the calibrated probability that the answer is right.

        Raises:
            RowRefusedError: A prompt is longer than the model reads.
        """
        drafts = [abstention("the question is empty" if p.passages else "no passages were found") for p in prompts]
        asked = [n for n, p in enumerate(prompts) if p.passages and p.question.strip()]
        refuse_long([len(self._encode(prompts[n])) for n in asked], self.max_prompt_tokens, self.name)
        copied = self.copy([prompts[n] for n in asked], max_new_tokens)
        for n, answer in zip(asked, copied, strict=True):
            drafts[n] = self._draft(answer)
        return drafts

    def copy(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Copied]:
        """Returns what the model would answer if it had to."""
        rows = [self._encode(prompt) for prompt in prompts]
        answers: dict[int, Copied] = {}
        limit = min(max_new_tokens or MAX_ANSWER_TOKENS, MAX_ANSWER_TOKENS)
        for batch in token_batches([len(row) for row in rows], self._batch_tokens):
            found = self._run(
                [rows[n] for n in batch], [prompts[n].passages[: layout.MAX_PASSAGES] for n in batch], limit
            )
            answers.update(zip(batch, found, strict=True))
        return [answers[n] for n in range(len(prompts))]

    def confidence(self, answer: Copied) -> float:
        offset, *weights = self._weights
        odds = offset + sum(w * x for w, x in zip(weights, answer.features, strict=True))
        return 1 / (1 + math.exp(-odds))

    def _draft(self, answer: Copied) -> Draft:
        confidence, wanted = self.confidence(answer), self._settings.min_confidence
        if not answer.text:
            return abstention("the cited passage is empty")
        if confidence < wanted:
            return abstention(f"the model is not sure (confidence {confidence:.2f}, wanted {wanted:.2f})", confidence)
        return Draft((Sentence(answer.text, (answer.passage,)),), confidence, abstained=False)

    def _encode(self, prompt: Prompt) -> list[int]:
        text = layout.render(prompt.question, [shown(p) for p in prompt.passages[: layout.MAX_PASSAGES]])
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def _run(self, rows: list[list[int]], passages: list[tuple[Passage, ...]], limit: int) -> list[Copied]:
        import torch

        width = max(map(len, rows))
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=self._device)
        read: dict[str, Any] = {"attention_mask": (ids != 0).long(), "use_cache": True}
        with torch.inference_mode():
            read["encoder_outputs"] = self._model.encoder(input_ids=ids, attention_mask=read["attention_mask"])
            step = self._model(decoder_input_ids=torch.zeros_like(ids[:, :1]), **read)
            first = step.logits[:, 0].float().log_softmax(-1).cpu()
            places = [int(line[self._marks[: len(own)]].argmax()) for line, own in zip(first, passages, strict=True)]
            copies = [Copy(own[place].text, self._tokens, END) for own, place in zip(passages, places, strict=True)]
            means = self._write(copies, [self._marks[place] for place in places], step, read, limit)
        return [
            Copied(place, self._said(own[place].text, copy, mean, limit), self._features(line, place, mean))
            for own, place, copy, line, mean in zip(passages, places, copies, first, means, strict=True)
        ]

    def _said(self, passage: str, copy: Copy, mean: float, limit: int) -> str:
        """Returns the copied phrase, or its whole sentence where the model is not sure of the phrase."""
        start, stop = copy.span()
        if mean < SURE_OF_PHRASE:
            around = next((piece for piece in cut_into_pieces(passage) if piece.start <= start < piece.end), None)
            if around is not None:
                sentence = passage[around.start : max(stop, around.end)]
                if len(self._tokenizer.encode(sentence).ids) <= limit:
                    return sentence
        return passage[start:stop]

    def _write(self, copies: list[Copy], marks: list[int], step: Any, read: dict[str, Any], limit: int) -> list[float]:
        """Extends the copies, each by its likeliest allowed tokens; returns the mean log probability of those."""
        import torch

        tokens, logs = list(marks), [list[float]() for _ in copies]
        running = set(range(len(copies)))
        for _ in range(limit):
            fed = torch.tensor(tokens, device=self._device)[:, None]
            step = self._model(decoder_input_ids=fed, past_key_values=step.past_key_values, **read)
            likely = step.logits[:, 0].float().log_softmax(-1).cpu()
            for n in sorted(running):
                allowed = copies[n].allowed()
                tokens[n] = allowed[int(likely[n, allowed].argmax())]
                logs[n].append(float(likely[n, tokens[n]]))
                if tokens[n] == END:
                    running.discard(n)
                else:
                    copies[n].push(tokens[n])
            if not running:
                break
        return [sum(each) / max(len(each), 1) for each in logs]

    def _features(self, first: Any, place: int, mean: float) -> tuple[float, float, float]:
        nothing = min(max(math.exp(float(first[self._nothing])), LEAST), 1 - LEAST)
        return math.log((1 - nothing) / nothing), float(first[self._marks[place]]), mean


def shown(passage: Passage) -> str:
    """Returns a passage as the model was trained to see it: its innermost heading, then its text."""
    heading = passage.heading.rsplit(" > ", 1)[-1].strip()
    return f"{heading}\n{passage.text}" if heading else passage.text
