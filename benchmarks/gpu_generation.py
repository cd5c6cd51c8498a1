"""Measures answers a second of lakerag's own T5 on a GPU, in batches, and what bounds them.

    PYTHONPATH=.:src python benchmarks/gpu_generation.py --texts FOLDER [--t5 FOLDER]

The questions are the recipe's search-engine questions, each over its own passage and two others, repeated to the
wanted number. `reading` is the time in the encoder, `host` that of choosing the tokens that may follow (on the CPU).
Prints one JSON line.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from lakerag import config
from lakerag.models.locate import locate
from lakerag.models.t5_grounded.copying import Copy
from lakerag.models.t5_grounded.generator import GroundedGenerator
from lakerag.records import Passage, Prompt
from training.natural import search_questions

BATCHES = (4_096, 32_768, 131_072)
"""Prompt tokens a batch."""
ROUNDS = 3


def prompts(texts: Path, count: int) -> list[Prompt]:
    examples = search_questions(texts, held_out=False)
    made = []
    for n in range(count):
        own = examples[n % len(examples)]
        others = [examples[(n * 7 + step) % len(examples)].passage for step in (101, 211)]
        passages = tuple(Passage("", "", "", "", "", text, 0, len(text), 0.0) for text in (own.passage, *others))
        made.append(Prompt(own.question, passages, "", 0, 0))
    return made


class Clock:
    """Adds up the seconds in a callable that it takes the place of."""

    def __init__(self, call: Any) -> None:
        self._call, self.seconds = call, 0.0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        result = self._call(*arguments, **named)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - started
        return result


def measure(folder: Path, asked: list[Prompt], batch_tokens: int) -> dict[str, float]:
    generator = GroundedGenerator(folder, config.Generator(batch_tokens=batch_tokens, min_confidence=0.0))
    fitting = [p for p in asked if len(generator._encode(p)) <= generator.max_prompt_tokens]
    generator.copy(fitting)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        generator.copy(fitting)
        seconds.append(time.perf_counter() - started)
    reading = Clock(generator._model.encoder.forward)
    generator._model.encoder.forward = reading
    allowed, pushed, original = Clock(Copy.allowed), Clock(Copy.push), (Copy.allowed, Copy.push)
    Copy.allowed = lambda self: allowed(self)  # type: ignore[method-assign]
    Copy.push = lambda self, token: pushed(self, token)  # type: ignore[method-assign]
    started = time.perf_counter()
    generator.copy(fitting)
    whole = time.perf_counter() - started
    Copy.allowed, Copy.push = original  # type: ignore[method-assign]
    return {
        "answers_per_second": round(len(fitting) / statistics.median(seconds), 1),
        "reading": round(reading.seconds / whole, 2),
        "host": round((allowed.seconds + pushed.seconds) / whole, 2),
    }


def main(arguments: argparse.Namespace) -> None:
    asked = prompts(arguments.texts, arguments.questions)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    report: dict[str, Any] = {"device": device, "questions": len(asked)}
    for tokens in arguments.batches:
        report[f"batch_tokens_{tokens}"] = measure(arguments.t5, asked, tokens)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--t5", type=Path, default=locate("lakerag-t5"))
    parser.add_argument("--questions", type=int, default=1024)
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES)
    main(parser.parse_args())
