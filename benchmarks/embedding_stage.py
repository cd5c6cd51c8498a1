"""The embedding stage against the usual row UDF with a torch model in its closure, in turns in one Spark session.

    LAKERAG_CORPORA=FOLDER python benchmarks/embedding_stage.py [--chunks 256] [--rounds 3]

Both embed the same chunks of the Milvus documentation in as many tasks and write them nowhere. `cold` is the first
round, with imports, export cache and model loading in it, as in a command; `warm` are the rounds after it. `ratio` is
the UDF's time over the stage's. Prints one JSON line.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from embedder_runtimes import real_chunks
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag import config
from lakerag.gold.embeddings import embed_texts
from lakerag.models import embedding_space, load_embedder
from lakerag.models.locate import locate
from lakerag.models.torch_encoder import load_sentence_transformer
from lakerag.session import open_session

RUNTIMES = ("onnx", "onnx-int8")
TASKS = 4


def row_udf(texts: DataFrame, folder: Path) -> DataFrame:
    model = load_sentence_transformer(folder, "cpu")
    embed = F.udf(lambda text: model.encode(text, show_progress_bar=False).tolist(), "array<float>")
    return texts.select("text_hash", embed("embedded_text").alias("embedding"))


def stage(texts: DataFrame, embedder: config.Embedder) -> DataFrame:
    space = embedding_space(embedder).name
    return embed_texts(texts, embedder=embedder, space=space, now=datetime.now(timezone.utc))


def ratios(seconds: dict[str, list[float]], name: str) -> dict[str, Any]:
    found = np.array(seconds["row_udf"]) / np.array(seconds[name])
    return {
        "cold": round(float(found[0]), 2),
        "warm": round(float(np.median(found[1:])), 2),
        "spread": [round(float(found[1:].min()), 2), round(float(found[1:].max()), 2)],
    }


def main(arguments: argparse.Namespace) -> None:
    settings = config.load("local", environ={})
    folder = locate(settings.embedder.model)
    embedders = {name: settings.embedder.model_copy(update={"runtime": name}) for name in RUNTIMES}
    for embedder in embedders.values():
        loaded = load_embedder(embedder)  # exported before any worker starts, as the job does
    texts = real_chunks(Path(os.environ["LAKERAG_CORPORA"]), loaded, arguments.chunks)
    with tempfile.TemporaryDirectory() as logs:
        session = open_session(settings.spark, Path(logs) / "spark.log")
        rows = [(str(number), text) for number, text in enumerate(texts)]
        frame = (
            session.createDataFrame(rows, "text_hash STRING, embedded_text STRING").repartition(TASKS).localCheckpoint()
        )
        calls: dict[str, Callable[[], DataFrame]] = {"row_udf": lambda: row_udf(frame, folder)}
        calls |= {name: lambda e=e: stage(frame, e) for name, e in embedders.items()}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(1 + arguments.rounds):
            for name, call in calls.items():
                embedded = call()
                started = time.perf_counter()
                embedded.write.format("noop").mode("overwrite").save()
                seconds[name].append(time.perf_counter() - started)
        session.stop()
    report = {name: ratios(seconds, name) for name in RUNTIMES}
    rounded = {name: [round(s, 1) for s in each] for name, each in seconds.items()}
    told = {"benchmark": "embedding_stage", "chunks": len(texts), "tasks": TASKS}
    print(json.dumps({**told, "ratio": report, "seconds": rounded}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args())
