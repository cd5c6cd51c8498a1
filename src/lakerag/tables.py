"""The contract of every Delta table and of the vector collection.

Names, types, keys and properties stand here and nowhere else. Stages end in a `select`
of a contract's columns; `catalog.py` creates the tables, `stores/` the collection.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its Spark SQL type and what it means."""

    name: str
    type: str
    comment: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table's contract.

    `key` names the columns that identify a row (its grain); Delta does not enforce it,
    the stage that writes the table does.
    """

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...]
    constraints: dict[str, str] = field(default_factory=dict)
    """Hard expectations by name: conditions that Delta holds every row to; a commit that breaks one is refused."""
    expectations: dict[str, str] = field(default_factory=dict)
    """Soft expectations by name: conditions whose breaches are counted in `ops_runs` after a stage has written."""
    properties: dict[str, str] = field(default_factory=dict)
    version: int = 1
    """Of the layout; one more with every change, so that a table made by a newer lakerag is left alone."""

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def schema(self) -> str:
        """Returns the columns as a Spark DDL string."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)


_CHANGE_FEED = {"delta.enableChangeDataFeed": "true"}

_RIGHTS = (
    Column("tenant", "STRING", "Tenant that the row belongs to; empty: shared by all"),
    Column("acl_groups", "ARRAY<STRING>", "Groups that may see the row; `*`: everybody; empty: nobody"),
)

ROW_MIME = "application/vnd.lakerag.row+json"
"""Media type of a bronze row that was a row of a table: JSON with `text` and `facts`."""
TOO_LARGE = "too_large"
"""Reason why a file is no document: it was longer than `source.max_file_bytes`, and bronze has its hash alone."""

BRONZE_FILES = Table(
    name="bronze_files",
    comment="One arrival of one file version; append-only history of the landing folder with the raw bytes",
    key=("source", "path", "content_sha256", "arrival"),
    columns=(
        Column("source", "STRING", "Name of the source"),
        Column("path", "STRING", "Path below the source's root, exact, `/` between parts"),
        Column("content_sha256", "STRING", "SHA-256 of the raw bytes; of the last known ones for a deletion"),
        Column("op", "STRING", "added, modified or deleted"),
        Column("arrived_at", "TIMESTAMP", "When the run that brought it began"),
        Column("arrival", "STRING", "Id of the run that brought it"),
        Column("size_bytes", "BIGINT", "Length of the raw bytes"),
        Column("modified_ns", "BIGINT", "Modification time of the file, nanoseconds since 1970"),
        Column("mime", "STRING", "Media type guessed from the name"),
        Column("content", "BINARY", "The raw bytes; none for a deletion or a file over the size limit", required=False),
    ),
    cluster_by=("source", "path"),
    constraints={"known_op": "op IN ('added', 'modified', 'deleted')", "sized": "size_bytes >= 0"},
    expectations={"readable": "content_sha256 <> ''"},
)

SILVER_DOCUMENTS = Table(
    name="silver_documents",
    comment="One live document: clean text, title, language, metadata and rights",
    key=("doc_id",),
    columns=(
        Column("doc_id", "STRING", "Hash of source and path"),
        Column("source", "STRING", "Name of the source"),
        Column("path", "STRING", "Path below the source's root, exact"),
        Column("content_sha256", "STRING", "SHA-256 of the raw bytes that this row was made from"),
        Column("title", "STRING", "Title from the document, else from its name"),
        Column("text", "STRING", "Clean text as Markdown; character spans count in it"),
        Column("language", "STRING", "ISO 639-1 code; `und` where it cannot be told"),
        Column("metadata", "MAP<STRING, STRING>", "Declared facts about the document (front matter)"),
        *_RIGHTS,
        Column("content_hash", "STRING", "SHA-256 of the clean text"),
        Column("page_starts", "ARRAY<INT>", "Where pages begin in the text, first page first; empty: it has none"),
        Column("duplicate_group", "STRING", "doc_id that stands for its near-duplicates", required=False),
        Column("alternates", "ARRAY<STRING>", "Paths of the documents that this one stands for", required=False),
        Column("quality_flags", "ARRAY<STRING>", "What cleaning did or saw (replaced_bytes, ...)"),
        Column(
            "refused_rows",
            "ARRAY<STRUCT<line: INT, reason: STRING, detail: STRING>>",
            "Rows of the file that are not part of the text, one by one",
            required=False,
        ),
        Column("recipe", "STRING", "Version of parsing and cleaning; another one parses anew"),
        Column("document_hash", "STRING", "Hash of everything that chunks inherit; guards merges"),
        Column("arrived_at", "TIMESTAMP", "When the raw bytes arrived"),
    ),
    cluster_by=("doc_id",),
    constraints={"has_text": "length(trim(text)) > 0"},
    expectations={
        "known_language": "language <> 'und'",
        "whole_text": "NOT exists(quality_flags, flag -> flag LIKE 'replaced_bytes:%')",
        "whole_table": "coalesce(size(refused_rows), 0) <= 0",
        "readable_facts": "NOT exists(quality_flags, flag -> flag IN ('bad_front_matter', 'bad_sidecar'))",
        "visible": "size(acl_groups) > 0",
    },
    properties=_CHANGE_FEED,
)

