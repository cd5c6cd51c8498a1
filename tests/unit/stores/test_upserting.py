"""The request that goes out by columns is the one that pymilvus makes of rows."""

from typing import Any

import numpy as np
import pytest
from pymilvus.client.prepare import Prepare

from lakerag.stores.milvus import layout
from lakerag.stores.milvus.upserting import columns
from lakerag.stores.rows import encode
from lakerag.tables import INDEX_FIELDS, INDEX_VECTOR

OF_KIND: dict[str, Any] = {"text": "Grüße 你好", "int": 7, "texts": ["a", "b"], "map": {"year": "2024", "tags": "x, y"}}


@pytest.mark.parametrize("full_text", [False, True])
def test_columns_make_the_bytes_that_rows_make(full_text: bool) -> None:
    fields = layout.schema(3, full_text=full_text, lite=False).to_dict()["fields"]
    described = {"fields": [{**field, "is_function_output": field["name"] == layout.SPARSE} for field in fields]}
    rows = [{field.name: OF_KIND[field.kind] for field in INDEX_FIELDS} for _ in range(3)]
    rows[1] = {**rows[1], "alternates": [], "metadata": {}, "text": ""}
    vectors = np.asarray([[0.1, 0.2, 0.3], [-1, 0, 1e-30], [3, 4, 5]], dtype=np.float32)
    records = [encode({**row, INDEX_VECTOR: vector}) for row, vector in zip(rows, vectors, strict=True)]

    by_rows = Prepare.row_upsert_param("c", records, "", described["fields"], enable_dynamic=False)
    by_columns = Prepare.batch_upsert_param("c", columns(records, described), "", described["fields"])
    assert by_columns.SerializeToString() == by_rows.SerializeToString()
