"""The life of the local server: shared, found again, gone when unused, whatever is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer

from lakerag.errors import MachineError, StoreUnavailableError
from lakerag.records import Access
from lakerag.stores import Collection, Query, StoreAddress, lite_server
from lakerag.stores.lite import DATA, ENDPOINT, HOST, ensure_server, local_server
from lakerag.stores.milvus import MilvusStore
from tests.stores_fixtures import row, wait_until_gone

_CLIENT = """
import sys
from pathlib import Path
from lakerag.stores.lite import local_server
with local_server(Path(sys.argv[1])) as uri:
    print(uri, flush=True)
    sys.stdin.read()
"""


def start_client(folder):
    """Another process that holds the folder's server until its input closes."""
    command = [sys.executable, "-c", _CLIENT, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def stop_client(client):
    client.stdin.close()
    client.stdout.close()
    assert client.wait(30) == 0


def server_pid(folder):
    return json.loads((folder / ENDPOINT).read_text())["pid"]


def kill_server(folder):
    os.kill(server_pid(folder), signal.SIGKILL)
    assert wait_until_gone(folder)


def test_the_server_listens_on_loopback_alone_and_leaves_when_unused(tmp_path):
    with local_server(tmp_path):
        server = psutil.Process(server_pid(tmp_path))
        listening = {c.laddr.ip for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN}
        assert {address.removeprefix("::ffff:") for address in listening} == {HOST}
    assert wait_until_gone(tmp_path)
    assert not (tmp_path / ENDPOINT).exists()
    server.wait(30)


def test_processes_that_start_at_once_share_one_server_that_outlives_all_but_the_last(tmp_path):
    first, *others = clients = [start_client(tmp_path) for _ in range(4)]
    uris = {client.stdout.readline() for client in clients}
    with local_server(tmp_path) as uri:
        assert uris == {f"{uri}\n"}
    for client in others:
        stop_client(client)
    assert not wait_until_gone(tmp_path, timeout_s=6)
    stop_client(first)
    assert wait_until_gone(tmp_path)


def test_a_killed_client_does_not_keep_the_server(tmp_path):
    client = start_client(tmp_path)
    assert client.stdout.readline()
    client.kill()
    client.communicate()
    assert wait_until_gone(tmp_path)


def test_a_killed_server_comes_back_at_its_address_with_every_acknowledged_row(tmp_path):
    with local_server(tmp_path) as uri:
        store = MilvusStore(StoreAddress(uri, consistency="Strong", timeout_s=5))
        store.create(Collection("kept", "words", 4))
        store.upsert("kept", [row(f"k{n}") for n in range(300)])
        store.delete("kept", ["k7"])
        kill_server(tmp_path)
        for use in (store.count, store.resolve, lambda name: store.upsert(name, [row("b")])):
            with pytest.raises(StoreUnavailableError):
                use("kept")
        assert ensure_server(tmp_path) == uri
        assert store.count("kept") == 299
        found = store.search("kept", np.eye(4, dtype=np.float32)[:1], [Query("", Access(), 1000)])[0]
        assert {passage.chunk_id for passage in found} == {f"k{n}" for n in range(300)} - {"k7"}
        store.close()
    assert wait_until_gone(tmp_path)


def test_a_server_that_hangs_is_a_transient_error_until_it_goes_on(tmp_path):
    with local_server(tmp_path) as uri:
        store = MilvusStore(StoreAddress(uri, consistency="Strong", timeout_s=2))
        store.create(Collection("kept", "words", 4))
        server = psutil.Process(server_pid(tmp_path))
        server.suspend()
        with pytest.raises(StoreUnavailableError):
            store.upsert("kept", [row("a")])
        server.resume()
        assert store.upsert("kept", [row("a")]) == 1
        store.close()
    assert wait_until_gone(tmp_path)


def test_a_stale_endpoint_is_not_believed(tmp_path):
    with socket.create_server((HOST, 0)) as foreign:
        port = foreign.getsockname()[1]
        (tmp_path / ENDPOINT).write_text(json.dumps({"pid": os.getpid(), "port": port}))
        with local_server(tmp_path) as uri:
            assert uri != f"http://{HOST}:{port}"
    assert wait_until_gone(tmp_path)


def test_a_port_that_another_server_took_is_left_alone(tmp_path):
    with local_server(tmp_path / "first") as first:
        port = int(first.rpartition(":")[2])
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / ENDPOINT).write_text(json.dumps({"pid": 1, "port": port}))
        with local_server(tmp_path / "second") as second:
            assert first != second
    assert wait_until_gone(tmp_path / "first")
    assert wait_until_gone(tmp_path / "second")


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path):
    (tmp_path / DATA).write_text("not a folder")
    with pytest.raises(StoreUnavailableError, match="did not come up") as caught, local_server(tmp_path):
        pass
    assert str(tmp_path / "server.log") in str(caught.value)
    assert "Error" in str(caught.value)
    assert wait_until_gone(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"file/store.*--home"), local_server(tmp_path / "file" / "store"):
        pass


def test_missing_milvus_lite_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MachineError, match="pip install"), local_server(tmp_path):
        pass


def test_one_request_at_a_time_changes_the_store(monkeypatch):
    inside, most = [], []

    def write(*arguments):
        inside.append(arguments)
        time.sleep(0.05)
        most.append(len(inside))
        inside.pop()

    writing = ("Insert", "Upsert", "Delete", "Flush", "TruncateCollection", "DropCollection")
    for name in writing:
        monkeypatch.setattr(MilvusServicer, name, write)
    lite_server._write_in_turn()
    with ThreadPoolExecutor(6) as requests:
        list(requests.map(lambda name: getattr(MilvusServicer, name)(None, "request", "context"), writing))
    assert most == [1] * 6
