"""The collections of one alias: each filled once, under a name that is never used again; one serves, one is kept."""

import hashlib
import re

from lakerag.errors import CollectionMissingError
from lakerag.stores.base import Collection, VectorStore


def name_of(alias: str, space: str, generation: int) -> str:
    """Returns the name of a collection: alias, embedding space (8 hex digits of its hash), number.

    Examples:
        >>> name_of("docs", "minilm/1/mean/unit/384", 2)
        'docs_30b2430e_2'
    """
    return f"{alias}_{hashlib.sha256(space.encode()).hexdigest()[:8]}_{generation}"


def made_for(store: VectorStore, alias: str) -> list[Collection]:
    """Returns the collections of an alias that are still there, whatever it points at, the newest of a space first."""
    pattern = re.compile(rf"{re.escape(alias)}_[0-9a-f]{{8}}_(\d+)")
    numbered = [(match, made) for made in store.collections() if (match := pattern.fullmatch(made.name))]
    return [made for _, made in sorted(numbered, key=lambda pair: (pair[1].space, -int(pair[0][1])))]


def serving(store: VectorStore, alias: str) -> Collection | None:
    """Returns the collection behind the alias; none before the first one is full."""
    return _behind(store, alias)


def former(store: VectorStore, alias: str) -> Collection | None:
    """Returns the collection that served before the last `switch`; none before the first."""
    kept = _behind(store, _former(alias))
    return None if kept == _behind(store, alias) else kept


def switch(store: VectorStore, alias: str, to: Collection) -> None:
    """Points the alias at another collection, at once for every query; the one that served becomes the former."""
    store.point(_former(alias), store.resolve(alias).name)
    store.point(alias, to.name)


def _former(alias: str) -> str:
    return f"{alias}_former"


def _behind(store: VectorStore, alias: str) -> Collection | None:
    try:
        return store.resolve(alias)
    except CollectionMissingError:
        return None
