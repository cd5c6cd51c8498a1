"""What `search` costs over its two parts called by hand: embedding the question, and searching the store.

    python benchmarks/search_overhead.py --home HOME --questions FILE.txt [--mode hybrid]

`ratio` is the median of the pipeline's search over the sum of the medians of both parts, questions interleaved.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from lakerag import config
from lakerag.models import load_embedder
from lakerag.rag.load import build_pipeline
from lakerag.records import Access, Question
from lakerag.stores import Query, open_store

TOP_K = 5


def main(home: str, questions: list[str], mode: str) -> None:
    settings = config.load("local", home)
    embedder = load_embedder(settings.embedder)
    by_hand, searched = [], []
    with open_store(settings.store) as store:
        pipeline = build_pipeline(settings, store)
        name = store.resolve(settings.store.alias).name
        for question in questions:
            begin = time.perf_counter()
            vectors = embedder.embed([question])
            store.search(name, vectors, [Query(question, Access(), TOP_K, mode)])
            middle = time.perf_counter()
            pipeline.search([Question(question, top_k=TOP_K, mode=mode)])
            by_hand.append((middle - begin) * 1e3)
            searched.append((time.perf_counter() - middle) * 1e3)
    hand, search = statistics.median(by_hand), statistics.median(searched)
    result = {
        "mode": mode,
        "search_ms": round(search, 2),
        "by_hand_ms": round(hand, 2),
        "ratio": round(search / hand, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True)
    parser.add_argument("--questions", type=Path, required=True, help="one a line")
    parser.add_argument("--mode", choices=["vector", "keyword", "hybrid"], default="hybrid")
    given = parser.parse_args()
    lines = given.questions.read_text(encoding="utf-8").splitlines()
    main(given.home, [line for line in lines if line.strip()][:200], given.mode)
