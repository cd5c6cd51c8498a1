from types import SimpleNamespace

import pytest
from mlflow.exceptions import RESOURCE_DOES_NOT_EXIST, MlflowException

from lakerag.config import Registry
from lakerag.errors import RegistryError
from lakerag.rag import registry


def test_a_missing_model_is_named_without_the_password_of_its_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, alias: str) -> None:
        raise MlflowException("no such alias", RESOURCE_DOES_NOT_EXIST)

    monkeypatch.setattr(registry, "connect", lambda _: SimpleNamespace(get_model_version_by_alias=missing))
    with pytest.raises(RegistryError, match=r"no model lakerag@champion in postgresql://\*\*\*@db/mlflow\. Run"):
        registry.with_alias(Registry(tracking_uri="postgresql://ml:s3cret@db/mlflow"), "champion")