SILVER_QUARANTINE = Table(
    name="silver_quarantine",
    comment="One live file version that could not become a document, with the reason and what to do",
    key=("source", "path", "content_sha256"),
    columns=(
        Column("source", "STRING", "Name of the source"),
        Column("path", "STRING", "Path below the source's root, exact"),
        Column("content_sha256", "STRING", "SHA-256 of the raw bytes; they stand in bronze_files"),
        Column("reason", "STRING", "Stable reason code (empty, binary, corrupt, ...)"),
        Column("detail", "STRING", "What was found"),
        Column("advice", "STRING", "What to do about it"),
        Column("recipe", "STRING", "Version of parsing and cleaning that refused it"),
        Column("arrived_at", "TIMESTAMP", "When the raw bytes arrived"),
        Column("quarantined_at", "TIMESTAMP", "When it was refused"),
    ),
    cluster_by=("source", "path"),
    properties=_CHANGE_FEED,
)

SILVER_SIGNATURES = Table(
    name="silver_signatures",
    comment="One text of documents, as near-duplicates are found by it",
    key=("content_hash", "recipe"),
    columns=(
        Column("content_hash", "STRING", "SHA-256 of the clean text"),
        Column("recipe", "STRING", "Version and settings of signing; another one signs anew"),
        Column("signature", "BINARY", "MinHash: 128 uint32; none for a text too short to compare", required=False),
        Column("buckets", "ARRAY<BIGINT>", "One number a band; texts that share one are compared"),
        Column("compared", "BOOLEAN", "Whether its pairs stand in silver_similar"),
        Column("signed_at", "TIMESTAMP", "When it was signed"),
    ),
    cluster_by=("content_hash",),
)

SILVER_SIMILAR = Table(
    name="silver_similar",
    comment="One pair of texts that share a band of their signatures, with their similarity",
    key=("content_hash", "similar_hash"),
    columns=(
        Column("content_hash", "STRING", "SHA-256 of the text that comes first by its hash"),
        Column("similar_hash", "STRING", "SHA-256 of the other text"),
        Column("jaccard", "DOUBLE", "Estimated Jaccard index of their runs of three words"),
        Column("recipe", "STRING", "Version and settings of signing"),
    ),
    cluster_by=("content_hash",),
    constraints={"in_order": "content_hash < similar_hash", "share": "jaccard BETWEEN 0 AND 1"},
)

GOLD_EMBEDDINGS = Table(
    name="gold_embeddings",
    comment="One embedded text in one embedding space; text that is here is never embedded again",
    key=("embedding_space", "text_hash"),
    columns=(
        Column("text_hash", "STRING", "SHA-256 of the text as the embedder reads it"),
        Column("embedding_space", "STRING", "Model, revision, pooling, normalisation, dimension"),
        Column("embedding", "ARRAY<FLOAT>", "The vector"),
        Column("embedded_at", "TIMESTAMP", "When it was computed"),
    ),
    cluster_by=("embedding_space", "text_hash"),
)

