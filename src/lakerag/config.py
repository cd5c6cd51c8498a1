"""Frozen, typed settings; the only reader of conf/ and of the environment.

Precedence, weakest first: conf/base.yml, conf/{env}.yml, `LAKERAG_SECTION__KEY`
environment variables, `--set section.key=value`.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lakerag.errors import ConfigError

ENV_PREFIX = "LAKERAG_"
SECRET_SCHEMES = ("env", "file", "databricks")


class Section(BaseModel):
    """A frozen group of settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _check_reference(reference: str) -> str:
    scheme, _, name = reference.partition(":")
    if scheme not in SECRET_SCHEMES or not name:
        raise ValueError("expected a reference (env:NAME, file:PATH or databricks:SCOPE/KEY), not a plain value")
    return reference


SecretReference = Annotated[str, AfterValidator(_check_reference)]
"""Where a secret stands, never the secret: `env:NAME`, `file:PATH`, `databricks:SCOPE/KEY`."""


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"expected a regular expression ({error})") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_check_pattern)]
"""A regular expression."""


def read_secret(reference: str) -> str:
    """Returns the secret behind a reference.

    Raises:
        ConfigError: The variable, file or scope does not hold it.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        if name not in os.environ:
            raise ConfigError(f"The secret env:{name} is not set. Export {name}.", reference=reference)
        return os.environ[name]
    if scheme == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"The secret file:{name} cannot be read ({error.strerror}).") from error
    return _databricks_secret(name)


def _databricks_secret(name: str) -> str:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors.base import DatabricksError

    scope, _, key = name.partition("/")
    try:
        return str(WorkspaceClient().dbutils.secrets.get(scope, key))
    except (DatabricksError, ValueError) as error:  # the second: there is no workspace to ask
        raise ConfigError(
            f"The secret databricks:{name} cannot be read ({str(error).splitlines()[0]}). "
            f"`databricks secrets put-secret {scope} {key}` sets it; who runs the job needs READ on the scope."
        ) from error


class Lakehouse(Section):
    """Where the Delta tables stand."""

    catalog: str = "spark_catalog"
    db: str = Field(default="default", alias="schema")
    root: str | None = None
    """A folder with one folder a table; none: tables are managed by the catalog."""


class Spark(Section):
    """How a session is opened where none is given."""

    mode: Literal["local", "connect", "ambient"] = "ambient"
    """`local`: this process is the driver; `connect`: a client of `remote`; `ambient`: the session that is there."""
    master: str = "local[2]"
    """Of a driver here: `local[CORES]`, or `spark://HOST:PORT` of a standalone cluster."""
    remote: str | None = None
    packages: tuple[str, ...] = ()
    conf: dict[str, str] = {}


class Source(Section):
    """The landing folder, or a Delta table whose rows are documents."""

    name: str = "docs"
    path: str | None = None
    """A folder, a URI of an object store (`s3://bucket/prefix`), or `table:NAME`."""
    discovery: Literal["listing", "auto-loader"] = "listing"
    """How changes are found: by listing, or as Databricks' Auto Loader tells of arrivals (protected sources alone)."""
    checkpoint: str | None = None
    """A folder for the positions of Auto Loader."""
    key_columns: tuple[str, ...] = ("id",)
    """Of a table: columns that identify a row; their values make its path."""
    text_column: str = "text"
    """Of a table: the column with the text, as Markdown; `title`, `tenant`, `acl_groups` and all others are facts."""
    protected: bool = False
    """Documents without rights of their own are seen by nobody, instead of everybody."""
    ignore: tuple[str, ...] = ()
    """Glob patterns of names that are not documents (`.git`, `*.tmp`)."""
    max_file_bytes: int = Field(default=64 * 2**20, gt=0)
    parse_seconds: float = Field(default=30.0, gt=0)
    """Time to parse one file at most."""
    max_inflated_bytes: int = Field(default=64 * 2**20, gt=0)
    """Length of a packed file when unpacked, at most."""
    max_inflation_ratio: int = Field(default=200, gt=0)
    """Unpacked bytes for one packed byte at most; text packs about 3 to 10 times."""
    text_fields: tuple[str, ...] = ()
    """Of JSON and JSON Lines: fields that are a record's text, dotted where nested; none: all of them, by name."""
    mask: tuple[Literal["EMAIL", "IBAN", "CREDIT_CARD", "IP_ADDRESS", "PHONE"], ...] = ()
    """Kinds of personal data that are replaced by their names before anything is chunked."""
    mask_patterns: dict[str, Pattern] = {}
    """Further personal data: regular expressions by the name that replaces what they find."""


