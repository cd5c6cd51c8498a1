"""What the readers of evaluation sets take and refuse."""

import hashlib
import json

import pytest

from lakerag.errors import SourceError, UsageError
from lakerag.evaluation.datasets import (
    QaCase,
    Reference,
    RetrievalCase,
    SpanCase,
    fingerprint,
    read_qa,
    read_retrieval,
    read_spans,
)


@pytest.fixture
def file(tmp_path):
    def write(content, name="set.jsonl"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_queries_with_their_documents(file):
    content = (
        '{"query": "q", "relevant": ["a.md", "b/c.md", "a.md"], "id": 7}\n\n{"query": "\u2028r", "relevant": ["d"]}\n'
    )
    assert read_retrieval(file("\ufeff" + content)) == [
        RetrievalCase("q", frozenset({"a.md", "b/c.md"})),
        RetrievalCase("\u2028r", frozenset({"d"})),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "expected one JSON object"),
        ("[1]", "expected a JSON object, found [1]"),
        ('{"relevant": ["a"]}', "expected a text under 'query', found null"),
        ('{"query": " ", "relevant": ["a"]}', "expected a text under 'query'"),
        ('{"query": "q"}', "expected a list under 'relevant', found null"),
        ('{"query": "q", "relevant": "a"}', "expected a list under 'relevant', found a"),
        ('{"query": "q", "relevant": []}', "expected a list with at least one path under 'relevant', found []"),
        ('{"query": "q", "relevant": [1]}', "expected a list with at least one path under 'relevant', found [1]"),
    ],
)
def test_a_wrong_query_is_named_by_its_line(file, line, message):
    with pytest.raises(UsageError) as error:
        read_retrieval(file('{"query": "q", "relevant": ["a"]}\n\n' + line))
    assert str(error.value).startswith(f"set.jsonl, line 3: {message}")


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Towers",
            "paragraphs": [
                {
                    "context": "It is 96 m high.",
                    "qas": [
                        {"question": "How high?", "answers": [{"text": "96 m", "answer_start": 6}], "id": "1"},
                        {"question": "Who?", "answers": [], "is_impossible": True, "plausible_answers": []},
                    ],
                }
            ],
        }
    ],
}


@pytest.mark.parametrize("indent", [None, 1])
def test_a_squad_file_gives_paragraphs_too(file, indent):
    assert read_qa(file(json.dumps(SQUAD, indent=indent), "dev.json")) == [
        QaCase("How high?", ("96 m",), "It is 96 m high."),
        QaCase("Who?", (), "It is 96 m high."),
    ]


@pytest.mark.parametrize("name", ["set.jsonl", "set.json"])
def test_questions_one_a_line(file, name):
    content = (
        '{"question": "a?", "answers": ["x", "y"], "is_impossible": false, "source": "s"}\n'
        '{"question": "b?", "answers": ["x"], "is_impossible": true}\n'
        '{"question": "c?"}\n'
    )
    assert read_qa(file(content, name)) == [QaCase("a?", ("x", "y")), QaCase("b?", ()), QaCase("c?", ())]
    assert read_qa(file('{"question": "a?", "answers": ["x"]}', name)) == [QaCase("a?", ("x",))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"answers": ["x"]}', "expected a text under 'question'"),
        ('{"question": "q", "answers": "x"}', "expected a list under 'answers', found x"),
        ('{"question": "q", "answers": [1]}', "expected texts under 'answers', found [1]"),
        ('{"question": "q", "answers": [], "is_impossible": false}', "expected an answer, or is_impossible true"),
        ('{"question": "q", "answers": ["x"], "is_impossible": "no"}', "expected true or false under 'is_impossible'"),
    ],
)
def test_a_wrong_question_is_named_by_its_line(file, line, message):
    with pytest.raises(UsageError) as error:
        read_qa(file('{"question": "q"}\n' + line))
    assert str(error.value).startswith(f"set.jsonl, line 2: {message}")


def test_a_wrong_squad_record_is_named_by_its_place(file):
    wrong = json.loads(json.dumps(SQUAD))
    wrong["data"][0]["paragraphs"][0]["qas"][1]["question"] = None
    with pytest.raises(UsageError, match=r"^dev\.json, data\[0\], paragraphs\[0\], qas\[1\]: expected a text"):
        read_qa(file(json.dumps(wrong), "dev.json"))


def test_broken_squad_json_is_named_by_its_line(file):
    with pytest.raises(UsageError, match=r"^dev\.json, line 2: expected JSON"):
        read_qa(file('{"data":\n [}', "dev.json"))


def test_a_squad_file_without_questions_is_refused(file):
    with pytest.raises(UsageError, match=r"^dev\.json: expected at least one question"):
        read_qa(file('{"data": []}', "dev.json"))


def test_questions_with_their_spans(file):
    content = '{"question": "q", "corpus": "sea", "references": [{"text": "ab", "start": 0, "end": 2}]}'
    assert read_spans(file(content)) == [SpanCase("q", "sea", (Reference("ab", 0, 2),))]


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ("[]", "line 1: expected at least one reference"),
        ("[3]", "line 1, references[0]: expected a JSON object, found 3"),
        ('[{"text": "a", "start": 2, "end": 2}]', "line 1, references[0]: expected 0 <= start < end"),
        ('[{"text": "a", "start": -1, "end": 2}]', "line 1, references[0]: expected 0 <= start < end"),
        ('[{"text": "a", "start": true, "end": 2}]', "line 1, references[0]: expected a whole number under 'start'"),
        ('[{"text": "a", "start": 0}]', "line 1, references[0]: expected a whole number under 'end', found null"),
        ('[{"start": 0, "end": 1}]', "line 1, references[0]: expected a text under 'text'"),
    ],
)
def test_a_wrong_span_is_named_by_its_place(file, references, message):
    with pytest.raises(UsageError) as error:
        read_spans(file(f'{{"question": "q", "corpus": "c", "references": {references}}}'))
    assert str(error.value).startswith(f"set.jsonl, {message}")


@pytest.mark.parametrize("read", [read_retrieval, read_qa, read_spans])
def test_an_empty_file_is_refused(file, read):
    with pytest.raises(UsageError, match="expected at least one question, found an empty file"):
        read(file("\n \n"))


@pytest.mark.parametrize("read", [read_retrieval, read_qa, read_spans])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(SourceError, match=r"no\.jsonl cannot be read \(No such file or directory\)"):
        read(tmp_path / "no.jsonl")


def test_another_encoding_is_refused(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_bytes(b'{"query": "\xe9"}')
    with pytest.raises(UsageError, match=r"^set\.jsonl: expected UTF-8, found another byte at 11"):
        read_retrieval(path)


def test_the_fingerprint_is_that_of_all_bytes(file):
    first, second = file("ab", "1"), file("c", "2")
    assert fingerprint(first, second) == hashlib.sha256(b"abc").hexdigest()
