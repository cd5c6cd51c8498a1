"""Upserts by columns: the bytes that pymilvus makes of rows, in half the processor time.

Row by row pymilvus looks at every character of every text and asks for every field's kind again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymilvus import DataType

from lakerag.stores.milvus.connection import Connection


def upsert(
    connection: Connection, name: str, records: Sequence[Mapping[str, Any]], description: Mapping[str, Any]
) -> None:
    """Writes records, at least one, in one request.

    Args:
        connection: To the server.
        name: Of the collection.
        records: Encoded rows with every field of the collection, the vectors as arrays of float32.
        description: Of the collection, by the server.
    """
    handler = connection.client._get_connection()  # the client itself offers rows alone
    context = connection.client._generate_call_context()
    connection.call(handler.upsert, name, columns(records, description), schema=description, context=context)


def columns(records: Sequence[Mapping[str, Any]], description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns what pymilvus wants of every field that is not the server's own to fill."""
    fields = [field for field in description["fields"] if not field.get("is_function_output")]
    return [
        {"name": field["name"], "type": field["type"], "values": _values(records, field["name"], field["type"])}
        for field in fields
    ]


def _values(records: Sequence[Mapping[str, Any]], name: str, kind: DataType) -> list[Any]:
    values = [record[name] for record in records]
    return np.stack(values).tolist() if kind == DataType.FLOAT_VECTOR else values
