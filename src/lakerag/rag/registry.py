"""The MLflow registry, kept quiet and offline: versions of the model, their content and their aliases."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakerag.config import Registry, masked
from lakerag.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONTENT_TAG = "lakerag.content"
"""Tag of a version: the digest of everything that its answers depend on."""

CANDIDATE = "candidate"
"""Alias of the version that was packaged last."""

OFFLINE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""What keeps MLflow from phoning home and from drawing on the terminal; read when it is imported."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model."""

    name: str
    version: str

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"

    @property
    def label(self) -> str:
        """Returns what answers call it."""
        return f"{self.name}/{self.version}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps MLflow's notices (database set-up, deprecations of its own parts) off the terminal."""
    for name, value in OFFLINE.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def connect(settings: Registry) -> "MlflowClient":
    """Returns a client of the registry and points MLflow at it."""
    with quiet():
        import mlflow

        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_registry_uri(settings.registry_uri or settings.tracking_uri)
        return mlflow.MlflowClient()


def experiment_id(settings: Registry) -> str:
    """Returns the id of the configured experiment, which is made when missing."""
    return experiment_of(connect(settings), settings)


def experiment_of(client: "MlflowClient", settings: Registry) -> str:
    """Does the same through a client that is connected already, and leaves MLflow's globals alone."""
    with quiet():
        known = client.get_experiment_by_name(settings.experiment)
        if known is not None:
            return str(known.experiment_id)
        return str(client.create_experiment(settings.experiment, artifact_location=settings.artifacts))


def with_alias(settings: Registry, alias: str) -> ModelVersion:
    """Returns the version that an alias of the registered model points at.

    Raises:
        RegistryError: There is none.
    """
    client = connect(settings)
    from mlflow.exceptions import MlflowException

    name = settings.model_name
    with quiet():
        try:
            return ModelVersion(name, str(client.get_model_version_by_alias(name, alias).version))
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
                raise
            raise RegistryError(
                f"There is no model {name}@{alias} in {masked(settings.tracking_uri)}. "
                "Run `lakerag package --promote`.",
                name=name,
                alias=alias,
            ) from error


def with_content(settings: Registry, content: str) -> ModelVersion | None:
    """Returns the newest version whose answers depend on the same content, if there is one."""
    client = connect(settings)
    with quiet():
        # Unity Catalog does not search by tag.
        found = client.search_model_versions(f"name='{settings.model_name}'")
    versions = [int(version.version) for version in found if version.tags.get(CONTENT_TAG) == content]
    return ModelVersion(settings.model_name, str(max(versions))) if versions else None


def register(settings: Registry, source: str, run_id: str, content: str) -> ModelVersion:
    """Registers a logged model as the next version.

    Args:
        settings: Names the registered model, which is made when missing.
        source: URI of the logged model.
        run_id: Run that logged it.
        content: Digest of everything that its answers depend on.
    """
    client = connect(settings)
    from mlflow.exceptions import MlflowException

    with quiet():
        try:
            client.create_registered_model(settings.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(settings.model_name, source, run_id, tags={CONTENT_TAG: content})
    return ModelVersion(settings.model_name, str(made.version))


def set_alias(settings: Registry, alias: str, version: ModelVersion) -> None:
    """Moves an alias of the registered model to a version, in one step."""
    client = connect(settings)
    with quiet():
        client.set_registered_model_alias(settings.model_name, alias, version.version)
