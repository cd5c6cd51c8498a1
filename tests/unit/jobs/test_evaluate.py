"""What `lakerag evaluate` takes, prints and exits with."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from lakerag.jobs import evaluate
from lakerag.records import Access
from tests.fakes.evaluation import ScriptedPipeline, answer_of, passage_of

FILES = {
    "retrieval": '{"query": "one", "relevant": ["a.md"]}',
    "qa": '{"question": "one", "answers": ["red"]}',
    "absent": '{"question": "two", "answers": [], "is_impossible": true}',
    "spans": '{"question": "one", "corpus": "a", "references": [{"text": "xxxx", "start": 2, "end": 6}]}',
}
SHA = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in FILES.items()}


class Store:
    def scan(self, name, fields, batch_rows=1000):
        assert name == "lakerag"
        row = {"path": "a.md", "start": 0, "end": 10, "text": "x" * 10}
        yield [{field: row[field] for field in fields}]


@pytest.fixture
def pipeline():
    passages = {(mode, "one"): [passage_of(path)] for mode, path in (("vector", "a.md"), ("keyword", "b.md"))}
    return ScriptedPipeline(passages, {"one": answer_of("red"), "two": answer_of(abstained=True)})


@pytest.fixture
def run(monkeypatch, tmp_path, pipeline):
    """Runs the command with sets given by the names of FILES, over a pipeline that knows question one."""
    for name, content in FILES.items():
        (tmp_path / f"{name}.jsonl").write_text(content)
    monkeypatch.setattr(evaluate, "_open", lambda job: (Store(), pipeline))

    def call(*options):
        named = [str(tmp_path / f"{option}.jsonl") if option in FILES else option for option in options]
        return CliRunner().invoke(evaluate.main, ["--home", str(tmp_path), "--set", "retrieval.mode=vector", *named])

    return call


def test_one_retrieval_set_gives_its_modes_at_the_top(run):
    result = run("--json", "--retrieval", "retrieval")
    assert result.exit_code == 0, result.stderr
    ones = dict.fromkeys(("recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10"), 1.0)
    zeros = dict.fromkeys(ones, 0.0)
    assert json.loads(result.stdout) == {
        "vector": ones,
        "keyword": zeros,
        "hybrid": zeros,
        "queries": 1,
        "sha256": SHA["retrieval"],
    }


def test_answer_sets_are_one_set_together(run):
    result = run("--json", "--qa", "qa", "--qa", "absent")
    assert json.loads(result.stdout) == {
        "em": 1.0,
        "f1": 1.0,
        "contains": 1.0,
        "citation_precision": 0.0,
        "abstention": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "false_refusal": 0.0},
        "answerable": 1,
        "unanswerable": 1,
        "latency_ms": {"p50": 1.0, "p95": 1.0},
        "generator": "scripted",
        "mode": "vector",
        "top_k": 5,
        "batch_questions": 3,
        "sha256": hashlib.sha256((FILES["qa"] + FILES["absent"]).encode()).hexdigest(),
    }


def test_one_span_set_gives_its_metrics_at_the_top(run):
    found = json.loads(run("--json", "--spans", "spans").stdout)
    assert {name: found[name] for name in ("span_recall@5", "span_precision@5", "span_iou@5")} == {
        "span_recall@5": 1.0,
        "span_precision@5": 0.4,
        "span_iou@5": 0.4,
    }
    assert (found["boundary_integrity"], found["mean_chunk_chars"]) == (1.0, 10)
    assert found["by_corpus"]["a"]["span_recall@5"] == 1.0
    assert found["keyword"]["span_recall@5"] == 0.0


def test_several_kinds_of_sets_give_a_document_each(run):
    result = run("--json", "--retrieval", "retrieval", "--qa", "qa", "--spans", "spans", "--min", "qa.em=1")
    found = json.loads(result.stdout)
    assert sorted(found) == ["gates", "qa", "retrieval", "spans"]
    assert (found["retrieval"]["queries"], found["qa"]["em"], found["spans"]["questions"]) == (1, 1.0, 1)
    assert found["gates"] == [{"metric": "qa.em", "min": 1.0, "found": 1.0, "passed": True}]


def test_documents_are_ranked_over_as_many_passages_as_a_request_may_have(run, pipeline):
    run("--json", "--retrieval", "retrieval", "--set", "retrieval.max_top_k=40")
    assert {q.top_k for call in pipeline.calls for q in call if q.question == "one"} == {40}
    pipeline.calls.clear()
    run("--json", "--retrieval", "retrieval", "--set", "retrieval.max_top_k=400")
    assert {q.top_k for call in pipeline.calls for q in call if q.question == "one"} == {100}


def test_questions_carry_the_rights_and_the_mode_that_were_given(run, pipeline):
    run("--json", "--qa", "qa", "--groups", "staff, ops", "--tenant", "acme", "--mode", "hybrid")
    [[question]] = pipeline.calls
    assert question.access == Access("acme", ("staff", "ops"))
    assert question.mode == "hybrid"


def test_a_missed_gate_exits_with_4_and_is_named(run):
    result = run("--quiet", "--retrieval", "retrieval", "--min", "vector.mrr@10=1", "--min", "hybrid.mrr@10=0.5")
    assert result.exit_code == 4
    shown = " ".join(result.stdout.split())
    assert "gate reached: vector.mrr@10 is 1.000" in shown
    assert "gate missed: hybrid.mrr@10 is 0.000, at least 0.5" in shown
    assert run("--json", "--retrieval", "retrieval", "--min", "keyword.recall@1=0.1").exit_code == 4
    assert run("--json", "--retrieval", "retrieval", "--min", "vector.recall@1=1").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Give --retrieval FILE, --qa FILE or --spans FILE"),
        (("--retrieval", "retrieval", "--min", "em=0.5"), "no metric 'em' here"),
        (("--retrieval", "retrieval", "--qa", "qa", "--min", "em=0.5"), "the nearest is qa.em"),
        (("--retrieval", "qa"), "qa.jsonl, line 1: expected a list under 'relevant'"),
    ],
)
def test_wrong_use_exits_with_2_before_anything_is_asked(run, pipeline, options, message):
    result = run("--quiet", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert pipeline.calls == []


def test_people_get_a_table_a_set(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("--quiet", "--retrieval", "retrieval", "--qa", "qa", "--spans", "spans").stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "recall@1 recall@5 recall@10 mrr@10 ndcg@10" in lines
    assert "vector 1.000 1.000 1.000 1.000 1.000" in lines
    assert "a 1.000 0.400 0.400 1.000 10 1" in lines
    assert "abstention - - - 0.000" in lines
    assert any(line.startswith("qa em 1.000, f1 1.000") for line in lines)