GOLD_CHUNKS = Table(
    name="gold_chunks",
    comment="One live chunk with its embedding; its change data feed drives the vector store",
    key=("chunk_id",),
    columns=(
        Column("chunk_id", "STRING", "Hash of doc_id, heading path, text and occurrence"),
        Column("doc_id", "STRING", "Document that the chunk is part of"),
        Column("source", "STRING", "Name of the source"),
        Column("path", "STRING", "Path of the document"),
        Column("title", "STRING", "Title of the document"),
        Column("ordinal", "INT", "Place among the document's chunks, from 0"),
        Column("text", "STRING", "The chunk: text[start_char:end_char] of the document"),
        Column("heading_path", "STRING", "Headings above the chunk, outermost first, joined by ` > `"),
        Column("start_char", "INT", "First character in the silver text"),
        Column("end_char", "INT", "One past the last character"),
        Column("page", "INT", "Page that it stands on, from 1; 0: the document has no pages"),
        Column("token_count", "INT", "Word pieces of the embedded text, special tokens excluded"),
        Column("text_hash", "STRING", "SHA-256 of the text as the embedder reads it"),
        Column("embedding", "ARRAY<FLOAT>", "The vector"),
        Column("embedding_space", "STRING", "Model, revision, pooling, normalisation, dimension"),
        Column("language", "STRING", "Inherited from the document"),
        Column("metadata", "MAP<STRING, STRING>", "Inherited from the document"),
        Column("alternates", "ARRAY<STRING>", "Paths of other documents that say the same, the first of them"),
        *_RIGHTS,
        Column("document_hash", "STRING", "document_hash of the silver row that it was cut from"),
        Column("recipe", "STRING", "Version of chunking and embedding; another one cuts anew"),
        Column("fingerprint", "STRING", "Hash of everything that the vector store holds of the row"),
    ),
    cluster_by=("doc_id",),
    constraints={"span": "end_char > start_char", "has_text": "length(text) > 0", "page": "page >= 0"},
    expectations={"more_than_a_heading": "token_count >= 8"},
    properties=_CHANGE_FEED,
)

GOLD_STAGED = replace(
    GOLD_CHUNKS,
    name="gold_chunks_staged",
    comment="gold_chunks as they will be once a rebuild has switched to another embedder; empty between rebuilds",
    properties={},
)

OPS_RUNS = Table(
    name="ops_runs",
    comment="One stage of one run that changed something",
    key=("run_id", "stage"),
    columns=(
        Column("run_id", "STRING", "Id shared by the stages of one run"),
        Column("stage", "STRING", "bronze, silver, gold, sync, answers, ..."),
        Column("started_at", "TIMESTAMP", "When the stage began"),
        Column("seconds", "DOUBLE", "How long it took"),
        Column("counts", "MAP<STRING, BIGINT>", "Rows in and out, by name"),
        Column("version", "BIGINT", "Version of the table that it wrote", required=False),
    ),
    cluster_by=("run_id",),
)

OPS_SOURCES = Table(
    name="ops_sources",
    comment="How far a table that is a source was read",
    key=("source",),
    columns=(
        Column("source", "STRING", "Name of the source"),
        Column("table_id", "STRING", "Delta's id of the table; a recreated one has another"),
        Column("version", "BIGINT", "Last version that stands in bronze"),
        Column("columns", "STRING", "JSON: key_columns and text_column by which it was read"),
        Column("read_at", "TIMESTAMP", "When the run that read it began"),
    ),
    cluster_by=("source",),
)

OPS_SYNC = Table(
    name="ops_sync",
    comment="One batch of changes applied to the vector store",
    key=("run_id", "batch_id"),
    columns=(
        Column("run_id", "STRING", "Run that applied it"),
        Column("batch_id", "BIGINT", "Number of the micro-batch in its checkpoint"),
        Column("collection", "STRING", "Collection that was written"),
        Column("table_id", "STRING", "Delta's id of the gold_chunks that was read; a recreated table has another"),
        Column("embedding_space", "STRING", "Embedding space of the collection"),
        Column("from_version", "BIGINT", "First version of gold_chunks in the batch"),
        Column("to_version", "BIGINT", "Last version of gold_chunks in the batch"),
        Column("upserted", "BIGINT", "Rows written"),
        Column("deleted", "BIGINT", "Rows removed"),
        Column("skipped", "BIGINT", "Rows whose content was the same before and after"),
        Column("seconds", "DOUBLE", "How long it took"),
        Column("applied_at", "TIMESTAMP", "When the store had acknowledged it"),
        Column("refused", "BIGINT", "Rows that no store can hold; they stand in sync_quarantine", required=False),
        Column(
            "kind",
            "STRING",
            "stream, pass (versions without rows to write), heal (a comparison), "
            "switch (the alias is about to move to it), overlap (another process may have written to it meanwhile)",
            required=False,
        ),
        Column("note", "STRING", "Why a comparison was needed, or which command switches", required=False),
    ),
    cluster_by=("applied_at",),
)

