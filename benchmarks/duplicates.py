"""Near-duplicates: precision and recall on planted ones, and the time to find them as documents grow.

    python benchmarks/duplicates.py [--documents 10000 30000 100000] [--planted 2000]

Planted: texts of 60 to 600 words from a skewed vocabulary, each with a copy in which 0 to 30 % of the words are
changed; a copy is a near-duplicate where the true Jaccard index of its runs of three words
reaches the threshold. Slope: documents with synthetic signatures (one in 40 has a copy with 5 % of its values changed),
compared and grouped from scratch, then 100 new ones, then nothing new. Prints one JSON line.
"""

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.session import open_session
from lakerag.silver.duplicates import deduplicate, recipe_of
from lakerag.silver.minhash import PERMUTATIONS, buckets, estimate, rows_of_band, shingles, signature
from lakerag.tables import SILVER_DOCUMENTS, SILVER_SIGNATURES, SILVER_SIMILAR

NEW = 100
TABLES = (SILVER_DOCUMENTS, SILVER_SIGNATURES, SILVER_SIMILAR)

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


def synthetic(count: int, rows: int) -> pa.Table:
    """Signatures of so many texts; the second of each forty is the first with 5 % of its values changed."""
    source = np.random.Generator(np.random.PCG64(1))
    signed = source.integers(0, 2**32, (count, PERMUTATIONS), dtype=np.uint32)
    first = np.arange(0, count - 1, 40)
    changed = source.random((len(first), PERMUTATIONS)) < 0.05
    signed[first + 1] = np.where(changed, signed[first + 1], signed[first])
    return pa.table(
        {
            "content_hash": [f"{n:064x}" for n in range(count)],
            "signature": [row.tobytes() for row in signed],
            "buckets": [buckets(row, rows) for row in signed],
        }
    )


class Corpus:
    """Documents whose texts are signed already, in tables of their own."""

    def __init__(self, session: SparkSession, folder: str, settings: config.Duplicates) -> None:
        self.catalog = Catalog(session, config.Lakehouse(root=folder))
        self.catalog.ensure(TABLES)
        self.settings = settings
        self.recipe = recipe_of(settings)

    def add(self, signed: pa.Table) -> None:
        frame = self.catalog.spark.createDataFrame(signed)
        told = "current_timestamp() AS signed_at", "false AS compared", f"'{self.recipe}' AS recipe"
        self.catalog.append(SILVER_SIGNATURES, frame.selectExpr("*", *told))
        held = {
            "doc_id": "substring(content_hash, 33)",
            "acl_groups": "array('*')",
            "metadata": "map()",
            "source": "'docs'",
            "tenant": "''",
            "arrived_at": "current_timestamp()",
            "page_starts": "array()",
            "refused_rows": "NULL",
            "quality_flags": "array()",
            "duplicate_group": "NULL",
            "alternates": "NULL",
        }
        columns = [
            f"CAST({held.get(column.name, 'content_hash')} AS {column.type}) AS {column.name}"
            for column in SILVER_DOCUMENTS.columns
        ]
        self.catalog.append(SILVER_DOCUMENTS, frame.selectExpr(*columns))

    def settle(self) -> tuple[float, int]:
        """Seconds of a run, and documents that another one stands for after it."""
        began = time.monotonic()
        found = deduplicate(self.catalog, self.settings, [], now=datetime.now(timezone.utc))
        return round(time.monotonic() - began, 2), found["duplicates"]

    def drop(self) -> None:
        for table in TABLES:
            self.catalog.spark.sql(f"DROP TABLE {self.catalog.ref(table)}")


def slope(counts: list[int], settings: config.Duplicates) -> list[dict[str, Any]]:
    """Seconds from scratch, with a hundred new documents, and with nothing new."""
    session = open_session(config.load("local").spark)
    found = []
    for count in counts:
        signed = synthetic(count + NEW, rows_of_band(settings.threshold))
        with tempfile.TemporaryDirectory() as folder:
            corpus = Corpus(session, folder, settings)
            corpus.add(signed.slice(NEW))
            seconds = {"from_scratch": corpus.settle()[0]}
            corpus.add(signed.slice(0, NEW))
            seconds["new"], duplicates = corpus.settle()
            seconds["nothing_new"], _ = corpus.settle()
            found.append({"documents": count, "seconds": seconds, "duplicates": duplicates})
            corpus.drop()
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
        result["slope"] = slope(options.documents, settings)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
