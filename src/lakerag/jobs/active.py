"""Which embedder a command works with: that of the index, where a rebuild has moved it from the configured one."""

import json
from pathlib import Path

from lakerag.config import Embedder, Settings
from lakerag.stores import Collection, VectorStore
from lakerag.stores.generations import former, serving

QUANTISED = "onnx-int8"


def active_settings(settings: Settings, store: VectorStore) -> Settings:
    """Returns the settings with the embedder of the collection behind the alias.

    A rebuild or rollback moves the index to another embedder than conf/ names: what works
    with the index then follows it. That is known by the collection of the configured
    embedder, which is kept for the way back. A configured embedder that the index was never built
    with is a mistake or a wish for a rebuild: it stays, and whoever uses it is refused.
    """
    from lakerag.models import embedding_space

    now = serving(store, settings.store.alias)
    space = embedding_space(settings.embedder).name
    if now is None or now.space == space:
        return settings
    before = former(store, settings.store.alias)
    return with_embedder_of(now, settings) if before is not None and before.space == space else settings


def with_embedder_of(collection: Collection, settings: Settings) -> Settings:
    """Returns the settings with the embedder that a collection says it was filled by."""
    if not collection.embedder:
        return settings
    runtime = settings.embedder.runtime
    said = {"runtime": "onnx" if runtime == QUANTISED else runtime} | json.loads(collection.embedder)
    return settings.model_copy(update={"embedder": settings.embedder.model_copy(update=said)})


def described(embedder: Embedder) -> str:
    """Returns what a collection says of the embedder that fills it, as a JSON object.

    That is the model, and the runtime where it makes a space of its own.
    """
    folder = Path(embedder.model).expanduser()
    said = {"model": str(folder.absolute()) if folder.is_dir() else embedder.model}
    return json.dumps(said | ({"runtime": QUANTISED} if embedder.runtime == QUANTISED else {}))
