"""How a collection is laid out: its schema, its indexes and what its properties say."""

from collections.abc import Mapping
from typing import Any

from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient

from lakerag.stores.base import Collection
from lakerag.stores.rows import MAX_GROUPS
from lakerag.tables import INDEX_FIELDS, INDEX_KEY, INDEX_VECTOR, MAX_TEXT_BYTES, IndexField

LAYOUT = "2"
"""Version of the fields and of their encoding; a collection of another one has to be rebuilt."""
SPARSE = "text_bm25"
"""The sparse vector that a BM25 function of the store derives from `text`."""
TOKENS = "acl_tokens"
"""On Milvus Lite, the groups of a row as `expressions.tokens`."""
VECTOR_METRIC = "COSINE"
SPARSE_METRIC = "BM25"

_SPACE_PROPERTY = "lakerag.space"
_EMBEDDER_PROPERTY = "lakerag.embedder"
_LAYOUT_PROPERTY = "lakerag.layout"


def schema(dimension: int, *, full_text: bool, lite: bool) -> CollectionSchema:
    """Returns the schema of a collection; `full_text` adds what keyword search needs."""
    made = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for field in INDEX_FIELDS:
        made.add_field(field.name, **_options(field, analysed=full_text and field.name == "text"))
    if lite:
        made.add_field(TOKENS, DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
    made.add_field(INDEX_VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
    if full_text:
        made.add_field(SPARSE, DataType.SPARSE_FLOAT_VECTOR)
        made.add_function(Function("bm25", FunctionType.BM25, ["text"], [SPARSE]))
    return made


def indexes(description: Mapping[str, Any], *, lite: bool) -> dict[str, dict[str, Any]]:
    """Returns the wanted index of every vector field."""
    # Lite looks at every row in Python on each search: comparing them all is exact and no slower.
    nearest: dict[str, Any] = {"index_type": "FLAT"} if lite else _HNSW
    wanted = {INDEX_VECTOR: {**nearest, "metric_type": VECTOR_METRIC}}
    if has_full_text(description):
        wanted[SPARSE] = {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": SPARSE_METRIC}
    return wanted


def properties(wanted: Collection) -> dict[str, str]:
    """Returns what is written on a collection so that `collection` can read it back."""
    embedder = {_EMBEDDER_PROPERTY: wanted.embedder} if wanted.embedder else {}
    return {_SPACE_PROPERTY: wanted.space, _LAYOUT_PROPERTY: LAYOUT, **embedder}


def collection(description: Mapping[str, Any]) -> Collection | None:
    """Returns the collection that a description tells of; none when lakerag did not make it in this layout."""
    said = {name: str(value) for name, value in description["properties"].items()}
    if said.get(_LAYOUT_PROPERTY) != LAYOUT or _SPACE_PROPERTY not in said:
        return None
    dimension = next(field["params"]["dim"] for field in description["fields"] if field["name"] == INDEX_VECTOR)
    return Collection(
        description["collection_name"], said[_SPACE_PROPERTY], int(dimension), said.get(_EMBEDDER_PROPERTY, "")
    )


def has_full_text(description: Mapping[str, Any]) -> bool:
    """Returns whether the collection was made with keyword search."""
    return any(field["name"] == SPARSE for field in description["fields"])


_HNSW = {"index_type": "HNSW", "params": {"M": 16, "efConstruction": 200}}


def _options(field: IndexField, *, analysed: bool) -> dict[str, Any]:
    if field.kind == "int":
        return {"datatype": DataType.INT64}
    if field.kind == "map":
        return {"datatype": DataType.JSON}
    if field.kind == "texts":
        return {
            "datatype": DataType.ARRAY,
            "element_type": DataType.VARCHAR,
            "max_capacity": MAX_GROUPS,
            "max_length": field.max_bytes,
        }
    analyzer = {"enable_analyzer": True} if analysed else {}
    return {
        "datatype": DataType.VARCHAR,
        "max_length": field.max_bytes,
        "is_primary": field.name == INDEX_KEY,
        **analyzer,
    }