SYNC_QUARANTINE = Table(
    name="sync_quarantine",
    comment="One row of gold_chunks that a sync could not write to the vector store, with the reason; append-only",
    key=("run_id", "collection", "chunk_id", "version"),
    columns=(
        Column("run_id", "STRING", "Run that met it"),
        Column("collection", "STRING", "Collection that it is not in"),
        Column("chunk_id", "STRING", "Key of the row in gold_chunks"),
        Column("reason", "STRING", "Field and what is wrong with it"),
        Column("version", "BIGINT", "Version of gold_chunks that brought it"),
        Column("at", "TIMESTAMP", "When it was refused"),
    ),
    cluster_by=("chunk_id",),
)

OPS_LEASES = Table(
    name="ops_leases",
    comment="One collection alias that a sync may write to, and who does",
    key=("name",),
    columns=(
        Column("name", "STRING", "Alias of the vector store"),
        Column("holder", "STRING", "Run that writes; empty: none"),
        Column("machine", "STRING", "Where it runs"),
        Column("process", "BIGINT", "Its process id there"),
        Column("expires_at", "TIMESTAMP", "When another may take over, unless it is renewed"),
    ),
    cluster_by=("name",),
)

QUESTIONS = Table(
    name="questions",
    comment="One question to be answered, with the rights of its asker",
    key=("question_id",),
    columns=(
        Column("question_id", "STRING", "Hash of question, rights, filter and top_k, unless the caller gave one"),
        Column("question", "STRING", "The question"),
        Column("tenant", "STRING", "Tenant of the asker; empty: none"),
        Column("acl_groups", "ARRAY<STRING>", "Groups of the asker"),
        Column("top_k", "INT", "Passages to retrieve; none: the model's default", required=False),
        Column("filter", "STRING", "Metadata filter; empty: none"),
        Column("asked_at", "TIMESTAMP", "When it was added"),
    ),
    cluster_by=("question_id",),
    constraints={"has_question": "length(trim(question)) > 0"},
    properties=_CHANGE_FEED,
)

ANSWERS = Table(
    name="answers",
    comment="One answer to one question by one model version",
    key=("answer_id",),
    columns=(
        Column("answer_id", "STRING", "Hash of question_id and model version"),
        Column("question_id", "STRING", "The question"),
        Column("question", "STRING", "Its text"),
        Column("answer", "STRING", "The answer; empty when abstained"),
        Column("abstained", "BOOLEAN", "Whether the model found nothing that answers"),
        Column("reason", "STRING", "Why it abstained; empty otherwise"),
        Column("confidence", "DOUBLE", "Probability that the answer is right, 0 to 1"),
        Column("generator", "STRING", "Generator that wrote it"),
        Column("model_version", "STRING", "Name and version of the registered model"),
        Column("prompt_tokens", "INT", "Tokens that the generator read"),
        Column("latency_ms", "DOUBLE", "Time in the model"),
        Column("answered_at", "TIMESTAMP", "When the run that answered began"),
        Column("run_id", "STRING", "That run"),
        Column("revoked", "BOOLEAN", "Whether a cited document is gone, or hidden from the asker", required=False),
    ),
    cluster_by=("question_id",),
    constraints={"probability": "confidence BETWEEN 0 AND 1"},
    properties=_CHANGE_FEED,
)

