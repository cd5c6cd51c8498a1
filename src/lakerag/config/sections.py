"""Every setting: its type, unit, limits and default; frozen, and read from nowhere but `loading.py`."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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


class Lakehouse(Section):
    """Where the Delta tables stand."""

    catalog: str = "spark_catalog"
    db: str = Field(default="default", alias="schema")
    root: str | None = None
    """A folder with one folder a table; none: tables are managed by the catalog."""
    deletion_vectors: bool = True
    """Whether new tables with a change feed mark changed rows instead of writing their whole data files anew.
    Each scan costs a job more for it, which little data does not win back."""


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
    batch_tokens: int | None = Field(default=None, gt=0)
    """Word pieces a batch, padding included; none: 1,024 on a CPU, what a core's cache holds, and 131,072 on a GPU.
    int8 reads every text by itself."""
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
    batch_tokens: int | None = Field(default=None, gt=0)
    """Prompt tokens a batch, padding included; none: 1,024 on a CPU, 32,768 on a GPU."""
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


class ModelSettings(Section):
    """What answers, and where: all that a packaged model reads, and so all that is packaged with it."""

    embedder: Embedder
    store: Store
    retrieval: Retrieval
    generator: Generator
    registry: Registry
    serving: Serving


class Settings(ModelSettings):
    """Everything; a function takes the section that it uses, never the whole."""

    env: str
    home: Path
    lakehouse: Lakehouse
    spark: Spark
    source: Source
    duplicates: Duplicates
    chunking: Chunking
    sync: Sync
    answers: Answers
    evaluation: Evaluation = Evaluation()