class Duplicates(Section):
    """Documents that say the same: one is indexed, the others are named beside it."""

    threshold: float = Field(default=0.7, ge=0.3, le=1)
    """Jaccard index of runs of three words from which two texts count as the same; 1: only equal texts do."""
    min_words: int = Field(default=30, ge=3)
    """Shorter texts are the same only when they are equal."""


class Chunking(Section):
    """How documents are cut."""

    chunker: str = "structure"
    """`structure`, or `module:factory` of one's own (`gold/choose.py`)."""
    chunk_tokens: int = Field(default=200, gt=8)
    """Word pieces a chunk at most, heading path included, special tokens excluded."""
    overlap_tokens: int = Field(default=0, ge=0)


class Embedder(Section):
    """The sentence-transformers model."""

    model: str = "all-MiniLM-L6-v2"
    """Hub name, folder, or `all-MiniLM-L6-v2` from its Python package."""
    runtime: Literal["onnx", "onnx-int8", "torch"] = "onnx"
    """`torch` is the reference and `onnx` equals it; `onnx-int8` makes an embedding space of its own."""
    batch_tokens: int = Field(default=1024, gt=0)
    """Word pieces a batch, padding included: what a core's cache holds; a GPU wants some 100,000. int8 reads every text
    by itself."""
    threads: int = Field(default=1, ge=0)
    """Threads a worker; 0: as many as there are cores. Spark runs a worker a core, so 1 uses them all."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """For the torch runtime; `auto` takes a GPU where there is one."""
    cache: str | None = None
    """A folder for exported models."""


class Store(Section):
    """The vector store."""

    kind: Literal["milvus", "milvus-lite"] = "milvus"
    uri: str | None = None
    token: SecretReference | None = Field(default=None, repr=False)
    path: str | None = None
    """Folder of a local Milvus Lite server."""
    alias: str = Field(default="lakerag", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
    timeout_s: float = Field(default=30.0, gt=0)
    consistency: Literal["Strong", "Bounded", "Session", "Eventually"] = "Bounded"


class Sync(Section):
    """From gold to the vector store."""

    checkpoint: str
    max_files_per_trigger: int = Field(default=64, gt=0)
    max_bytes_per_trigger: int = Field(default=128 * 2**20, gt=0)
    """Of gold's files in one micro-batch; a single commit of updates may be more."""
    partitions: int = Field(default=2, gt=0)
    """Writers to the store at a time."""
    batch_bytes: int = Field(default=16 * 2**20, gt=0)
    """Size of one upsert request."""
    trigger_interval_s: int = Field(default=10, gt=0)
    """Between two looks at gold in continuous mode."""
    lease_s: int = Field(default=120, gt=0)
    """How long a sync that died elsewhere keeps others from writing."""
    import_path: str | None = None
    """A folder of the vector store's own storage, as Spark names it: first loads go through bulk import."""
    import_prefix: str | None = None
    """The same folder as the store names it, below its bucket; none: as Spark does."""
    import_rows: int = Field(default=1_000_000, gt=0)
    """First loads of fewer rows are upserted."""
    import_timeout_s: int = Field(default=86_400, gt=0)


