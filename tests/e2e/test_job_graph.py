"""The bundle's jobs, task by task with the bundle's own parameters, on local Delta and a real Milvus server."""

import json
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from lakerag import cli, config
from lakerag.answers.questions import add_questions, asked_in_file
from lakerag.catalog import Catalog
from lakerag.errors import TaskFailedError
from lakerag.gold import build as gold
from lakerag.jobs import job as jobs_job
from lakerag.stores import connect
from lakerag.tables import (
    ALL_TABLES,
    ANSWERS,
    BRONZE_FILES,
    GOLD_CHUNKS,
    GOLD_EMBEDDINGS,
    GOLD_STAGED,
    OPS_QUALITY,
    OPS_RUNS,
    OPS_SYNC,
    SILVER_DOCUMENTS,
)
from tests.unit.bundles.bundle import assembled

TARGET = "dev"
VOLUMES = "/Volumes/lakerag_dev/rag"
UNITY = "functions"
"""The only command that needs Unity Catalog: `ai_query` and functions of a schema are Databricks' own."""

PUMP = "# Pump\n\nThe pump moves water through the north pipe all day.\n"
LAMP = "The lamp burns red while the gate stands open.\n"
KNOWN = '{"query": "When does the lamp burn red?", "relevant": ["lamp.txt"]}\n'


class Workspace:
    """Runs jobs as Databricks does: tasks in the order of their dependencies, failed ones again."""

    def __init__(self, jobs, folder, patch, printed):
        self.jobs, self._folder, self._patch, self._printed = jobs, folder, patch, printed
        self.attempts = Counter()
        self.results = {}
        """What each successful task printed, by `JOB.TASK`."""

    def run(self, name, run_id):
        """Returns how each task of a job ended."""
        ended = {}
        for task in in_order(self.jobs[name]["tasks"]):
            needs = {need["task_key"]: need.get("outcome", "success") for need in task.get("depends_on", [])}
            if all(ended[key] == outcome for key, outcome in needs.items()) or task.get("run_if") == "ALL_DONE":
                ended[task["task_key"]] = self._task(name, task, run_id)
            else:
                ended[task["task_key"]] = "skipped"
        return ended

    def _task(self, name, task, run_id):
        if "condition_task" in task:
            asked = task["condition_task"]
            assert asked["op"] == "EQUAL_TO"
            return str(asked["left"] == asked["right"]).lower()
        if "run_job_task" in task:
            other = task["run_job_task"]["job_id"].removeprefix("id of resources.jobs.")
            return "failed" if "failed" in self.run(other, run_id).values() else "success"
        parameters = task["python_wheel_task"]["parameters"]
        if parameters[0] == UNITY:
            return "skipped"
        for count in range(1, task.get("max_retries", 0) + 2):
            self.attempts[f"{name}.{task['task_key']}"] += 1
            filled = {"job.run_id": run_id, "task.name": task["task_key"], "task.execution_count": str(count)}
            self._patch.setattr(sys, "argv", ["task", *(self._here(value, filled) for value in parameters)])
            try:
                cli.task()
            except TaskFailedError:
                self._printed()
            else:
                self.results[f"{name}.{task['task_key']}"] = json.loads(self._printed().out)
                return "success"
        return "failed"

    def _here(self, parameter, filled):
        for name, value in filled.items():
            parameter = parameter.replace("{{" + name + "}}", value)
        assert "{{" not in parameter
        return parameter.replace(VOLUMES, str(self._folder))


def in_order(tasks):
    left, done = list(tasks), set()
    while left:
        task = next(task for task in left if {need["task_key"] for need in task.get("depends_on", [])} <= done)
        left.remove(task)
        done.add(task["task_key"])
        yield task


