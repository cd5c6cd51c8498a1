"""Logs the pipeline as an MLflow model, registers it, and promotes it once it has passed its gate."""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lakerag
from lakerag import config
from lakerag.config import ModelSettings, Registry, Settings, masked
from lakerag.errors import LakeragError
from lakerag.rag.answer import RagPipeline
from lakerag.rag.artifacts import CACHE, hash_files, stage
from lakerag.rag.endpoint import OVERRIDABLE
from lakerag.rag.registry import (
    CANDIDATE,
    ModelVersion,
    connect,
    experiment_id,
    quiet,
    register,
    set_alias,
    with_content,
)
from lakerag.rag.requirements import requirements

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import PyFuncModel

BEHAVIOUR = ("embedder", "generator", "retrieval")
"""Sections that the answers depend on; another value makes another version."""

CODE = (".py", ".json", ".txt")
"""What the package's own modules consist of."""

PROBE = "What is this about?"

Gate = Callable[[ModelVersion], Mapping[str, float]]
"""Returns the metrics of a version that may become the champion, and raises where it may not."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """What packaging came to."""

    version: ModelVersion
    content: str
    """Digest of models, code and settings."""
    created: bool
    """False where a version of the same content was there already."""


def package(settings: Settings) -> Packaged:
    """Registers the pipeline that the settings describe and points `@candidate` at it.

    The same models, code and settings give the version that is there already.

    Raises:
        ModelError: A model is not there or incomplete.
    """
    with tempfile.TemporaryDirectory(prefix="lakerag-package-") as temporary:
        models, code = Path(temporary) / "models", Path(temporary) / "code" / "lakerag"
        files = stage(settings, models)
        _copy_code(code)
        content = _content(settings, files, hash_files(code))
        known = with_content(settings.registry, content)
        version = known or _register(settings, models, code, {"files": files, "content": content})
    set_alias(settings.registry, CANDIDATE, version)
    return Packaged(version, content, created=known is None)


def promote(settings: Registry, version: ModelVersion, gates: Mapping[str, Gate]) -> dict[str, float]:
    """Points the champion's alias at a version after it has passed every gate; returns all metrics.

    Raises:
        LakeragError: What a gate raised; the champion stays where it is.
    """
    metrics: dict[str, float] = {}
    for name, gate in gates.items():
        metrics |= {f"{name}.{metric}": value for metric, value in gate(version).items()}
    set_alias(settings, settings.champion, version)
    return metrics


def check_answers(version: ModelVersion) -> dict[str, float]:
    """The gate that is always there: the model loads, fits the index behind the alias, and answers.

    Raises:
        LakeragError: It does not.
    """
    from mlflow.exceptions import MlflowException

    begin = time.perf_counter()
    model = load_model(version)
    loaded = time.perf_counter()
    with quiet():
        try:
            model.predict([PROBE])
        except MlflowException as error:
            raise error.__cause__ if isinstance(error.__cause__, LakeragError) else error from None
    return {"load_s": loaded - begin, "answer_s": time.perf_counter() - loaded}


def load_model(version: ModelVersion) -> "PyFuncModel":
    """Returns a registered version as MLflow loads it."""
    with quiet():
        import mlflow

        model: PyFuncModel = mlflow.pyfunc.load_model(version.uri)
    return model


def pipeline_of(version: ModelVersion) -> RagPipeline:
    """Returns the pipeline of a registered version, to be measured as it was packaged."""
    model: Any = load_model(version)
    pipeline: RagPipeline = model.unwrap_python_model().endpoint.pipeline
    return pipeline


def packaged_settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """Returns what the model reads when it is loaded, and nothing else: whoever may read the model reads it too.

    Addresses leave user and password behind; the environment of whoever loads the model brings them (`OVERRIDABLE`).
    """
    values = config.dump(settings)
    kept: dict[str, dict[str, Any]] = {name: values[name] for name in ModelSettings.model_fields}
    for name in OVERRIDABLE:
        kept[name] = {key: masked(value) if isinstance(value, str) else value for key, value in kept[name].items()}
    return kept


def _register(settings: Settings, models: Path, code: Path, packaged: Mapping[str, Any]) -> ModelVersion:
    connect(settings.registry)
    with quiet():
        import mlflow

        with mlflow.start_run(experiment_id=experiment_id(settings.registry), run_name="package") as run:
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={"models": str(models)},
                code_paths=[str(code)],
                model_config={"settings": packaged_settings(settings), "model_version": "", **packaged},
                signature=_signature(),
                pip_requirements=requirements(settings),
            )
    return register(settings.registry, logged.model_uri, run.info.run_id, packaged["content"])


def _signature() -> "ModelSignature":
    """Returns what the model gives and the parameters that it takes.

    The input has no schema: MLflow's cannot say "a text or a record", and it drops fields that it
    does not know in silence, a misspelled `groups` among them. `rag.request` checks every field.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Map, Object, Property

    texts = ("chunk_id", "doc_id", "path", "title", "heading", "excerpt")
    citation = Object(
        [Property(name, DataType.string) for name in texts]
        + [Property(name, DataType.long) for name in ("n", "start", "end", "page")]
        + [Property("score", DataType.double), Property("alternates", Array(DataType.string))]
    )
    columns = (
        ("question", DataType.string),
        ("answer", DataType.string),
        ("abstained", DataType.boolean),
        ("reason", DataType.string),
        ("confidence", DataType.double),
        ("citations", Array(citation)),
        ("generator", DataType.string),
        ("model_version", DataType.string),
        ("prompt_tokens", DataType.long),
        ("passages_dropped", DataType.long),
        ("timings_ms", Map(DataType.double)),
    )
    params = (("top_k", DataType.long), ("mode", DataType.string), ("max_new_tokens", DataType.long))
    return ModelSignature(
        outputs=Schema([ColSpec(kind, name) for name, kind in columns]),
        params=ParamSchema([ParamSpec(name, kind, None) for name, kind in params]),
    )


def _copy_code(target: Path) -> None:
    """Copies the package itself without weights, so that the model needs no installation of it where it runs."""
    source = Path(lakerag.__file__).parent
    for path in sorted(path for path in source.rglob("*") if path.suffix in CODE):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _content(settings: Settings, files: Mapping[str, str], code: Mapping[str, str]) -> str:
    """Returns the digest of what the answers depend on; an export of the same weights is no change."""
    values = config.dump(settings)
    behaviour = {name: {key: value for key, value in values[name].items() if key != "cache"} for name in BEHAVIOUR}
    models = {path: digest for path, digest in files.items() if not path.startswith(f"{CACHE}/")}
    parts = ("errors.py", "config/", "records.py", "tables.py", "models/", "stores/", "rag/")
    used = {path: digest for path, digest in code.items() if path.startswith(parts)}
    return hashlib.sha256(json.dumps([behaviour, models, used], sort_keys=True).encode()).hexdigest()
