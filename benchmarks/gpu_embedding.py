"""Measures chunks of 128 tokens a second on a GPU: the product's torch encoder, its tokeniser, and both together.

    python benchmarks/gpu_embedding.py MODEL_FOLDER

`embed` is `SentenceEmbedder.embed` on texts; the encoder gets token ids. The profile tells the share of the encoder's
time in which the GPU works, and of that time what its kernels do. Prints one JSON line.
"""

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from lakerag import config
from lakerag.models.embedder import load_embedder
from lakerag.models.sentence_model import read_sentence_model
from lakerag.models.tokenizer import ModelTokenizer
from lakerag.models.torch_encoder import TorchEncoder

TOKENS, ROUNDS = 128, 5
BATCHES = (256, 1024, 4096)
TEXTS = 20_000
KINDS = {
    "matrix products": ("gemm", "cutlass", "nvjet", "sm90_xmma", "cublas"),
    "attention": ("flash", "fmha", "attention", "softmax"),
    "copies": ("memcpy", "memset"),
}
"""What the names of a GPU's kernels hold; the others are called the rest."""


def per_second(work: Callable[[], object], count: int) -> int:
    """Returns the median rate of some rounds, after one that is not counted."""
    work()
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return round(count / statistics.median(seconds))


def busy(work: Callable[[], object]) -> dict[str, float]:
    """Returns the share of the time in which the GPU works, and what it does in it."""
    work()
    started = time.perf_counter()
    activity = ProfilerActivity.CUDA if torch.cuda.is_available() else ProfilerActivity.CPU
    with profile(activities=[activity]) as seen:
        work()
    wall = time.perf_counter() - started
    spent: Counter[str] = Counter()
    for event in seen.key_averages():
        name = event.key.lower()
        kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "the rest")
        spent[kind] += event.self_device_time_total / 1e6
    total = sum(spent.values()) or 1.0
    return {"busy": round(total / wall, 2), **{kind: round(value / total, 2) for kind, value in spent.items()}}


def main(folder: Path) -> None:
    encoder = TorchEncoder(folder)
    draw = np.random.default_rng(0)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    report: dict[str, object] = {"device": device, "tokens": TOKENS}
    for size in BATCHES:
        ids = draw.integers(1000, 30000, (size, TOKENS))
        mask = np.ones_like(ids)
        report[f"model_batch_{size}"] = per_second(lambda: encoder(ids, mask), size)  # noqa: B023
        report[f"profile_batch_{size}"] = busy(lambda: encoder(ids, mask))  # noqa: B023
    words = ModelTokenizer(read_sentence_model(folder))
    plain = words._tokenizer
    texts = [plain.decode(row) for row in draw.integers(2000, 20000, (TEXTS, TOKENS - 2)).tolist()]
    rows = words.encode(texts)
    texts = [plain.decode(row[1 : TOKENS - 1].tolist()) for row in rows]
    report["tokens_of_texts"] = round(float(np.mean([len(row) for row in words.encode(texts)])), 1)
    report["tokeniser"] = per_second(lambda: words.encode(texts), TEXTS)
    report["tokeniser_library"] = per_second(lambda: plain.encode_batch_fast(texts), TEXTS)
    for tokens in (16_384, 131_072, 524_288):
        embedder = load_embedder(config.Embedder(model=str(folder), runtime="torch", batch_tokens=tokens, threads=0))
        report[f"embed_batch_tokens_{tokens}"] = per_second(lambda: embedder.embed(texts), TEXTS)  # noqa: B023
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
