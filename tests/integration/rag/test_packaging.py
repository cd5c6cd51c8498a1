import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from lakerag import config
from lakerag.errors import (
    ConfigError,
    GateMissedError,
    LakeragError,
    MixedSpacesError,
    ModelError,
    OverloadedError,
    RegistryError,
    StoreUnavailableError,
)
from lakerag.jobs.job import Job
from lakerag.jobs.package import package_model
from lakerag.rag.packaging import Packaged, check_answers, package, promote
from lakerag.rag.registry import ModelVersion, quiet, with_alias
from lakerag.stores import Collection
from tests.integration.models.tiny import save_t5
from tests.integration.rag.conftest import TEXTS, Index

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own deprecations
VERSIONS = "After how many days are old versions of a table removed?"
SALARY = {"question": "What is the salary of the chair of the board?", "groups": ["hr"]}


@pytest.fixture(scope="module")
def packaged(index: Index) -> Packaged:
    return package(index.settings)


@pytest.fixture(scope="module")
def model(packaged: Packaged) -> Any:
    return load(packaged.version.uri)


def load(uri: str, **options: Any) -> Any:
    with quiet():
        import mlflow

        return mlflow.pyfunc.load_model(uri, **options)


def folder_of(version: ModelVersion) -> Path:
    with quiet():
        import mlflow

        return Path(mlflow.artifacts.download_artifacts(version.uri))


def without_times(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in document.items() if key != "timings_ms"} for document in documents]


def test_packaged_model_answers_with_citations_and_its_version(model: Any) -> None:
    document = json.loads(json.dumps(model.predict([VERSIONS])))[0]
    assert document["abstained"] is False
    assert "Old versions are removed by VACUUM after 7 days. [1]" in document["answer"]
    assert (document["generator"], document["model_version"]) == ("extractive", "lakerag/1")
    cited = document["citations"][0]
    assert (cited["path"], cited["excerpt"]) == ("delta.md", "Old versions are removed by VACUUM after 7 days.")
    assert TEXTS["delta.md"][cited["start"] - 100 : cited["end"] - 100] == cited["excerpt"]
    assert set(document["timings_ms"]) == {"embed", "search", "rerank", "generate", "total"}


@pytest.mark.parametrize(
    "request_",
    [
        VERSIONS,
        [VERSIONS],
        np.array([VERSIONS]),
        {"question": VERSIONS},
        [{"question": VERSIONS, "top_k": 5, "mode": "hybrid"}],
        {"question": np.array([VERSIONS]), "top_k": np.array([5])},
        pd.DataFrame([{"question": VERSIONS, "top_k": np.nan, "groups": None, "tenant": np.nan}]),
    ],
)
def test_every_form_of_a_question_gives_the_same_answer(model: Any, request_: Any) -> None:
    assert without_times(model.predict(request_)) == without_times(model.predict([VERSIONS]))


def test_rights_of_a_record_are_its_own(model: Any) -> None:
    allowed, denied = model.predict(pd.DataFrame([SALARY, {**SALARY, "groups": ["it"]}]))
    assert [citation["path"] for citation in allowed["citations"]] == ["salaries.md"]
    assert "salaries.md" not in [citation["path"] for citation in denied["citations"]]
    assert "90,000" not in denied["answer"]


def test_params_hold_for_the_whole_request(model: Any) -> None:
    from mlflow.exceptions import MlflowException

    documents = model.predict([VERSIONS], params={"top_k": 1, "mode": "keyword", "max_new_tokens": 20})
    assert {citation["path"] for citation in documents[0]["citations"]} == {"delta.md"}
    for params, message in (({"top_k": 101}, "top_k between 1 and 100"), ({"mode": "magic"}, "a mode out of")):
        with pytest.raises(MlflowException, match=message):
            model.predict([VERSIONS], params=params)
    with pytest.raises(MlflowException, match="max_new_tokens between 1 and 1024"):
        model.predict([VERSIONS], params={"max_new_tokens": 0})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ([], "at least one question"),
        ([""], "The question is empty"),
        ([{"question": "Who?", "goups": ["hr"]}], "no field 'goups'; the nearest is groups"),
        ([{"question": "Who?", "filter": "lang = 1"}], "The filter is wrong at character"),
        (["Who?"] * 257, "Expected 1 to 256 questions at a time, found 257"),
    ],
)
def test_bad_request_is_a_client_error_with_the_cause(model: Any, request_: Any, message: str) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=message) as caught:
        model.predict(request_)
    assert caught.value.get_http_status_code() == 400


