"""Bronze rows without a landing folder."""

from datetime import timedelta

import pytest

from lakerag.catalog import Catalog
from lakerag.tables import BRONZE_FILES
from tests.integration.silver.stage import NOW, Land, sha


@pytest.fixture
def land(catalog: Catalog) -> Land:
    """Puts one arrival of files into bronze; None deletes."""
    arrivals = iter(range(100))

    def arrive(files: dict[str, bytes | None], source: str = "docs", arrival: str | None = None) -> None:
        n = next(arrivals)
        rows = [
            {
                "source": source,
                "path": path,
                "content_sha256": sha(content or b""),
                "op": "deleted" if content is None else "added",
                "arrived_at": NOW + timedelta(minutes=n),
                "arrival": arrival or f"run-{n}",
                "size_bytes": len(content or b""),
                "modified_ns": n,
                "mime": "text/plain",
                "content": content,
            }
            for path, content in files.items()
        ]
        catalog.append(BRONZE_FILES, catalog.spark.createDataFrame(rows, BRONZE_FILES.schema))

    return arrive
