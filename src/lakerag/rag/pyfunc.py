"""The registered model, as MLflow runs it: a shell that loads the endpoint and translates its errors.

MLflow copies this file into the model and executes it there (models from code).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    REQUEST_LIMIT_EXCEEDED,
    TEMPORARILY_UNAVAILABLE,
)
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from lakerag.errors import LakeragError, OverloadedError, TransientError, UsageError
from lakerag.rag.endpoint import Endpoint

REGISTERED = "registered_model_meta"
"""File that MLflow writes into a model that it fetches from the registry: its name and version."""


class LakeragModel(PythonModel):
    """Questions to answer documents."""

    def load_context(self, context: PythonModelContext) -> None:
        folder, packaged = Path(context.artifacts["models"]), context.model_config
        version = packaged["model_version"] or _registered_version(folder.parents[1]) or packaged["content"]
        self.endpoint = Endpoint.load(folder, packaged, version)

    # The hint is the one that keeps MLflow from parsing: lists, dictionaries and arrays arrive as well.
    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        with _translated():
            return self.endpoint.predict(model_input, params)

    def predict_stream(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        with _translated():
            yield from self.endpoint.predict_stream(model_input, params)


@contextmanager
def _translated() -> Iterator[None]:
    """Turns lakerag's errors into MLflow's, whose codes the scoring server answers with: 400, 429, 503, 500."""
    try:
        yield
    except UsageError as error:
        raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
    except OverloadedError as error:
        raise MlflowException(str(error), REQUEST_LIMIT_EXCEEDED) from error
    except TransientError as error:
        raise MlflowException(str(error), TEMPORARILY_UNAVAILABLE) from error
    except LakeragError as error:
        raise MlflowException(str(error), INTERNAL_ERROR) from error


def _registered_version(model: Path) -> str:
    """Returns name and version of a model that came out of the registry; empty otherwise."""
    if not (model / REGISTERED).is_file():
        return ""
    known = yaml.safe_load((model / REGISTERED).read_text(encoding="utf-8"))
    return f"{known['model_name']}/{known['model_version']}" if known["model_name"] else ""


set_model(LakeragModel())
