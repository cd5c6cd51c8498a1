import json
from pathlib import Path

import pytest

from lakerag import config
from lakerag.jobs.active import described, with_embedder_of
from lakerag.stores import Collection


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.load("local", tmp_path, environ={})


def runtime_of(filled_by: config.Embedder, settings: config.Settings, configured: str) -> str:
    here = settings.model_copy(update={"embedder": settings.embedder.model_copy(update={"runtime": configured})})
    return with_embedder_of(Collection("c", "space", 3, described(filled_by)), here).embedder.runtime


def test_the_runtime_is_said_only_where_it_makes_another_space() -> None:
    assert json.loads(described(config.Embedder(model="m", runtime="torch"))) == {"model": "m"}
    assert json.loads(described(config.Embedder(model="m", runtime="onnx-int8"))) == {
        "model": "m",
        "runtime": "onnx-int8",
    }


def test_the_way_between_quantised_and_exact_leads_back(settings: config.Settings) -> None:
    exact, quantised = config.Embedder(runtime="onnx"), config.Embedder(runtime="onnx-int8")
    assert runtime_of(quantised, settings, "torch") == "onnx-int8"
    assert runtime_of(exact, settings, "onnx-int8") == "onnx"
    assert runtime_of(exact, settings, "torch") == "torch"
