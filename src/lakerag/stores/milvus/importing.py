"""Milvus' bulk import: Parquet files that lie in the server's own storage become rows of a collection."""

import time
from collections.abc import Sequence
from typing import Any

from pymilvus import BulkInsertState

from lakerag.errors import ImportFailedError
from lakerag.stores.milvus.connection import Connection

_LOOK_S = 1.0
_FAILED = (BulkInsertState.ImportFailed, BulkInsertState.ImportFailedAndCleaned)


def import_files(connection: Connection, name: str, files: Sequence[str], timeout_s: float) -> int:
    """Imports files and returns their rows when all of them can be searched.

    One job a file; the server runs them at its own pace. The call is gRPC's `Import`, which
    servers have from 2.3 on; later ones translate it to their newer interface.
    """
    deadline = time.monotonic() + timeout_s
    limit = connection.address.timeout_s
    handler = connection.client._get_connection()  # the client itself does not offer it
    with connection.translated(name):
        jobs = {handler.do_bulk_insert(name, "", [file], timeout=limit): file for file in files}
        rows = sum(_finished(handler, job, file, deadline) for job, file in jobs.items())
        connection.client.refresh_load(name, timeout=max(limit, deadline - time.monotonic()))
    return rows


def _finished(handler: Any, job: int, file: str, deadline: float) -> int:
    """Waits for a job and returns its rows."""
    while True:
        state = handler.get_bulk_insert_state(job)
        if state.state == BulkInsertState.ImportCompleted:
            return int(state.row_count)
        late = time.monotonic() > deadline
        if state.state in _FAILED or late:
            why = f"it is {state.state_name} after the time allowed" if late else state.failed_reason
            raise ImportFailedError(
                f"The vector store did not import {file}: {why}. Expected a file of its own storage that it can read: "
                "look at sync.import_path and sync.import_prefix. The next run begins the import anew.",
                file=file,
            )
        time.sleep(_LOOK_S)
