import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving_load import drive
from lakerag.errors import MachineError, RegistryError
from lakerag.rag.packaging import package, promote
from lakerag.rag.serving import Server, serving
from lakerag.stores.open import open_address
from tests.chaos.proxy import Proxy
from tests.integration.rag.conftest import Index

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own deprecations
VERSIONS = "After how many days are old versions of a table removed?"
SALARY = "What is the salary of the chair of the board?"


@pytest.fixture(scope="module")
def champion(index: Index) -> Index:
    promote(index.settings.registry, package(index.settings).version, {})
    return index


@pytest.fixture(scope="module")
def server(champion: Index, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(champion.settings, tmp_path_factory.mktemp("logs") / "serve.log", port=0) as server:
        yield server


def invoke(url: str, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/invocations", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_endpoint_answers_records_texts_and_params(server: Server) -> None:
    records = [{"question": VERSIONS, "top_k": 5, "groups": ["a"], "tenant": "t", "filter": 'lang == "en"'}]
    for body in (
        {"dataframe_records": records, "params": {"max_new_tokens": 50}},
        {"dataframe_records": [{"question": VERSIONS}]},
        {"dataframe_split": {"columns": ["question"], "data": [[VERSIONS]]}},
        {"inputs": [VERSIONS]},
        {"inputs": [{"question": VERSIONS}]},
        {"inputs": VERSIONS},
        {"instances": [VERSIONS], "params": {"top_k": 2, "mode": "hybrid"}},
    ):
        status, reply = invoke(server.url, body)
        assert status == 200, reply
        assert len(reply["predictions"]) == 1
        answer = reply["predictions"][0]
        assert "Old versions are removed by VACUUM after 7 days. [1]" in answer["answer"]
        assert answer["citations"][0]["path"] == "delta.md"
        assert answer["model_version"] == server.version.label == "lakerag/1"


def test_endpoint_gives_the_passages_alone_where_a_record_wants_them(server: Server) -> None:
    records = [{"question": VERSIONS, "task": "search", "top_k": 1}, {"question": VERSIONS, "task": "ask", "top_k": 1}]
    found, answered = invoke(server.url, {"dataframe_records": records})[1]["predictions"]
    assert [passage["path"] for passage in found["passages"]] == ["delta.md"]
    assert answered["citations"][0]["path"] == "delta.md"


def test_endpoint_keeps_rights_apart_in_one_request(server: Server) -> None:
    records = [{"question": SALARY, "groups": ["hr"]}, {"question": SALARY, "groups": ["it"]}, {"question": SALARY}]
    allowed, denied, anonymous = invoke(server.url, {"dataframe_records": records})[1]["predictions"]
    assert "90,000" in allowed["answer"]
    assert "90,000" not in json.dumps([denied, anonymous])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"inputs": []}, "at least one question"),
        ({"inputs": [" "]}, "The question is empty"),
        ({"inputs": ["x" * 2001]}, "at most 2000 characters, found 2001"),
        ({"inputs": ["Who?"], "params": {"top_k": 1000}}, "Expected top_k between 1 and 100, found 1000"),
        ({"inputs": ["Who?"] * 257}, "Expected 1 to 256 questions at a time"),
        ({"dataframe_records": [{"question": "Who?", "goups": ["hr"]}]}, "the nearest is groups"),
        ({"dataframe_records": [{"question": "Who?", "filter": 'tenant == "x"'}]}, "tenant"),
        ({"question": "Who?"}, "exactly one of the input fields"),
        (b"{", "valid JSON"),
    ],
)
def test_bad_request_is_answered_400_with_its_cause(server: Server, body: Any, message: str) -> None:
    status, reply = invoke(server.url, body)
    assert status == 400
    assert message in reply["message"]


def test_concurrent_clients_each_get_their_own_answer(server: Server) -> None:
    questions = [VERSIONS, "What does an alias point at?"] * 20
    with ThreadPoolExecutor(16) as clients:
        replies = list(clients.map(lambda question: invoke(server.url, {"inputs": [question]}), questions))
    assert {status for status, _ in replies} == {200}
    assert [reply["predictions"][0]["question"] for _, reply in replies] == questions
    paths = [reply["predictions"][0]["citations"][0]["path"] for _, reply in replies]
    assert paths == ["delta.md", "milvus.md"] * 20


