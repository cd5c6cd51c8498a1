"""SQL views over questions, answers, citations, quality, freshness and rows in quarantine."""

from lakerag.catalog import Catalog, quoted
from lakerag.tables import (
    ANSWER_CITATIONS,
    ANSWERS,
    BRONZE_FILES,
    OPS_QUALITY,
    OPS_RUNS,
    OPS_SYNC,
    QUESTIONS,
    SILVER_DOCUMENTS,
)

CURRENT = """
SELECT * EXCEPT (place) FROM (
  SELECT a.*, row_number() OVER (PARTITION BY question_id ORDER BY answered_at DESC, answer_id) AS place
  FROM {answers} a
) WHERE place = 1 AND NOT coalesce(revoked, false)"""

UNANSWERED = """
SELECT q.question_id, q.question, q.tenant, q.asked_at, a.model_version, a.confidence,
  CASE WHEN a.answer_id IS NOT NULL THEN a.reason WHEN r.question_id IS NOT NULL THEN 'revoked'
    ELSE 'not asked yet' END AS reason
FROM {questions} q LEFT JOIN {answers_current} a ON q.question_id = a.question_id
LEFT JOIN (SELECT DISTINCT question_id FROM {answers} WHERE revoked) r ON q.question_id = r.question_id
WHERE a.answer_id IS NULL OR a.abstained"""

BY_DOCUMENT = """
SELECT c.doc_id, c.path, c.title, c.n, c.excerpt, c.score, a.answer_id, a.question_id, a.question, a.answer,
  a.confidence, a.model_version, a.answered_at
FROM {citations} c JOIN {answers_current} a ON c.answer_id = a.answer_id"""

QUALITY = """
SELECT measured_at, kind, metric, value, reference, alarm, dataset_sha256, collection, embedding_space, run_id
FROM {quality}"""

FRESHNESS = """
SELECT stage, changed_at, round(unix_timestamp(current_timestamp()) - unix_timestamp(changed_at)) AS seconds_ago
FROM (
  SELECT 'bronze' AS stage, max(arrived_at) AS changed_at FROM {files}
  UNION ALL SELECT 'silver', max(started_at) FROM {runs} WHERE stage = 'silver'
  UNION ALL SELECT 'gold', max(started_at) FROM {runs} WHERE stage = 'gold'
  UNION ALL SELECT 'index', max(applied_at) FROM {synced}
  UNION ALL SELECT 'answers', max(answered_at) FROM {answers}
  UNION ALL SELECT 'evaluation', max(measured_at) FROM {quality}
)"""

REFUSED_ROWS = """
SELECT source, path, content_sha256, line, reason, detail, arrived_at FROM (
  SELECT source, path, content_sha256, arrived_at, inline(refused_rows) FROM {documents}
)"""

VIEWS = {
    "silver_quarantine_rows": ("Rows left out of documents, with the reason; source, path, line", REFUSED_ROWS),
    "answers_current": ("The latest answer to every question, unless it is revoked; question_id", CURRENT),
    "answers_unanswered": ("Questions without an answer: not asked yet, abstained, revoked; question_id", UNANSWERED),
    "answers_by_document": ("Current answers by the documents that they cite; answer_id and n", BY_DOCUMENT),
    "retrieval_quality": ("Recorded evaluations over time; run_id, kind and metric", QUALITY),
    "freshness": ("When each stage last changed something; stage", FRESHNESS),
}
"""Comment and body by name, in an order in which they can be created."""


def create_views(catalog: Catalog) -> None:
    """Creates or replaces the views beside the tables."""
    place = [quoted(part) for part in (catalog.place.catalog, catalog.place.db)]
    names = {name: ".".join((*place, quoted(name))) for name in VIEWS}
    tables = {
        **{"answers": ANSWERS, "questions": QUESTIONS, "citations": ANSWER_CITATIONS},
        **{"quality": OPS_QUALITY, "runs": OPS_RUNS, "files": BRONZE_FILES, "synced": OPS_SYNC},
        "documents": SILVER_DOCUMENTS,
    }
    refs = {**names, **{key: catalog.ref(table) for key, table in tables.items()}}
    for name, (comment, body) in VIEWS.items():
        catalog.spark.sql(f"CREATE OR REPLACE VIEW {names[name]} COMMENT '{comment}' AS {body.format(**refs)}")
