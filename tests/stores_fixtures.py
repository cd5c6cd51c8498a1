"""Real vector stores for tests: Milvus Lite behind its server, and a Milvus server, both on loopback.

tests/conftest.py offers them to all.
"""

import fcntl
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakerag.stores import StoreAddress
from lakerag.stores.lite import SERVER_LOCK, local_server

DIMENSION = 4


def row(key: str, **fields: Any) -> dict[str, Any]:
    """A whole row of the contract, everything but the key the same unless given."""
    return {
        "chunk_id": key,
        "doc_id": "doc",
        "source": "docs",
        "path": "guide/delta.md",
        "title": "Delta",
        "heading": "Delta > Merge",
        "text": "merge rows into a table",
        "start": 0,
        "end": 23,
        "page": 0,
        "lang": "en",
        "metadata": {},
        "alternates": [],
        "tenant": "",
        "acl_groups": ["*"],
        "fingerprint": "0",
        "embedding": np.array([1, 0, 0, 0], dtype=np.float32),
        **fields,
    }


def wait_until_gone(folder: Path, timeout_s: float = 30) -> bool:
    """Says whether the folder's local server ends within the time."""
    deadline = time.monotonic() + timeout_s
    with (folder / SERVER_LOCK).open("w") as handle:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.1)
            else:
                return True
    return False


@pytest.fixture(scope="session")
def lite_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """A Milvus Lite server in a process of its own."""
    folder = tmp_path_factory.mktemp("lite")
    with local_server(folder) as uri:
        yield StoreAddress(uri, consistency="Strong")
    assert wait_until_gone(folder), "the local server outlived its clients"


@pytest.fixture(scope="session")
def milvus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Milvus server stands; `data/` in it is its storage."""
    return tmp_path_factory.mktemp("milvus")


@pytest.fixture(scope="session")
def milvus_address(milvus_folder: Path) -> Iterator[StoreAddress]:
    """A standalone Milvus server; skipped where its package is not installed."""
    if importlib.util.find_spec("milvus") is None:
        pytest.skip("the package milvus (Linux) is not installed")
    command = [sys.executable, "-W", "ignore", "-c", _MILVUS, str(milvus_folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, f"the Milvus server did not come up; its logs are in {milvus_folder}/logs"
        yield StoreAddress(f"http://127.0.0.1:{port}", consistency="Strong")
        process.stdin.close()


_MILVUS = """
import sys
from milvus import MilvusServer
server = MilvusServer()
server.set_base_dir(sys.argv[1])
server.start()
print(server.listen_port, flush=True)
sys.stdin.read()  # ends with the test process, however that ends
server.stop()
"""
