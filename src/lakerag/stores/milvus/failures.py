"""What Milvus' failures mean: which may be tried again, which name a missing collection."""

import re

from lakerag.config import masked
from lakerag.errors import CollectionMissingError, LakeragError, SchemaError, StoreUnavailableError

NOT_FOUND = 100
NOT_LOADED = 101
ALIAS_NOT_FOUND = 1600

_TRANSIENT_CODES = {
    "2",
    "8",
    "9",
    "103",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "CANCELLED",
    "ABORTED",
}
"""Of Milvus: connection failed, rate limit, writes denied for now, still loading. The names are gRPC's."""
_TRANSIENT_WORDS = re.compile(
    r"unavailable|time ?out|timed out|deadline|connecti(on|ng)|rate limit|not ready|closed channel|not? available", re.I
)


def failure(code: object, message: str, *, uri: str, name: str) -> LakeragError:
    """Returns the lakerag error for a failed call.

    Args:
        code: Milvus' number or gRPC's status.
        message: What the store said.
        uri: The store that was called.
        name: The collection or alias in question; empty: none.
    """
    label, uri, message = str(getattr(code, "name", code)), masked(uri), masked(message)
    if code in (NOT_FOUND, ALIAS_NOT_FOUND):
        return CollectionMissingError(
            f"The vector store at {uri} has no collection or alias {name!r}. Run `lakerag run` to fill it.", name=name
        )
    if label in _TRANSIENT_CODES or _TRANSIENT_WORDS.search(message):
        return StoreUnavailableError(
            f"The vector store at {uri} does not answer ({label}: {message[:300]}). "
            "Check that it runs and that store.uri is right.",
            uri=uri,
        )
    return SchemaError(
        f"The vector store at {uri} refused a request on {name or 'no collection'} ({label}): {message[:500]}",
        uri=uri,
        name=name,
    )
