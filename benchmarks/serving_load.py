"""The endpoint under load, and what HTTP adds to a prediction.

    lakerag package --promote --home HOME
    python benchmarks/serving_load.py --home HOME --questions FILE.txt [--clients 16] [--seconds 30]

Starts the champion's endpoint as `lakerag serve` does and asks it over loopback. `ratio` is the median of one client's
request over the median of `predict` of the same model in this process, questions interleaved; `overhead_ms` is the
median difference of the two, `overhead_quartiles_ms` the quartiles around it.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lakerag import config


@dataclass(frozen=True, slots=True)
class Load:
    """What a load came to."""

    statuses: Counter[int]
    """Answers by HTTP status; 0: no answer."""
    latencies_ms: list[float]
    """Of the answered requests."""
    seconds: float

    def summary(self) -> dict[str, Any]:
        cuts = statistics.quantiles(self.latencies_ms, n=100, method="inclusive")
        return {
            "requests": self.statuses.total(),
            "failed": self.statuses.total() - self.statuses[200],
            "per_second": round(self.statuses[200] / self.seconds, 1),
            "p50_ms": round(cuts[49], 1),
            "p99_ms": round(cuts[98], 1),
        }


def drive(url: str, questions: list[str], clients: int, seconds: float) -> Load:
    """Asks from many clients at once, each over a connection of its own, one request after the other."""
    until = time.monotonic() + seconds
    begin = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        asked = [islice(cycle(questions), n, None) for n in range(clients)]
        results = [result for found in pool.map(lambda own: _client(url, own, until), asked) for result in found]
    answered = [latency for status, latency in results if status]
    return Load(Counter(status for status, _ in results), answered, time.monotonic() - begin)


def _client(url: str, questions: Any, until: float) -> list[tuple[int, float]]:
    connection, results = _connect(url), []
    while time.monotonic() < until:
        begin = time.perf_counter()
        try:
            status = ask(connection, next(questions))
        except OSError:
            status, connection = 0, _connect(url)
        results.append((status, (time.perf_counter() - begin) * 1e3))
    connection.close()
    return results


def _connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)


def ask(connection: http.client.HTTPConnection, question: str) -> int:
    body = json.dumps({"inputs": [question]})
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status


def overhead(url: str, model: Any, questions: list[str]) -> dict[str, Any]:
    """Medians of the same questions over HTTP and in this process, one after the other in turns."""
    connection, over_http, in_process = _connect(url), [], []
    for question in questions:
        begin = time.perf_counter()
        ask(connection, question)
        middle = time.perf_counter()
        model.predict([question])
        over_http.append((middle - begin) * 1e3)
        in_process.append((time.perf_counter() - middle) * 1e3)
    connection.close()
    requested, predicted = statistics.median(over_http), statistics.median(in_process)
    more = [there - here for there, here in zip(over_http, in_process, strict=True)]
    low, median, high = statistics.quantiles(more, n=4)
    return {
        "request_ms": round(requested, 2),
        "predict_ms": round(predicted, 2),
        "overhead_ms": round(median, 2),
        "overhead_quartiles_ms": [round(low, 2), round(high, 2)],
        "ratio": round(requested / predicted, 3),
    }


def main(home: str, questions: list[str], clients: int, seconds: float) -> None:
    from lakerag.rag.packaging import load_model
    from lakerag.rag.serving import serving
    from lakerag.stores import open_address

    settings = config.load("local", home)
    with (
        tempfile.TemporaryDirectory() as logs,
        open_address(settings.store, settings.sync.batch_bytes) as address,
    ):
        reached = settings.store.model_copy(update={"kind": "milvus", "uri": address.uri})
        settings = settings.model_copy(update={"store": reached})
        with serving(settings, Path(logs) / "serve.log", port=0) as server:
            model = load_model(server.version)
            overhead(server.url, model, questions[:5])
            single = overhead(server.url, model, questions[:100])
            loaded = drive(server.url, questions, clients, seconds).summary()
    print(json.dumps({**single, "clients": clients, "load": loaded}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True)
    parser.add_argument("--questions", type=Path, required=True, help="one a line")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    lines = given.questions.read_text(encoding="utf-8").splitlines()
    main(given.home, [line for line in lines if line.strip()], given.clients, given.seconds)