ANSWER_CITATIONS = Table(
    name="answer_citations",
    comment="One place in a document that one answer rests on",
    key=("answer_id", "n"),
    columns=(
        Column("answer_id", "STRING", "The answer"),
        Column("n", "INT", "Number of the citation in the answer, from 1"),
        Column("chunk_id", "STRING", "Cited chunk"),
        Column("doc_id", "STRING", "Its document"),
        Column("path", "STRING", "Path of the document"),
        Column("title", "STRING", "Title of the document"),
        Column("heading", "STRING", "Headings above the chunk"),
        Column("excerpt", "STRING", "The cited words"),
        Column("start_char", "INT", "First character of the excerpt in the silver text"),
        Column("end_char", "INT", "One past its last character"),
        Column("score", "DOUBLE", "Retrieval score of the chunk"),
        Column("page", "INT", "Page of the excerpt, from 1; 0: the document has no pages", required=False),
        Column("alternates", "ARRAY<STRING>", "Paths of other documents that say the same", required=False),
    ),
    cluster_by=("answer_id",),
)

OPS_QUALITY = Table(
    name="ops_quality",
    comment="One metric of one recorded evaluation",
    key=("run_id", "kind", "metric"),
    columns=(
        Column("run_id", "STRING", "Run that measured"),
        Column("measured_at", "TIMESTAMP", "When it began"),
        Column("kind", "STRING", "retrieval, qa or spans"),
        Column("metric", "STRING", "Name, as `evaluate --json` nests it: hybrid.recall@5"),
        Column("value", "DOUBLE", "What was found; none: nothing counts towards it", required=False),
        Column("reference", "DOUBLE", "Median of the runs before on the same set; none: the first", required=False),
        Column("alarm", "BOOLEAN", "Whether it fell further below the reference than evaluation.max_drop"),
        Column("dataset_sha256", "STRING", "SHA-256 of the set's files"),
        Column("collection", "STRING", "Collection that was searched"),
        Column("embedding_space", "STRING", "Its embedding space"),
    ),
    cluster_by=("measured_at",),
)

ALL_TABLES = (
    BRONZE_FILES,
    SILVER_DOCUMENTS,
    SILVER_QUARANTINE,
    SILVER_SIGNATURES,
    SILVER_SIMILAR,
    GOLD_EMBEDDINGS,
    GOLD_CHUNKS,
    OPS_RUNS,
    OPS_SOURCES,
    OPS_SYNC,
    SYNC_QUARANTINE,
    OPS_LEASES,
    OPS_QUALITY,
    QUESTIONS,
    ANSWERS,
    ANSWER_CITATIONS,
)

MAX_TEXT_BYTES = 65_535
"""Milvus' limit of a VARCHAR, in UTF-8 bytes."""


@dataclass(frozen=True, slots=True)
class IndexField:
    """A scalar field of the vector collection and the gold column that it comes from."""

    name: str
    kind: str
    """`text`, `int`, `texts` (an array of text) or `map` (text to text)."""
    column: str
    max_bytes: int = 0
    """UTF-8 bytes of a text at most."""


INDEX_KEY = "chunk_id"
INDEX_VECTOR = "embedding"
INDEX_SPACE = "embedding_space"
"""Column of gold that says what the vector means; a collection holds vectors of one."""

INDEX_FIELDS = (
    IndexField("chunk_id", "text", "chunk_id", 64),
    IndexField("doc_id", "text", "doc_id", 64),
    IndexField("source", "text", "source", 512),
    IndexField("path", "text", "path", 8_192),
    IndexField("title", "text", "title", 8_192),
    IndexField("heading", "text", "heading_path", 8_192),
    IndexField("text", "text", "text", MAX_TEXT_BYTES),
    IndexField("start", "int", "start_char"),
    IndexField("end", "int", "end_char"),
    IndexField("page", "int", "page"),
    IndexField("lang", "text", "language", 16),
    IndexField("metadata", "map", "metadata", MAX_TEXT_BYTES),
    IndexField("alternates", "texts", "alternates", 8_192),
    IndexField("tenant", "text", "tenant", 512),
    IndexField("acl_groups", "texts", "acl_groups", 512),
    IndexField("fingerprint", "text", "fingerprint", 64),
)
"""What the collection holds of a gold row, besides its vector."""
