"""Measures chunks of 128 tokens a second on a GPU: the product's torch encoder and its tokeniser, told apart.

    python benchmarks/gpu_embedding.py MODEL_FOLDER

Prints one JSON line.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from lakerag.models.torch_encoder import TorchEncoder

TOKENS, ROUNDS = 128, 4
BATCHES = (256, 1024, 4096)
TEXTS = 20_000


def main(folder: Path) -> None:
    encoder = TorchEncoder(folder)
    draw = np.random.default_rng(0)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    report: dict[str, object] = {"device": device, "tokens": TOKENS}
    for size in BATCHES:
        ids = draw.integers(1000, 30000, (size, TOKENS))
        mask = np.ones_like(ids)
        encoder(ids, mask)
        started = time.perf_counter()
        for _ in range(ROUNDS):
            encoder(ids, mask)
        report[f"model_chunks_per_second_batch_{size}"] = round(ROUNDS * size / (time.perf_counter() - started))
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    words.no_padding()
    words.no_truncation()
    texts = [words.decode(row) for row in draw.integers(2000, 20000, (TEXTS, TOKENS - 2)).tolist()]
    started = time.perf_counter()
    words.encode_batch(texts)
    report["tokeniser_chunks_per_second"] = round(TEXTS / (time.perf_counter() - started))
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
