from pathlib import Path
from unittest import mock

import pytest
from databricks.sdk.errors import NotFound

from lakerag import config
from lakerag.errors import ConfigError


def load(*overrides: str, env: str = "local", **environ: str) -> config.Settings:
    return config.load(env, "/data/rag", overrides, environ)


@pytest.mark.parametrize("env", ["local", "cluster", "dev", "staging", "prod"])
def test_every_environment_of_conf_is_valid(env: str) -> None:
    assert load(env=env).env == env


def test_home_stands_in_for_its_placeholder() -> None:
    settings = load()
    assert settings.home == Path("/data/rag")
    assert settings.lakehouse.root == "/data/rag/warehouse"
    assert settings.registry.tracking_uri == "sqlite:////data/rag/mlflow.db"


def test_the_environment_file_overrides_base() -> None:
    assert load(env="prod").registry.model_name == "lakerag_prod.rag.lakerag"
    assert load(env="local").registry.model_name == "lakerag"


def test_variables_override_files_and_set_overrides_variables() -> None:
    assert load(LAKERAG_CHUNKING__CHUNK_TOKENS="150").chunking.chunk_tokens == 150
    assert load("chunking.chunk_tokens=120", LAKERAG_CHUNKING__CHUNK_TOKENS="150").chunking.chunk_tokens == 120


def test_variables_of_other_meaning_are_left_alone() -> None:
    assert load(LAKERAG_CORPORA="/corpora", OTHER__KEY="1") == load()


def test_all_wrong_keys_are_reported_at_once_each_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        load("chunking.chunk_token=100", "retrieval.topk=3", "store.timeout_s=soon")
    message = str(caught.value)
    assert "chunking.chunk_token: no such key; the nearest is chunking.chunk_tokens" in message
    assert "retrieval.topk: no such key; the nearest is retrieval.top_k" in message
    assert "store.timeout_s: " in message
    assert caught.value.exit_code == 2


def test_an_unknown_section_is_reported_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="retrival: no such key; the nearest is retrieval"):
        load("retrival.top_k=3")


def test_an_unknown_environment_lists_those_that_exist() -> None:
    with pytest.raises(
        ConfigError, match=r"no environment 'prd'\. Expected one of: cluster, dev, local, prod, staging\."
    ):
        load(env="prd")


def test_base_alone_is_no_environment() -> None:
    with pytest.raises(ConfigError, match="no environment 'base'"):
        load(env="base")


@pytest.mark.parametrize("override", ["chunking.chunk_tokens", "top_k=3", "a.b.c=1"])
def test_a_malformed_override_says_what_is_expected(override: str) -> None:
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        load(override)


@pytest.mark.parametrize(
    "override", ["chunking.chunk_tokens=0", "retrieval.top_k=-1", "store.alias=two words", "generator.min_confidence=2"]
)
def test_values_out_of_range_are_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        load(override)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().retrieval.top_k = 7  # type: ignore[misc]


def test_a_secret_in_plain_text_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        load("store.token=hunter2")
    assert "expected a reference" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_secret_reference_is_hidden_in_repr() -> None:
    assert "MILVUS_TOKEN" not in repr(load("store.token=env:MILVUS_TOKEN"))


def test_secrets_are_read_from_variable_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILVUS_TOKEN", "from the environment")
    (tmp_path / "token").write_text("from a file\n")
    assert config.read_secret("env:MILVUS_TOKEN") == "from the environment"
    assert config.read_secret(f"file:{tmp_path / 'token'}") == "from a file"


def test_a_secret_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILVUS_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="Export MILVUS_TOKEN"):
        config.read_secret("env:MILVUS_TOKEN")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read_secret(f"file:{tmp_path / 'none'}")


@pytest.mark.parametrize("error", [NotFound("Secret scope nowhere does not exist."), ValueError("no workspace")])
def test_a_databricks_secret_that_is_not_there_is_named_with_what_to_do(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = mock.Mock()
    client.return_value.dbutils.secrets.get.side_effect = error
    monkeypatch.setattr("databricks.sdk.WorkspaceClient", client)
    with pytest.raises(ConfigError, match=r"databricks:nowhere/token cannot be read .*put-secret nowhere token"):
        config.read_secret("databricks:nowhere/token")
    client.return_value.dbutils.secrets.get.assert_called_with("nowhere", "token")