def test_sixteen_clients_are_all_answered_for_half_a_minute(server: Server) -> None:
    load = drive(server.url, [VERSIONS, "What does an alias point at?"], clients=16, seconds=30)
    print(load.summary())  # shown by -rP: throughput, p50 and p99
    assert set(load.statuses) == {200}
    assert load.statuses.total() >= 16


@pytest.mark.parametrize(("limit", "status"), [("max_connections", 503), ("max_waiting", 429)])
def test_overload_is_refused_at_once(champion: Index, tmp_path: Path, limit: str, status: int) -> None:
    few = champion.settings.serving.model_copy(update={limit: 2})
    settings = champion.settings.model_copy(update={"serving": few})
    with serving(settings, tmp_path / "serve.log", port=0) as narrow:
        load = drive(narrow.url, [VERSIONS], clients=16, seconds=2)
    assert {200, status} <= set(load.statuses) <= {0, 200, status}


def test_store_that_goes_away_is_answered_503_until_it_is_back(champion: Index, tmp_path: Path) -> None:
    with open_address(champion.settings.store) as address:
        proxy = Proxy(int(address.uri.rpartition(":")[2]))
        behind = {"kind": "milvus", "uri": f"http://127.0.0.1:{proxy.port}", "timeout_s": 2.0}
        store = champion.settings.store.model_copy(update=behind)
        settings = champion.settings.model_copy(update={"store": store})
        with serving(settings, tmp_path / "serve.log", port=0) as server:
            assert invoke(server.url, {"inputs": [VERSIONS]})[0] == 200
            proxy.cut()
            status, reply = invoke(server.url, {"inputs": [VERSIONS]})
            assert status == 503, reply
            proxy.mend()
            deadline = time.monotonic() + 60
            while invoke(server.url, {"inputs": [VERSIONS]})[0] != 200:
                assert time.monotonic() < deadline
        proxy.close()


def test_taken_port_is_said_so(champion: Index, server: Server, tmp_path: Path) -> None:
    port = int(server.url.rpartition(":")[2])
    with (
        pytest.raises(MachineError, match=f"Port {port} of 127.0.0.1 cannot be had"),
        serving(champion.settings, tmp_path / "serve.log", port=port),
    ):
        pass


def test_endpoint_without_a_champion_says_what_to_run(index: Index, tmp_path: Path) -> None:
    registry = index.settings.registry.model_copy(update={"champion": "nobody"})
    settings = index.settings.model_copy(update={"registry": registry})
    with (
        pytest.raises(RegistryError, match="Run `lakerag package --promote`"),
        serving(settings, tmp_path / "serve.log", port=0),
    ):
        pass


def test_endpoint_without_its_store_says_why_it_does_not_come_up(champion: Index, tmp_path: Path) -> None:
    gone = {"kind": "milvus", "uri": "http://127.0.0.1:9", "timeout_s": 1.0}
    settings = champion.settings.model_copy(update={"store": champion.settings.store.model_copy(update=gone)})
    with (
        pytest.raises(MachineError, match=r"did not come up: .*127\.0\.0\.1:9"),
        serving(settings, tmp_path / "serve.log", port=0),
    ):
        pass


def test_mlflow_serves_the_champion_by_hand(champion: Index, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": champion.settings.registry.tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/lakerag@champion"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            try:
                status, reply = invoke(f"http://127.0.0.1:{port}", {"inputs": [VERSIONS]})
                break
            except urllib.error.URLError:
                time.sleep(0.2)
        else:
            pytest.fail((tmp_path / "log").read_text())
        assert status == 200
        assert reply["predictions"][0]["model_version"] == "lakerag/1"
        status, reply = invoke(f"http://127.0.0.1:{port}", {"inputs": [" "]})
        assert (status, "The question is empty" in reply["message"]) == (400, True)
        load = drive(f"http://127.0.0.1:{port}", [VERSIONS], clients=16, seconds=3)
        assert set(load.statuses) == {200}
    finally:
        process.terminate()
        process.wait(timeout=60)
