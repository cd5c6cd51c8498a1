"""A pipeline that answers from a script, and answers to score."""

from collections.abc import Mapping, Sequence

from lakerag.errors import UsageError
from lakerag.records import Answer, Citation, Passage, Question


def citation_of(excerpt: str, n: int = 1) -> Citation:
    return Citation(n, "chunk", "doc", "a.md", "", "", excerpt, 0, len(excerpt), 0.5)


def answer_of(text: str = "", *citations: Citation, abstained: bool = False, total_ms: float = 1.0) -> Answer:
    reason = "nothing answers" if abstained else ""
    return Answer("q", text, abstained, reason, 0.5, citations, "scripted", "1", 0, 0, {"total": total_ms})


def passage_of(path: str, start: int = 0, end: int = 10) -> Passage:
    return Passage(f"{path}:{start}", path, path, "", "", "x" * (end - start), start, end, 0.5)


class ScriptedPipeline:
    """Gives the passages scripted by mode and question, and the answers scripted by question. Keeps its calls."""

    max_batch = 3

    def __init__(
        self,
        passages: Mapping[tuple[str, str], Sequence[Passage]] = {},
        answers: Mapping[str, Answer] = {},
        modes: Sequence[str] = ("vector", "keyword", "hybrid"),
    ) -> None:
        self._passages = passages
        self._answers = answers
        self._modes = modes
        self.calls: list[list[Question]] = []

    def search(self, questions: Sequence[Question]) -> list[list[Passage]]:
        self._take(questions)
        return [list(self._passages.get((q.mode, q.question), ()))[: q.top_k] for q in questions]

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        self._take(questions)
        return [self._answers[q.question] for q in questions]

    def _take(self, questions: Sequence[Question]) -> None:
        self.calls.append(list(questions))
        if not 1 <= len(questions) <= self.max_batch:
            raise UsageError(f"{len(questions)} questions at a time")
        for question in questions:
            if question.mode not in self._modes:
                raise UsageError(f"The mode {question.mode} needs BM25.")