@pytest.mark.parametrize(
    ("error", "status"), [(StoreUnavailableError("it does not answer"), 503), (OverloadedError("too many wait"), 429)]
)
def test_what_may_be_tried_again_is_told_from_what_may_not(error: LakeragError, status: int) -> None:
    from mlflow.exceptions import MlflowException

    from lakerag.rag.pyfunc import LakeragModel

    class Down:
        def predict(self, data: Any, params: Any) -> Any:
            raise error

    model = LakeragModel()
    model.endpoint = Down()  # type: ignore[assignment]
    with pytest.raises(MlflowException, match=str(error)) as caught:
        model.predict(None, ["Who?"])  # type: ignore[arg-type]
    assert caught.value.get_http_status_code() == status


def test_answer_streams_passages_first_then_its_sentences_then_the_document(model: Any) -> None:
    events = list(model.predict_stream([VERSIONS], params={"top_k": 2}))
    assert [event["event"] for event in events][:2] == ["passages", "text"]
    assert events[0]["passages"][0]["path"] == "delta.md"
    assert events[-1]["event"] == "answer"
    assert "".join(event["text"] for event in events[1:-1]) == events[-1]["answer"]
    assert without_times([events[-1]]) == [
        {"event": "answer", **without_times(model.predict([VERSIONS], params={"top_k": 2}))[0]}
    ]


