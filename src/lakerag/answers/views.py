"""SQL views over questions, answers and citations."""

from lakerag.catalog import Catalog, quoted
from lakerag.tables import ANSWER_CITATIONS, ANSWERS, QUESTIONS

CURRENT = """
SELECT * EXCEPT (place) FROM (
  SELECT a.*, row_number() OVER (PARTITION BY question_id ORDER BY answered_at DESC, answer_id) AS place
  FROM {answers} a
) WHERE place = 1"""

UNANSWERED = """
SELECT q.question_id, q.question, q.tenant, q.asked_at, a.model_version, a.confidence,
  coalesce(a.reason, 'not asked yet') AS reason
FROM {questions} q LEFT JOIN {answers_current} a ON q.question_id = a.question_id
WHERE a.answer_id IS NULL OR a.abstained"""

BY_DOCUMENT = """
SELECT c.doc_id, c.path, c.title, c.n, c.excerpt, c.score, a.answer_id, a.question_id, a.question, a.answer,
  a.confidence, a.model_version, a.answered_at
FROM {citations} c JOIN {answers_current} a ON c.answer_id = a.answer_id"""

VIEWS = {
    "answers_current": ("The latest answer to every question; question_id", CURRENT),
    "answers_unanswered": ("Questions without an answer: not asked yet, or abstained; question_id", UNANSWERED),
    "answers_by_document": ("Current answers by the documents that they cite; answer_id and n", BY_DOCUMENT),
}
"""Comment and body by name, in an order in which they can be created."""


def create_views(catalog: Catalog) -> None:
    """Creates or replaces the views beside the tables."""
    place = [quoted(part) for part in (catalog.place.catalog, catalog.place.db)]
    names = {name: ".".join((*place, quoted(name))) for name in VIEWS}
    tables = {"answers": ANSWERS, "questions": QUESTIONS, "citations": ANSWER_CITATIONS}
    refs = {**names, **{key: catalog.ref(table) for key, table in tables.items()}}
    for name, (comment, body) in VIEWS.items():
        catalog.spark.sql(f"CREATE OR REPLACE VIEW {names[name]} COMMENT '{comment}' AS {body.format(**refs)}")
