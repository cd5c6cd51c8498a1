"""The embedder's runtimes against the raw library, and what they find.

    LAKERAG_CORPORA=FOLDER python benchmarks/embedder_runtimes.py [--chunks 64] [--threads 1] [--pages 1000]

Speed: chunks of the Milvus documentation through `SentenceTransformer.encode` and through every runtime, in turns,
all in this process and with the same threads. `ratio` is the raw time over the runtime's, the median of the rounds.
Quality: nDCG@10 of vector search for the masked tldr queries (their pages and others drawn at random) and for the
XQuAD questions over their paragraphs; `loss` is against onnx, which equals torch. Prints one JSON line.
"""

import argparse
import json
import os
import random
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lakerag import config
from lakerag.evaluation.retrieval import ndcg
from lakerag.gold.chunker import Chunker
from lakerag.models import load_embedder
from lakerag.models.base import Embedder
from lakerag.models.locate import locate
from lakerag.models.torch_encoder import load_sentence_transformer

RUNTIMES = ("torch", "onnx", "onnx-int8")
ROUNDS = 5


def files_of(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: file.read().decode() for name, file in members if file}


def real_chunks(corpora: Path, embedder: Embedder, count: int) -> list[str]:
    pages = files_of(corpora / "milvus-docs" / "v000.tar.gz")
    chunker = Chunker(embedder.tokenizer, config.Chunking().chunk_tokens)
    chunks = [chunk.embedded_text for name in sorted(pages) for chunk in chunker.cut(pages[name])]
    return random.Random(0).sample(chunks, count)


def speed(embedders: dict[str, Embedder], raw: Any, texts: list[str]) -> dict[str, Any]:
    calls: dict[str, Callable[[], Any]] = {"raw": lambda: raw.encode(texts, show_progress_bar=False)}
    calls |= {name: lambda e=e: e.embed(texts) for name, e in embedders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    report: dict[str, Any] = {"raw_chunks_per_s": round(len(texts) / float(np.median(seconds["raw"])), 1)}
    for name in embedders:
        ratios = np.array(seconds["raw"]) / np.array(seconds[name])
        low, high = round(float(ratios.min()), 2), round(float(ratios.max()), 2)
        report[name] = {"ratio": round(float(np.median(ratios)), 2), "spread": [low, high]}
    return report


def cosines(embedders: dict[str, Embedder], texts: list[str]) -> dict[str, dict[str, float]]:
    exact = embedders["torch"].embed(texts)
    found = {name: (e.embed(texts) * exact).sum(axis=1) for name, e in embedders.items() if name != "torch"}
    return {name: {"min": float(f.min()), "mean": float(f.mean())} for name, f in found.items()}


def shorten(text: str, embedder: Embedder) -> str:
    spans, limit = embedder.tokenizer.spans(text), embedder.tokenizer.max_tokens
    return text if len(spans) <= limit else text[: spans[limit - 1][1]]


def tldr(corpora: Path, pages: int) -> tuple[list[str], list[str], list[tuple[str, list[str]]]]:
    """Returns paths, their texts without descriptions, and (query, relevant paths)."""
    texts = files_of(corpora / "tldr" / "pages.tar.gz")
    lines = (corpora / "tldr" / "known_item_dev.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [(row["query"], row["relevant"]) for row in map(json.loads, lines)]
    wanted = {path for _, relevant in asked for path in relevant}
    others = sorted(texts.keys() - wanted)
    paths = sorted(wanted) + random.Random(0).sample(others, min(max(pages - len(wanted), 0), len(others)))
    masked = ["\n".join(line for line in texts[path].splitlines() if not line.startswith("- ")) for path in paths]
    return paths, masked, asked


def xquad(corpora: Path) -> tuple[list[str], list[str], list[tuple[str, list[str]]]]:
    articles = json.loads((corpora / "xquad" / "dev.json").read_text(encoding="utf-8"))["data"]
    blocks = [(f"{a['title']}/{n}", block) for a in articles for n, block in enumerate(a["paragraphs"])]
    asked = [(qa["question"], [path]) for path, block in blocks for qa in block["qas"]]
    return [path for path, _ in blocks], [block["context"] for _, block in blocks], asked


def quality(embedders: dict[str, Embedder], sets: dict[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name, (paths, texts, asked) in sets.items():
        scores: dict[str, float] = {}
        for runtime in ("onnx", "onnx-int8"):
            embedder = embedders[runtime]
            vectors = embedder.embed([shorten(text, embedder) for text in texts])
            ranked = np.argsort(-(embedder.embed([query for query, _ in asked]) @ vectors.T), axis=1, kind="stable")
            found = ([paths[at] for at in row[:10]] for row in ranked)
            scores[runtime] = float(np.mean([ndcg(f, wanted) for f, (_, wanted) in zip(found, asked, strict=True)]))
        loss = {runtime: round(1 - score / scores["onnx"], 4) for runtime, score in scores.items()}
        shown = {runtime: round(score, 4) for runtime, score in scores.items()}
        report[name] = {"queries": len(asked), "texts": len(texts), "ndcg@10": shown, "loss": loss}
    return report


def main(arguments: argparse.Namespace) -> None:
    corpora = Path(os.environ["LAKERAG_CORPORA"])
    settings = config.load("local", environ={}).embedder.model_copy(update={"threads": arguments.threads})
    embedders = {
        name: load_embedder(settings.model_copy(update={"runtime": name, "device": "cpu"}))
        for name in (RUNTIMES if arguments.chunks else RUNTIMES[1:])
    }
    torch.set_num_threads(arguments.threads)
    report: dict[str, Any] = {"benchmark": "embedder_runtimes", "threads": arguments.threads}
    if arguments.chunks:
        texts = real_chunks(corpora, embedders["onnx"], arguments.chunks)
        tokens = [embedders["onnx"].tokenizer.count(text) for text in texts]
        report |= {"chunks": len(texts), "mean_tokens": round(float(np.mean(tokens)), 1)}
        report["speed"] = speed(embedders, load_sentence_transformer(locate(settings.model), "cpu"), texts)
        report["cosine"] = cosines(embedders, texts)
    if arguments.pages:
        report["quality"] = quality(embedders, {"tldr": tldr(corpora, arguments.pages), "xquad": xquad(corpora)})
    print(json.dumps(report))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=64, help="0: quality alone")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pages", type=int, default=1000, help="0: speed alone")
    main(parser.parse_args())
