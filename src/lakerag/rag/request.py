"""What a caller sends, as questions: every field checked, wrong names answered with the nearest right one."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from lakerag.config import Retrieval
from lakerag.errors import UsageError
from lakerag.records import Access, Question

FIELDS = ("question", "task", "top_k", "groups", "tenant", "filter", "mode")
"""Fields of a request's record; all but `question` may be left out or be null."""

TASKS = ("ask", "search")
"""What may be wanted: the answer, or the passages alone."""

MODES: tuple[str, ...] = get_args(Retrieval.model_fields["mode"].annotation)


def read_questions(records: Sequence[Any], defaults: Retrieval, params: Mapping[str, Any]) -> list[Question]:
    """Returns the questions of a request, in its order.

    Args:
        records: Texts, or mappings with the fields of `FIELDS`.
        defaults: What holds where a record says nothing.
        params: `top_k` and `mode` for the whole request; a record's own values win.

    Raises:
        UsageError: A record that is no question, with its place in the request.
    """
    if not records:
        raise UsageError("Expected at least one question, found none.")
    common = {name: params.get(name) for name in ("top_k", "mode")}
    questions = []
    for place, record in enumerate(records):
        fields = {"question": record} if isinstance(record, str) else record
        try:
            questions.append(_read_question(fields, defaults, common))
        except UsageError as error:
            raise UsageError(f"Question {place + 1} of {len(records)}: {error}", place=place, **error.details) from None
    return questions


def task_of(record: Any) -> str:
    """Returns what a record wants, one of `TASKS`.

    Raises:
        UsageError: It is none of them.
    """
    task = (record.get("task") if isinstance(record, Mapping) else None) or TASKS[0]
    if task not in TASKS:
        raise UsageError(f"Expected a task out of {', '.join(TASKS)}, found {task!r}.", task=task)
    return str(task)


def check_question(question: Question, limits: Retrieval) -> None:
    """Checks a question against the limits.

    Raises:
        UsageError: It is empty, too long or no text, or asks for too many passages or an unknown mode.
    """
    if not question.question.strip():
        raise UsageError("The question is empty. Ask something.")
    texts = (question.question, question.filter, question.access.tenant, *question.access.groups)
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        raise UsageError("The request holds a lone surrogate, which is no character. Remove it.")
    if len(question.question) > limits.max_question_chars:
        raise UsageError(
            f"Expected a question of at most {limits.max_question_chars} characters, "
            f"found {len(question.question)}. Shorten it, or raise retrieval.max_question_chars.",
            chars=len(question.question),
        )
    if len(question.access.groups) > limits.max_groups:
        raise UsageError(
            f"Expected at most {limits.max_groups} groups, found {len(question.access.groups)}. "
            "Name those that matter, or raise retrieval.max_groups.",
            groups=len(question.access.groups),
        )
    if not 1 <= question.top_k <= limits.max_top_k:
        raise UsageError(
            f"Expected top_k between 1 and {limits.max_top_k}, found {question.top_k}.", top_k=question.top_k
        )
    if question.mode not in MODES:
        raise UsageError(f"Expected a mode out of {', '.join(MODES)}, found {question.mode!r}.", mode=question.mode)


def _read_question(record: Any, defaults: Retrieval, common: Mapping[str, Any]) -> Question:
    if not isinstance(record, Mapping):
        raise UsageError(f"expected a text or a record with the field question, found {type(record).__name__}.")
    _check_names(record)
    given = {name: value for name, value in record.items() if value is not None}
    if "question" not in given:
        raise UsageError("expected the field question, found none.")
    fallback = {"top_k": defaults.top_k, "mode": defaults.mode}
    values = {**fallback, **{name: value for name, value in common.items() if value is not None}, **given}
    question = Question(
        question=_text(values, "question"),
        access=Access(tenant=_text(values, "tenant"), groups=_texts(values, "groups")),
        top_k=_whole(values, "top_k"),
        mode=_text(values, "mode"),
        filter=_text(values, "filter"),
    )
    check_question(question, defaults)
    return question


def _check_names(record: Mapping[Any, Any]) -> None:
    """Refuses unknown fields: a misspelled `groups` must not pass as no groups."""
    for name in record:
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name), FIELDS, n=1, cutoff=0.0)[0]
            raise UsageError(f"there is no field {name!r}; the nearest is {near}.", field=name)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"expected a text in the field {name}, found {value!r}.", field=name)
    return value


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name, ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"expected a list of texts in the field {name}, found {value!r}.", field=name)
    return tuple(value)


def _whole(values: Mapping[str, Any], name: str) -> int:
    value = values[name]
    # A data frame with gaps carries whole numbers as floats.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1 != 0:
        raise UsageError(f"expected a whole number in the field {name}, found {value!r}.", field=name)
    return int(value)
