"""A T5 in CTranslate2's int8 against transformers, one question after the other: time, memory, equality of answers.

    PYTHONPATH=.:src python benchmarks/generator_runtimes.py [--questions 64] [--rounds 3]

The model is lakerag's own, unpacked into a plain `T5ForConditionalGeneration`; the prompts are held-out documentation
in its layout. Both runtimes have a process of their own and work in turns: all questions, then some of them alone.
`ratio` is transformers' time over CTranslate2's. Prints one JSON line.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from lakerag import config
from lakerag.models.t5_grounded import layout

RUNTIMES = ("torch", "ctranslate2")
ALONE = 16
"""Questions asked one at a time for the median."""
MAX_NEW_TOKENS = 64


def unpack_model(folder: Path, into: Path) -> None:
    from lakerag.models.t5_grounded import load_grounded_t5

    model, tokenizer = load_grounded_t5(folder)
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)


def prompts(recipe: Path, count: int) -> list[str]:
    from training.config import load_recipe
    from training.evaluate import held_out_cases

    cases = held_out_cases(load_recipe(recipe))
    return [layout.render(c.question, c.passages) for c in cases[:: len(cases) // count][:count]]


def work(runtime: str, folder: Path, threads: int) -> None:
    """Loads a runtime, then answers every line of prompts with a line of seconds, answers and memory."""
    from lakerag.models.t5 import load_t5
    from lakerag.records import Passage, Prompt

    began = time.perf_counter()
    settings = config.Generator(
        kind="t5", model=str(folder), runtime=runtime, device="cpu", threads=threads,
        cache=str(folder.parent), min_confidence=0.0, max_prompt_tokens=layout.MAX_INPUT_TOKENS,
    )  # fmt: skip
    generator = load_t5(settings)
    passage = Passage("", "", "", "", "", "text", 0, 4, 0.0)
    print(json.dumps({"load_s": time.perf_counter() - began}), flush=True)
    for line in sys.stdin:
        asked = [[Prompt("?", (passage,), text, 0, 0) for text in group] for group in json.loads(line)]
        started, drafts = time.perf_counter(), []
        for group in asked:
            drafts += generator.generate(group, MAX_NEW_TOKENS)
        seconds = time.perf_counter() - started
        answers = [" ".join(sentence.text for sentence in draft.sentences) for draft in drafts]
        memory = psutil.Process().memory_info().rss / 2**20
        print(json.dumps({"seconds": seconds, "answers": answers, "memory_mib": memory}), flush=True)


class Worker:
    def __init__(self, runtime: str, folder: Path, threads: int) -> None:
        command = [sys.executable, __file__, "--work", runtime, str(folder), "--threads", str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.load_s = self._read()["load_s"]

    def ask(self, groups: list[list[str]]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(groups) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def compare(workers: dict[str, Worker], asked: list[str], rounds: int) -> dict[str, Any]:
    """The torch worker takes questions one by one, the other all at once."""
    groups = {"torch": [[text] for text in asked], "ctranslate2": [asked]}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    alone: dict[str, list[float]] = {name: [] for name in workers}
    for worker in workers.values():
        worker.ask([[asked[0]]])
    for _ in range(rounds):
        last = {name: worker.ask(groups[name]) for name, worker in workers.items()}
        for name, found in last.items():
            seconds[name].append(found["seconds"])
    for text in asked[:ALONE]:
        for name, worker in workers.items():
            alone[name].append(worker.ask([[text]])["seconds"])
    ratios = np.array(seconds["torch"]) / np.array(seconds["ctranslate2"])
    same = [a == b for a, b in zip(last["torch"]["answers"], last["ctranslate2"]["answers"], strict=True)]
    return {
        "ratio": round(float(np.median(ratios)), 2),
        "spread": [round(float(ratios.min()), 2), round(float(ratios.max()), 2)],
        "equal_answers": round(float(np.mean(same)), 3),
        "p50_ms": {name: round(1e3 * float(np.median(each)), 1) for name, each in alone.items()},
        "memory_mib": {name: round(found["memory_mib"]) for name, found in last.items()},
        "load_s": {name: round(worker.load_s, 1) for name, worker in workers.items()},
    }


def main(arguments: argparse.Namespace) -> None:
    asked = prompts(arguments.config, arguments.questions)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "t5"
        unpack_model(arguments.t5, folder)
        workers = {name: Worker(name, folder, arguments.threads) for name in RUNTIMES}
        report = compare(workers, asked, arguments.rounds)
        for worker in workers.values():
            worker.close()
    told = {"benchmark": "generator_runtimes", "questions": len(asked), "threads": arguments.threads}
    print(json.dumps({**told, **report}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--t5", type=Path, default=Path("build/training/export"))
    parser.add_argument("--config", type=Path, default=Path("training/configs/full.yml"))
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", nargs=2, metavar=("RUNTIME", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work[0], Path(given.work[1]), given.threads)
    else:
        main(given)