@pytest.fixture
def workspace(spark, few_tasks, milvus_address, embedder, tmp_path, monkeypatch, capsys):
    """The jobs of the target, its names leading to folders, a registry and a Milvus server of this machine."""
    here = {
        "LAKEHOUSE__CATALOG": "spark_catalog",
        "LAKEHOUSE__SCHEMA": "default",
        "LAKEHOUSE__ROOT": f"{tmp_path}/warehouse",
        "LAKEHOUSE__DELETION_VECTORS": "false",
        "SOURCE__PATH": f"{tmp_path}/landing",
        "EMBEDDER__CACHE": embedder.cache,
        "STORE__URI": milvus_address.uri,
        "STORE__TOKEN": "null",
        "STORE__ALIAS": "graph",
        "STORE__CONSISTENCY": "Strong",
        "SYNC__CHECKPOINT": f"{tmp_path}/checkpoints",
        "REGISTRY__TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "REGISTRY__REGISTRY_URI": "null",
        "REGISTRY__ARTIFACTS": f"{tmp_path}/artifacts",
    }
    for name, value in here.items():
        monkeypatch.setenv(f"LAKERAG_{name}", value)
    for name, text in (("landing/pump.md", PUMP), ("landing/lamp.txt", LAMP), ("evaluation/retrieval.jsonl", KNOWN)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    yield Workspace(assembled(TARGET, tmp_path)["jobs"], tmp_path, monkeypatch, capsys.readouterr)
    place = Catalog(spark, config.Lakehouse(root=str(tmp_path / "warehouse")))
    for table in (*ALL_TABLES, GOLD_STAGED):
        spark.sql(f"DROP TABLE IF EXISTS {place.ref(table)}")


@pytest.fixture
def lakehouse(spark, tmp_path):
    return Catalog(spark, config.Lakehouse(root=str(tmp_path / "warehouse")))


def column(lakehouse, table, name):
    return sorted(row[name] for row in lakehouse.read(table).select(name).collect())


def index(address):
    return sorted(row["path"] for rows in connect(address).scan("graph", ["path"]) for row in rows)


def failing_once(work):
    """Work whose first call fails."""
    calls = Counter()

    def fails_then_works(*args, **kwargs):
        calls["all"] += 1
        if calls["all"] == 1:
            raise OSError("the node went away")
        return work(*args, **kwargs)

    return fails_then_works


def interrupted(_):
    raise KeyboardInterrupt


@pytest.mark.long
def test_the_jobs_of_the_bundle_do_their_work_once_however_often_they_run(
    workspace, lakehouse, milvus_address, tmp_path, monkeypatch
):
    # A continuous job is stopped from outside, here when it waits for the first time.
    monkeypatch.setattr(jobs_job, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupted))

    # First the tables, then a run whose first attempt dies between silver and gold: the second one goes on.
    assert workspace.run("upgrade", "1") == {"migrate": "success", "functions": "skipped"}
    assert workspace.results["upgrade.migrate"]["statements"] == []
    with monkeypatch.context() as fault:
        fault.setattr(gold, "build", failing_once(gold.build))
        assert workspace.run("ingest", "2") == {"tables": "success", "syncs_here": "true", "sync": "success"}
    assert workspace.attempts["ingest.tables"] == 2
    assert workspace.results["ingest.tables"]["files"] == {"added": 0, "modified": 0, "deleted": 0}
    assert workspace.results["ingest.tables"]["chunks"]["embedded"] == 2
    assert column(lakehouse, GOLD_CHUNKS, "path") == index(milvus_address) == ["lamp.txt", "pump.md"]
    runs = {(row["run_id"], row["stage"]) for row in lakehouse.read(OPS_RUNS).collect()}
    assert runs == {("2.tables.1", "bronze"), ("2.tables.1", "silver"), ("2.tables.2", "gold"), ("2.sync.1", "sync")}
    assert column(lakehouse, OPS_SYNC, "run_id") == ["2.sync.1"]

    # A model, asked by the batch and measured.
    assert workspace.run("package", "3") == {"package": "success"}
    packaged = workspace.results["package.package"]
    assert (packaged["created"], packaged["promoted"]) == (True, True)
    assert packaged["metrics"]["evaluation.retrieval.vector.recall@5"] == 1.0
    questions = tmp_path / "questions.txt"
    questions.write_text("Through which pipe does the pump move water?\n", encoding="utf-8")
    add_questions(lakehouse, asked_in_file(lakehouse.spark, questions), now=datetime.now(timezone.utc))
    assert workspace.run("answers", "4") == {"answer": "success"}
    [answer] = lakehouse.read(ANSWERS).collect()
    assert (answer["run_id"], answer["abstained"]) == ("4.answer.1", False)
    assert "north pipe" in answer["answer"]
    assert workspace.run("quality", "5") == {"evaluate": "success"}
    measured = lakehouse.read(OPS_QUALITY).where("metric = 'vector.recall@1'").collect()
    assert [(row["run_id"], row["value"]) for row in measured] == [("5.evaluate.1", 1.0)]

    # A deletion, which raises no file event; then everything again, with nothing to do.
    (tmp_path / "landing" / "lamp.txt").unlink()
    night = {"ingest": "success", "reconcile": "success", "maintain": "success"}
    assert workspace.run("nightly", "6") == night
    assert column(lakehouse, GOLD_CHUNKS, "path") == index(milvus_address) == ["pump.md"]
    assert {table["kept_hours"] for table in workspace.results["nightly.maintain"]["tables"].values()} == {168}
    data = (BRONZE_FILES, SILVER_DOCUMENTS, GOLD_CHUNKS, GOLD_EMBEDDINGS, ANSWERS)
    before = {table.name: lakehouse.version(table) for table in data}
    for name, ended in (
        ("upgrade", {"migrate": "success", "functions": "skipped"}),
        ("ingest", {"tables": "success", "syncs_here": "true", "sync": "success"}),
        ("sync", {"sync": "success"}),
        ("answers", {"answer": "success"}),
    ):
        assert workspace.run(name, "7") == ended
    assert {table.name: lakehouse.version(table) for table in data} == before
    assert workspace.results["answers.answer"]["answered"] == 0
    assert not [run for run in column(lakehouse, OPS_RUNS, "run_id") if run.startswith("7.")]
    passed = lakehouse.read(OPS_SYNC).where("run_id LIKE '7.%'").collect()  # what maintain compacted holds no change
    assert [(row["kind"], row["upserted"], row["deleted"]) for row in passed] == [("pass", 0, 0)]


@pytest.mark.parametrize(
    ("name", "value"), [("STORE__TOKEN", "env:NO_SUCH_TOKEN"), ("SOURCE__PATH", "/Volumes/nowhere/rag/landing")]
)
def test_a_task_with_a_wrong_setting_fails_every_time_and_writes_nothing(workspace, monkeypatch, tmp_path, name, value):
    monkeypatch.setenv(f"LAKERAG_{name}", value)
    assert workspace.run("ingest", "1") == {"tables": "failed", "syncs_here": "skipped", "sync": "skipped"}
    assert workspace.attempts == {"ingest.tables": 3}
    assert not (tmp_path / "warehouse").exists()