def test_traces_are_written_in_the_background_with_a_span_a_step(
    packaged: Packaged, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    from lakerag.rag.registry import experiment_id

    monkeypatch.setenv("LAKERAG_SERVING__TRACE_SHARE", "1")
    traced = load(packaged.version.uri)
    traced.predict([VERSIONS])
    traced.unwrap_python_model().endpoint.close()
    with quiet():
        [trace] = mlflow.search_traces(locations=[experiment_id(index.settings.registry)], return_type="list")
    spans = [span.name for span in trace.data.spans]
    assert spans == ["answer", "embed", "search", "prompt", "generate", "cite"]
    assert trace.data.spans[0].inputs == {"questions": [VERSIONS]}
    assert all(span.start_time_ns <= span.end_time_ns for span in trace.data.spans)


def test_same_content_is_registered_once_and_other_settings_anew(index: Index, packaged: Packaged) -> None:
    assert packaged.created
    again = package(index.settings)
    assert (again.version, again.content, again.created) == (packaged.version, packaged.content, False)
    shorter = index.settings.generator.model_copy(update={"max_answer_words": 20})
    other = package(index.settings.model_copy(update={"generator": shorter}))
    assert (other.version, other.created) == (ModelVersion("lakerag", "2"), True)
    assert with_alias(index.settings.registry, "candidate") == ModelVersion("lakerag", "2")


def test_model_holds_no_pickle_and_pins_what_it_needs(packaged: Packaged) -> None:
    folder = folder_of(packaged.version)
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert not suffixes & {".pkl", ".pickle", ".bin", ".pt", ".pth"}
    required = (folder / "requirements.txt").read_text().split()
    assert f"onnxruntime=={installed('onnxruntime')}" in required
    assert all("==" in line for line in required)
    assert not any(line.startswith(("torch==", "pyspark==", "lakerag==")) for line in required)


def test_model_holds_the_settings_that_it_reads_alone(packaged: Packaged) -> None:
    model = yaml.safe_load((folder_of(packaged.version) / "MLmodel").read_text())
    settings = model["flavors"]["python_function"]["config"]["settings"]
    assert set(settings) == {"embedder", "store", "retrieval", "generator", "registry", "serving"}


def test_model_loads_in_a_fresh_process_without_spark_or_torch(packaged: Packaged) -> None:
    script = (
        "import sys, json\n"
        "for name in ('pyspark', 'torch', 'transformers', 'sentence_transformers'): sys.modules[name] = None\n"
        "import mlflow\n"
        f"model = mlflow.pyfunc.load_model({str(folder_of(packaged.version))!r})\n"
        f"answer = model.predict([{VERSIONS!r}])[0]\n"
        "import lakerag\n"
        "print(json.dumps([answer['answer'], answer['model_version'], lakerag.__file__]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    answer, version, code = json.loads(done.stdout.splitlines()[-1])
    assert "Old versions are removed by VACUUM after 7 days. [1]" in answer
    assert version == "lakerag/1"
    assert code == str(folder_of(packaged.version) / "code" / "lakerag" / "__init__.py")


def test_changed_file_is_refused_at_load(packaged: Packaged, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder_of(packaged.version), copy)
    tokenizer = next((copy / "artifacts").rglob("tokenizer.json"))
    tokenizer.write_text(tokenizer.read_text() + " ")
    tokenizer.with_name("added.json").write_text("{}")
    with pytest.raises(ModelError, match=r"added\.json, .*tokenizer\.json differ"):
        load(str(copy))


def test_environment_names_the_store_of_a_loaded_model(packaged: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKERAG_STORE__KIND", "milvus")
    monkeypatch.setenv("LAKERAG_STORE__URI", "http://127.0.0.1:9")
    monkeypatch.setenv("LAKERAG_STORE__TIMEOUT_S", "1")
    with pytest.raises(StoreUnavailableError):
        load(packaged.version.uri)


@pytest.fixture
def no_champion(index: Index) -> Iterator[config.Registry]:
    yield index.settings.registry
    with quiet():
        from mlflow import MlflowClient

        MlflowClient().delete_registered_model_alias("lakerag", "champion")


def test_champion_is_moved_after_the_gates(no_champion: config.Registry, packaged: Packaged) -> None:
    with pytest.raises(RegistryError, match=r"no model lakerag@champion .* Run `lakerag package --promote`"):
        with_alias(no_champion, "champion")
    metrics = promote(no_champion, packaged.version, {"answers": check_answers})
    assert set(metrics) == {"answers.load_s", "answers.answer_s"}
    assert with_alias(no_champion, "champion") == packaged.version


def test_champion_stays_when_a_gate_refuses(no_champion: config.Registry, packaged: Packaged) -> None:
    def refuse(version: ModelVersion) -> dict[str, float]:
        raise ModelError(f"{version.label} is not good enough")

    promote(no_champion, packaged.version, {})
    with pytest.raises(ModelError, match="lakerag/9 is not good enough"):
        promote(no_champion, ModelVersion("lakerag", "9"), {"quality": refuse})
    assert with_alias(no_champion, "champion") == packaged.version


@contextmanager
def job_with(index: Index, qa: Path, gates: dict[str, float]) -> Iterator[Job]:
    evaluation = config.Evaluation(qa=(str(qa),), gates=gates)
    job = Job(index.settings.model_copy(update={"evaluation": evaluation}), Console(quiet=True))
    with job.closing:
        yield job


def test_gates_of_conf_measure_the_packaged_model_and_name_what_it_misses(
    no_champion: config.Registry, index: Index, tmp_path: Path
) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_text(json.dumps({"question": VERSIONS, "answers": ["7 days"]}))
    with job_with(index, qa, {"qa.contains": 1.0, "qa.em": 0.5}) as job, pytest.raises(GateMissedError) as caught:
        package_model(job, promotion=True)
    assert "qa.em is 0.000, wanted 0.5" in str(caught.value)
    assert "qa.contains" not in str(caught.value)
    with pytest.raises(RegistryError):
        with_alias(no_champion, "champion")
    with job_with(index, qa, {"qa.contains": 1.0}) as job:
        result = package_model(job, promotion=True)
    assert result["metrics"]["evaluation.qa.contains"] == 1.0
    assert with_alias(no_champion, "champion").version == result["version"]


def test_a_gate_without_a_set_is_a_wrong_configuration(index: Index, tmp_path: Path) -> None:
    with (
        job_with(index, tmp_path / "qa.jsonl", {"retrieval.hybrid.mrr@10": 0.5}) as job,
        pytest.raises(ConfigError, match=r"names retrieval\.hybrid\.mrr@10, which no set of conf/ gives"),
    ):
        package_model(job, promotion=True)


def test_model_of_another_space_than_the_index_does_not_pass_the_gate(index: Index, packaged: Packaged) -> None:
    index.store.create(Collection("foreign", "other/000000000000/mean/unit/384", 384))
    index.store.point(index.settings.store.alias, "foreign")
    try:
        with pytest.raises(MixedSpacesError, match="found other/000000000000/mean/unit/384"):
            check_answers(packaged.version)
    finally:
        index.store.point(index.settings.store.alias, "docs_1")


def test_t5_and_its_conversion_travel_with_the_package(index: Index, tmp_path: Path) -> None:
    tiny = save_t5(tmp_path / "tiny", "flan-t5")
    options = {"kind": "t5", "model": str(tiny), "runtime": "ctranslate2", "cache": str(tmp_path / "cache")}
    generator = index.settings.generator.model_copy(update={**options, "max_prompt_tokens": 4000})
    version = package(index.settings.model_copy(update={"generator": generator})).version
    shutil.rmtree(tmp_path / "tiny")
    shutil.rmtree(tmp_path / "cache")
    document = load(version.uri).predict([VERSIONS])[0]
    assert (document["generator"], document["model_version"]) == (f"t5:{tiny.name}", version.label)
    assert document["prompt_tokens"] > 0
