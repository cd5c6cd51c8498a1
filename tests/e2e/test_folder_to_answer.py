"""From a landing folder to an answer, through the jobs that the commands are made of."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lakerag import config
from lakerag.jobs.answer import answer_questions
from lakerag.jobs.job import Job
from lakerag.jobs.package import package_model
from lakerag.jobs.pipeline import run_pipeline, source_of
from lakerag.jobs.query import opened
from lakerag.jobs.sql import run_sql
from lakerag.records import Access, Question
from lakerag.tables import ALL_TABLES

PUMP = "# Pump\n\nThe pump moves water through the north pipe all day.\n"
FILES = {
    "pump.md": PUMP,
    "valve.html": "<html><head><title>Valve</title></head><body><h1>Valve</h1>"
    "<p>The valve closes when the pressure reaches 5 bar.</p></body></html>",
    "notes/lamp.txt": "The lamp burns red while the gate stands open.\n",
    "empty.txt": "",
}
ASKING = (
    "SELECT a.answer, a.confidence, a.citations[0].path AS path FROM (SELECT ask('When does the lamp burn red?') AS a)"
)
ASKING_ALL = "SELECT question, a.answer, a.abstained FROM (SELECT question, ask(question) AS a FROM questions)"
SEARCHING = "SELECT p.path, p.score, p.text FROM (SELECT explode(search('water', 3)) AS p)"


def documented_sql() -> list[str]:
    """The statements of docs/asking.md."""
    text = (Path(__file__).parents[2] / "docs" / "asking.md").read_text(encoding="utf-8")
    return re.findall(r"```sql\n(.+?)\n```", text, re.DOTALL)


@pytest.fixture
def job(catalog, tmp_path):
    """A job on a home of its own, with the session of all tests."""
    settings = config.load("local", tmp_path, environ={})
    job = Job(settings, Console(quiet=True))
    job.__dict__["catalog"] = catalog
    with job.closing:
        yield job


def lay_out(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def run(job: Job, landing: Path):
    return run_pipeline(job.again(), source_of(job, str(landing), "docs"))


def versions(job: Job) -> dict[str, int]:
    return {table.name: job.catalog.version(table) for table in ALL_TABLES}


def indexed(job: Job) -> set[str]:
    rows = job.store.scan(job.settings.store.alias, ["path"])
    return {row["path"] for batch in rows for row in batch}


def ask(job: Job, question: str):
    with opened(job) as pipeline:
        return pipeline.answer([Question(question)])[0]


def test_documents_become_answers_and_only_changes_are_worked_on(job, tmp_path):
    landing = lay_out(tmp_path / "landing")
    first = run(job, landing)
    assert first["files"] == {"added": 4, "modified": 0, "deleted": 0}
    assert (first["documents"]["upserted"], first["documents"]["quarantined"]) == (3, 1)
    assert first["chunks"] == {"total": 3, "embedded": 3, "reused": 0, "deleted": 0}
    assert (first["sync"]["upserted"], first["sync"]["deleted"]) == (3, 0)

    before = versions(job)
    again = run(job, landing)
    assert again["chunks"] == {"total": 3, "embedded": 0, "reused": 3, "deleted": 0}
    assert (again["sync"]["upserted"], again["sync"]["deleted"]) == (0, 0)
    assert versions(job) == before

    answer = ask(job, "At which pressure does the valve close?")
    assert "5 bar" in answer.answer
    assert [(c.path, c.title) for c in answer.citations] == [("valve.html", "Valve")]
    assert ask(job, "Who painted the ceiling of the Sistine Chapel?").abstained

    (landing / "pump.md").write_text(PUMP.replace("north", "south"), encoding="utf-8")
    (landing / "notes/lamp.txt").unlink()
    (landing / "horn.md").write_text("# Horn\n\nThe horn sounds twice when a ship leaves.\n", encoding="utf-8")
    changed = run(job, landing)
    assert changed["files"] == {"added": 1, "modified": 1, "deleted": 1}
    assert changed["chunks"] == {"total": 3, "embedded": 2, "reused": 1, "deleted": 2}
    assert (changed["sync"]["upserted"], changed["sync"]["deleted"]) == (2, 2)
    assert indexed(job) == {"pump.md", "valve.html", "horn.md"}
    assert "south pipe" in ask(job, "Through which pipe does the pump move water?").answer

    for path in sorted(landing.rglob("*.*")):
        path.unlink()
    emptied = run(job, landing)
    assert emptied["chunks"]["total"] == 0
    assert indexed(job) == set()
    assert ask(job, "At which pressure does the valve close?").reason == "no indexed documents"


@pytest.mark.long
def test_moved_files_and_changed_rights_reach_the_index_and_embed_nothing(job, tmp_path):
    landing = lay_out(tmp_path / "landing")
    run(job, landing)
    question = "At which pressure does the valve close?"
    (landing / "hall").mkdir()
    (landing / "valve.html").rename(landing / "hall" / "valve.html")
    moved = run(job, landing)
    assert moved["files"] == {"added": 1, "modified": 0, "deleted": 1}
    assert moved["chunks"] == {"total": 3, "embedded": 0, "reused": 3, "deleted": 1}
    assert [citation.path for citation in ask(job, question).citations] == ["hall/valve.html"]

    (landing / "_meta.yml").write_text("acl_groups: [staff]\ntenant: acme\n", encoding="utf-8")
    closed = run(job, landing)
    assert closed["chunks"] == {"total": 3, "embedded": 0, "reused": 3, "deleted": 0}
    assert (closed["sync"]["upserted"], closed["sync"]["deleted"]) == (3, 0)
    assert ask(job, question).abstained
    with opened(job) as pipeline:
        staff = pipeline.answer([Question(question, Access("acme", ("staff",)))])[0]
    assert [citation.path for citation in staff.citations] == ["hall/valve.html"]

    (landing / "_meta.yml").unlink()
    protected = source_of(job, str(landing), "docs").model_copy(update={"protected": True})
    report = run_pipeline(job.again(), protected)
    assert report["chunks"]["embedded"] == 0
    with opened(job) as pipeline:
        assert pipeline.answer([Question(question, Access("acme", ("staff",)))])[0].abstained


def test_registered_model_answers_in_batches_and_in_sql(job, tmp_path):
    run(job, lay_out(tmp_path / "landing"))
    packaged = package_model(job, promotion=True)
    assert packaged["created"]
    questions = tmp_path / "questions.txt"
    questions.write_text("At which pressure does the valve close?\nWhen does the lamp burn red?\n", encoding="utf-8")

    first = answer_questions(job.again(), str(questions))
    assert (first["questions_added"], first["answered"], first["abstained"]) == (2, 2, 0)
    second = answer_questions(job.again(), str(questions))
    assert (second["questions_added"], second["answered"]) == (0, 0)

    rows = run_sql(job, "SELECT question, path, answer FROM answers_by_document ORDER BY path")["rows"]
    assert [(row["question"], row["path"]) for row in rows] == [
        ("When does the lamp burn red?", "notes/lamp.txt"),
        ("At which pressure does the valve close?", "valve.html"),
    ]
    asked = run_sql(job, "SELECT ask('Which way does the water of the pump go?').citations[0].path AS path")["rows"]
    assert asked == [{"path": "pump.md"}]
    found = run_sql(job, "SELECT search('lamp', 1)[0].path AS path")["rows"]
    assert found == [{"path": "notes/lamp.txt"}]
    shown = {example: run_sql(job, example)["rows"] for example in documented_sql()}
    assert [row["path"] for row in shown[ASKING]] == ["notes/lamp.txt"]
    assert {row["question"]: row["abstained"] for row in shown[ASKING_ALL]} == {
        "At which pressure does the valve close?": False,
        "When does the lamp burn red?": False,
    }
    assert shown[SEARCHING][0]["path"] == "pump.md"
    assert {row["stage"] for row in shown["SELECT stage, changed_at, seconds_ago FROM freshness"]} >= {"gold", "index"}

    (tmp_path / "landing/notes/lamp.txt").unlink()
    assert run(job, tmp_path / "landing")["answers"] == {"revoked": 1}
    left = run_sql(job, "SELECT question, reason FROM answers_unanswered")["rows"]
    assert left == [{"question": "When does the lamp burn red?", "reason": "revoked"}]


def test_commands_speak_json_and_say_what_is_wrong(tmp_path):
    def lakerag(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "lakerag", *arguments, "--home", str(tmp_path / "home")]
        return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)

    no_index = lakerag("ask", "Anything?", "--json")
    assert (no_index.returncode, no_index.stdout) == (1, "")
    assert "Run `lakerag run`" in no_index.stderr
    wrong_key = lakerag("run", "--source", str(tmp_path), "--set", "stor.alias=x", "--set", "retrieval.topk=1")
    assert wrong_key.returncode == 2
    assert "nearest is store" in wrong_key.stderr
    assert "nearest is retrieval.top_k" in wrong_key.stderr
    missing = lakerag("run", "--source", str(tmp_path / "nowhere"), "--json")
    assert missing.returncode == 1
    assert "nowhere" in missing.stderr
    assert "Traceback" not in missing.stderr
    done = lakerag("run", "--source", str(lay_out(tmp_path / "landing")), "--json", "--strict")
    assert done.returncode == 3
    assert json.loads(done.stdout)["chunks"]["embedded"] == 3
    found = json.loads(lakerag("search", "red lamp", "--top-k", "1", "--json").stdout)
    assert [passage["path"] for passage in found["passages"]] == ["notes/lamp.txt"]
