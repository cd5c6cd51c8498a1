"""Near-duplicates: precision and recall on planted ones, and the time to find them as documents grow.

    python benchmarks/duplicates.py [--documents 10000 30000 100000] [--planted 2000]

Planted: texts of 60 to 600 words from a skewed vocabulary, each with a copy in which 0 to 30 % of the words are
changed; a copy is a near-duplicate where the true Jaccard index of its runs of three words
reaches the threshold. Slope: synthetic signatures (one in 40 has a copy with 5 % of its values changed) in Delta
tables, compared from scratch, then 10 new ones against all. Prints one JSON line.
"""

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from typing import Any

import numpy as np

from lakerag import config
from lakerag.silver.minhash import PERMUTATIONS, buckets, estimate, rows_of_band, shingles, signature

VOCABULARY = [f"word{n}" for n in range(8000)]
WEIGHTS = list(np.cumsum(1 / np.arange(10, 8010)))


def planted(count: int, seed: int = 7) -> list[str]:
    source = random.Random(seed)

    def draw(words: int) -> list[str]:
        return source.choices(VOCABULARY, cum_weights=WEIGHTS, k=words)

    texts = []
    for _ in range(count):
        words = draw(source.randint(60, 600))
        share = source.uniform(0, 0.3)
        copy = [draw(1)[0] if source.random() < share else word for word in words]
        texts += [" ".join(words), " ".join(copy)]
    return texts


def quality(count: int, settings: config.Duplicates) -> dict[str, Any]:
    """Flagged pairs against the pairs whose true index reaches the threshold."""
    rows = rows_of_band(settings.threshold)
    texts = planted(count)
    began = time.process_time()
    hashes = [shingles(text, settings.min_words) for text in texts]
    signed = [signature(hashed) for hashed in hashes]
    held = defaultdict(list)
    for place, signature_ in enumerate(signed):
        for bucket in buckets(signature_, rows):
            held[bucket].append(place)
    met = sorted({(a, b) for places in held.values() for n, a in enumerate(places) for b in places[n + 1 :]})
    left, right = ([signed[pair[side]].tobytes() for pair in met] for side in (0, 1))
    found = {pair for pair, index in zip(met, estimate(left, right), strict=True) if index >= settings.threshold}
    seconds = time.process_time() - began
    sets = [set(hashed.tolist()) for hashed in hashes]
    true = {}
    for pair in {*met, *((n, n + 1) for n in range(0, len(texts), 2))}:
        one, other = (sets[place] for place in pair)
        true[pair] = len(one & other) / len(one | other)
    wanted = {pair for pair, index in true.items() if index >= settings.threshold}
    clear = {pair for pair, index in true.items() if abs(index - settings.threshold) >= 0.1}
    return {
        "texts": len(texts),
        "true_pairs": len(wanted),
        "precision": round(len(found & wanted) / len(found), 4),
        "recall": round(len(found & wanted) / len(wanted), 4),
        "precision_beyond_0.1_of_threshold": round(len(found & wanted & clear) / len(found & clear), 4),
        "recall_beyond_0.1_of_threshold": round(len(found & wanted & clear) / len(wanted & clear), 4),
        "compared_pairs": len(met),
        "mb_per_cpu_second": round(sum(map(len, texts)) / 1e6 / seconds, 2),
    }


def slope(counts: list[int], rows: int) -> list[dict[str, Any]]:
    """Seconds to compare synthetic signatures from scratch, and ten new ones with all of them."""
    import pyarrow as pa

    from lakerag.catalog import Catalog
    from lakerag.session import open_session
    from lakerag.silver.duplicates import similar_pairs
    from lakerag.tables import SILVER_SIGNATURES

    session = open_session(config.load("local").spark)
    found = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            catalog = Catalog(session, config.Lakehouse(root=folder))
            catalog.ensure([SILVER_SIGNATURES])
            source = np.random.Generator(np.random.PCG64(1))
            signed = source.integers(0, 2**32, (count, PERMUTATIONS), dtype=np.uint32)
            first = np.arange(0, count - 1, 40)
            changed = source.random((len(first), PERMUTATIONS)) < 0.05
            signed[first + 1] = np.where(changed, signed[first + 1], signed[first])
            table = pa.table(
                {
                    "content_hash": [f"{n:064x}" for n in range(count)],
                    "recipe": ["r"] * count,
                    "signature": [row.tobytes() for row in signed],
                    "buckets": [buckets(row, rows) for row in signed],
                    "compared": [n >= 10 for n in range(count)],
                }
            )
            frame = session.createDataFrame(table).selectExpr("*", "current_timestamp() AS signed_at")
            catalog.append(SILVER_SIGNATURES, frame)
            read = catalog.read(SILVER_SIGNATURES)
            seconds = {}
            for name, frame, old in (
                ("from_scratch", read.selectExpr("* EXCEPT (compared)", "false AS compared"), False),
                ("ten_new", read, True),
            ):
                began = time.monotonic()
                pairs = similar_pairs(frame, any_old=old).where("jaccard >= 0.7").count()
                seconds[name] = {"seconds": round(time.monotonic() - began, 2), "pairs": pairs}
            found.append({"documents": count, **seconds})
            session.sql(f"DROP TABLE {catalog.ref(SILVER_SIGNATURES)}")
    session.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, nargs="*", default=[10_000, 30_000, 100_000])
    parser.add_argument("--planted", type=int, default=2000)
    options = parser.parse_args()
    settings = config.load("local").duplicates
    rows = rows_of_band(settings.threshold)
    told = {"threshold": settings.threshold, "bands": PERMUTATIONS // rows, "rows": rows}
    result = {"benchmark": "duplicates", **told, "planted": quality(options.planted, settings)}
    if options.documents:
        result["slope"] = slope(options.documents, rows)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