class Retrieval(Section):
    """What a query brings back."""

    top_k: int = Field(default=5, gt=0, le=1000)
    max_top_k: int = Field(default=100, gt=0, le=1000)
    """What a request may ask for at most."""
    mode: Literal["vector", "keyword", "hybrid"] = "vector"
    max_question_chars: int = Field(default=2000, gt=0)
    max_groups: int = Field(default=256, gt=0)
    """Groups of an asker at most."""
    fields: dict[str, Literal["text", "number", "date", "texts"]] = {}
    """Metadata keys that filters may name, and what they hold."""
    diversity: float = Field(default=0.0, ge=0, lt=1)
    """How much a passage's likeness to better ones counts against it (MMR); 0: not at all."""
    join: Literal["none", "neighbours", "section"] = "none"
    """What is read with a passage: the chunks beside it, those of its whole section, or nothing."""
    join_chars: int = Field(default=1000, gt=0)
    """How far a passage grows to either side."""
    reranker: str | None = None
    """Cross-encoder that orders passages anew: hub name or folder."""
    rerank_candidates: int = Field(default=30, gt=0)
    """Passages that it reads for a question."""


class Template(Section):
    """How a family of models is asked."""

    models: str = "*"
    """Pattern of the model's name without owner or folder, in lower case (`*flan*`)."""
    prompt: str = "question: {question} context: {passages}"
    passage: str = "[{n}] {title}: {text}"


class Generator(Section):
    """Who writes the answer."""

    kind: Literal["extractive", "t5"] = "extractive"
    model: str | None = None
    """T5 family: hub name or folder; `lakerag-t5` is lakerag's own."""
    fallback: Literal["extractive"] | None = None
    """T5 family: who answers what the model abstains on."""
    runtime: Literal["torch", "ctranslate2"] = "torch"
    """T5 family: the reference, or int8 on the CPU, converted once into `cache`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """For the torch runtime; `auto` takes a GPU where there is one."""
    threads: int = Field(default=0, ge=0)
    """Threads a worker; 0: as many as there are cores."""
    batch_tokens: int = Field(default=4096, gt=0)
    """Prompt tokens a batch, padding included."""
    cache: str | None = None
    """A folder for converted models."""
    unanswerable: tuple[str, ...] = ("unanswerable", "no answer", "not answerable")
    """Outputs that say that no passage answers, in any case, a full stop aside."""
    prompt: str | None = None
    """Takes the place of the family's; fields `question`, `passages`."""
    passage: str | None = None
    """The same for each passage; fields `n`, `title`, `heading`, `path`, `text`."""
    templates: tuple[Template, ...] = (Template(),)
    """One a model family; the first that fits the model's name counts."""
    max_new_tokens: int = Field(default=128, gt=0)
    max_prompt_tokens: int = Field(default=512, gt=0)
    num_beams: int = Field(default=1, gt=0)
    max_answer_words: int = Field(default=60, gt=0)
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    """Below it the model abstains."""


class Registry(Section):
    """The MLflow registry."""

    tracking_uri: str
    registry_uri: str | None = None
    experiment: str = "lakerag"
    artifacts: str | None = None
    """Where a local experiment keeps its files."""
    model_name: str = "lakerag"
    champion: str = "champion"


class Answers(Section):
    """Batch answers."""

    questions_per_commit: int = Field(default=1000, gt=0)
    partitions: int = Field(default=2, gt=0)


