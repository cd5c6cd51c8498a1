"""What of the settings travels with a model, and what loading it reads."""

import json
from pathlib import Path

import pytest

from lakerag import config
from lakerag.rag.artifacts import located
from lakerag.rag.endpoint import OVERRIDABLE
from lakerag.rag.packaging import packaged_settings
from lakerag.rag.serving import variables

SECRETS = (
    "spark.conf={spark.hadoop.fs.s3a.secret.key: s3cret}",
    "source.path=s3://docs?secret_key=s3cret",
    "registry.tracking_uri=postgresql://ml:s3cret@db:5432/mlflow",
    "registry.registry_uri=postgresql://db/mlflow?password=s3cret",
    "store.kind=milvus",
    "store.uri=https://root:s3cret@milvus:19530",
    "store.token=env:MILVUS_TOKEN",
)


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.load("local", tmp_path, SECRETS, environ={})


def test_a_package_holds_what_loading_reads_and_no_secret(settings: config.Settings) -> None:
    packaged = packaged_settings(settings)
    assert set(packaged) == {"embedder", "store", "retrieval", "generator", "registry", "serving"}
    assert "s3cret" not in json.dumps(packaged)
    assert packaged["registry"]["tracking_uri"] == "postgresql://***@db:5432/mlflow"
    assert packaged["store"] == {**config.dump(settings)["store"], "uri": "https://***@milvus:19530"}
    assert packaged["generator"] == config.dump(settings)["generator"]


def test_what_is_packaged_is_enough_to_load_and_the_environment_brings_the_passwords(settings: config.Settings) -> None:
    whole = {"LAKERAG_REGISTRY__TRACKING_URI": "postgresql://ml:s3cret@db:5432/mlflow"}
    loaded = located(config.restore(packaged_settings(settings), OVERRIDABLE, whole), Path("/model"))
    assert loaded.registry.tracking_uri == settings.registry.tracking_uri
    assert loaded.embedder.model == "/model/embedder/all-MiniLM-L6-v2"
    assert loaded.retrieval == settings.retrieval


def test_the_server_of_this_process_gets_its_own_passwords(settings: config.Settings) -> None:
    serving = settings.model_copy(
        update={"registry": settings.registry.model_copy(update={"experiment": "007", "artifacts": "{a: [ü"})}
    )
    served = config.restore(packaged_settings(settings), OVERRIDABLE, variables(serving))
    assert (served.store, served.serving, served.registry) == (serving.store, serving.serving, serving.registry)


def test_a_model_that_was_packaged_with_all_settings_still_loads(settings: config.Settings) -> None:
    former = config.restore(config.dump(settings), OVERRIDABLE, environ={})
    assert former == config.ModelSettings.model_validate(
        {name: getattr(settings, name) for name in config.ModelSettings.model_fields}
    )
