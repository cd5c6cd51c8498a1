"""Drives bronze rows through silver and shows what stands."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone

from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.silver.refine import refine
from lakerag.tables import SILVER_DOCUMENTS, SILVER_QUARANTINE

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
SOURCE = Source(name="docs", path="/landing")
Land = Callable[..., None]


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run(catalog: Catalog, source: Source = SOURCE) -> dict[str, int]:
    return refine(catalog, source, now=NOW)


def versions(catalog: Catalog) -> tuple[int, int]:
    return catalog.version(SILVER_DOCUMENTS), catalog.version(SILVER_QUARANTINE)
