"""Texts to vectors: every text once in every embedding space, batched on the executors."""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag.catalog import Catalog, literal
from lakerag.config import Embedder
from lakerag.models import load_embedder
from lakerag.tables import GOLD_EMBEDDINGS


def missing_texts(cut: DataFrame, embeddings: DataFrame) -> DataFrame:
    """Returns (text_hash, embedded_text) of the cut chunks that have no vector yet, each once."""
    texts = cut.groupBy("text_hash").agg(F.first("embedded_text").alias("embedded_text"))
    return texts.join(embeddings.select("text_hash"), "text_hash", "left_anti")


def embed_texts(texts: DataFrame, *, embedder: Embedder, space: str, now: datetime) -> DataFrame:
    """Returns the rows of `gold_embeddings` for (text_hash, embedded_text); the model is loaded once a worker."""
    vectors = texts.mapInPandas(partial(_embed_frames, embedder=embedder), "text_hash STRING, embedding ARRAY<FLOAT>")
    return vectors.withColumns({"embedding_space": F.lit(space), "embedded_at": F.lit(now)})


def forget_spaces(catalog: Catalog, kept: Collection[str]) -> None:
    """Deletes the vectors of all other embedding spaces: no collection holds them any more."""
    names = ", ".join(literal(space) for space in sorted(kept))
    catalog.spark.sql(f"DELETE FROM {catalog.ref(GOLD_EMBEDDINGS)} WHERE embedding_space NOT IN ({names})")  # noqa: S608 (quoted)


def _embed_frames(frames: Iterator[pd.DataFrame], embedder: Embedder) -> Iterator[pd.DataFrame]:
    for frame in frames:
        if len(frame):
            vectors = load_embedder(embedder).embed(frame["embedded_text"].tolist())
            yield pd.DataFrame({"text_hash": frame["text_hash"], "embedding": list(vectors)})