class Serving(Section):
    """The scoring server."""

    host: str = "127.0.0.1"
    port: int = Field(default=5000, ge=0, le=65535)
    workers: int = Field(default=1, gt=0)
    max_batch: int = Field(default=256, gt=0)
    """Questions of one request at most."""
    max_connections: int = Field(default=64, gt=0)
    """Connections a worker; further ones are answered 503 at once."""
    max_waiting: int = Field(default=64, gt=0)
    """Requests of a worker that wait for the model; further ones are answered 429 at once."""
    trace_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the requests whose steps are written to MLflow as a trace, in the background."""
    start_timeout_s: float = Field(default=120.0, gt=0)


class Evaluation(Section):
    """What is measured before a promotion and on schedule."""

    retrieval: tuple[str, ...] = ()
    qa: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()
    """Files of questions by kind; used where the command line names none."""
    gates: dict[str, float] = {}
    """Least values by metric (`qa.contains`), always with the kind in front; a promotion needs all of them."""
    max_drop: float = Field(default=0.05, gt=0)
    """A metric that falls further below the median of the runs before raises an alarm."""


class Settings(Section):
    """Everything; a function takes the section that it uses, never the whole."""

    env: str
    home: Path
    lakehouse: Lakehouse
    spark: Spark
    source: Source
    duplicates: Duplicates
    chunking: Chunking
    embedder: Embedder
    store: Store
    sync: Sync
    retrieval: Retrieval
    generator: Generator
    registry: Registry
    answers: Answers
    serving: Serving
    evaluation: Evaluation = Evaluation()


def conf_folder() -> Path:
    """Returns the folder of the value files: beside the package when installed, else the checkout's."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def load(
    env: str = "local",
    home: str | Path = ".lakerag",
    overrides: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Reads conf/base.yml and conf/{env}.yml and lays the overrides on top.

    Args:
        env: Name of a file of conf/.
        home: Folder of the local default; stands in for `{home}` in values.
        overrides: `section.key=value` strings, the strongest source.
        environ: The environment; the process's own by default.

    Raises:
        ConfigError: All wrong keys and values at once, each key with the nearest right one.
    """
    folder = conf_folder()
    if not (folder / f"{env}.yml").is_file() or env == "base":
        names = sorted(p.stem for p in folder.glob("*.yml") if p.stem != "base")
        raise ConfigError(f"There is no environment {env!r}. Expected one of: {', '.join(names)}.", env=env)
    values: dict[str, Any] = {}
    for name in ("base", env):
        _merge(values, yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8")) or {})
    for key, text in _environment(os.environ if environ is None else environ):
        _assign(values, key, text)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or key.count(".") != 1:
            raise ConfigError(f"--set {override}: expected section.key=value.", override=override)
        _assign(values, key, text)
    root = Path(home).expanduser().absolute()
    return _validate({**_expand(values, str(root)), "env": env, "home": root})


def dump(settings: Settings) -> dict[str, Any]:
    """Returns settings as plain values; secrets stay references."""
    return settings.model_dump(mode="json", by_alias=True)


def restore(
    values: Mapping[str, Any], sections: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> Settings:
    """Returns dumped settings with the environment on top.

    Args:
        values: What `dump` returned.
        sections: Those that the environment may override.
        environ: The environment; the process's own by default.

    Raises:
        ConfigError: All wrong keys and values at once, each key with the nearest right one.
    """
    laid: dict[str, Any] = {}
    _merge(laid, {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()})
    for key, text in _environment(os.environ if environ is None else environ):
        if key.partition(".")[0] in sections:
            _assign(laid, key, text)
    return _validate(laid)


def _environment(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    pairs = ((name[len(ENV_PREFIX) :], text) for name, text in environ.items() if name.startswith(ENV_PREFIX))
    return [(name.lower().replace("__", ".", 1), text) for name, text in pairs if "__" in name]


def _merge(base: dict[str, Any], top: dict[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _assign(values: dict[str, Any], key: str, text: str) -> None:
    section, _, name = key.partition(".")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    values.setdefault(section, {})[name] = value


def _expand(value: Any, home: str) -> Any:
    if isinstance(value, str):
        return value.replace("{home}", home)
    if isinstance(value, dict):
        return {key: _expand(item, home) for key, item in value.items()}
    return [_expand(item, home) for item in value] if isinstance(value, list) else value


def _validate(values: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors()]
        raise ConfigError("The configuration is wrong:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return f"{where}: {item['msg']}"
    near = difflib.get_close_matches(where, _known_keys(), n=1, cutoff=0.0)
    return f"{where}: no such key; the nearest is {near[0]}"


def _known_keys() -> list[str]:
    keys = []
    for name, field in Settings.model_fields.items():
        keys.append(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            fields = field.annotation.model_fields
            keys += [f"{name}.{fields[key].alias or key}" for key in fields]
    return keys
