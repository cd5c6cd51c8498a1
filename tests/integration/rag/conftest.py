"""A small index behind a local store, and a registry of its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lakerag import config
from lakerag.models import load_embedder
from lakerag.stores import Collection, VectorStore, open_store

TEXTS = {
    "delta.md": "Delta Lake keeps every version of a table. Old versions are removed by VACUUM after 7 days.",
    "milvus.md": "Milvus is a vector database. An alias points at one collection and can be moved in one step.",
    "salaries.md": "The salary of the chair of the board is 90,000 euros a year.",
}
GROUPS = {"salaries.md": ["hr"]}


@dataclass(frozen=True)
class Index:
    """An open store with the collection `docs_1` behind the alias."""

    settings: config.Settings
    store: VectorStore


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, embedder: config.Embedder) -> Iterator[Index]:
    home = tmp_path_factory.mktemp("home")
    settings = config.load("local", home, environ={}).model_copy(update={"embedder": embedder})
    tracking = os.environ.get("MLFLOW_TRACKING_URI")
    with open_store(settings.store) as store:
        fill(store, settings, "docs_1")
        store.point(settings.store.alias, "docs_1")
        yield Index(settings, store)
    forget_registry(tracking)


def fill(store: VectorStore, settings: config.Settings, name: str) -> None:
    embedder = load_embedder(settings.embedder)
    store.create(Collection(name, embedder.space.name, embedder.space.dimension))
    vectors = embedder.embed(list(TEXTS.values()))
    store.upsert(
        name,
        [
            {
                "chunk_id": f"c-{path}",
                "doc_id": f"d-{path}",
                "source": "docs",
                "path": path,
                "title": path.removesuffix(".md"),
                "heading": "",
                "text": text,
                "start": 100,
                "end": 100 + len(text),
                "page": 0,
                "lang": "en",
                "metadata": {},
                "alternates": [],
                "tenant": "",
                "acl_groups": GROUPS.get(path, ["*"]),
                "fingerprint": "f",
                "embedding": vector,
            }
            for (path, text), vector in zip(TEXTS.items(), vectors, strict=True)
        ],
    )


def forget_registry(tracking: str | None) -> None:
    """Points MLflow back at where it was."""
    import mlflow

    mlflow.set_tracking_uri(tracking)
    mlflow.set_registry_uri(tracking)
    os.environ.pop("MLFLOW_TRACKING_URI", None) if tracking is None else None
