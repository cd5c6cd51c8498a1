"""The main job on a Spark standalone cluster and a real Milvus server, in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif("LAKERAG_TEST_CLUSTER" not in os.environ, reason="takes minutes: make test-cluster")
def test_a_cluster_whose_executors_share_nothing_with_the_driver_but_paths_runs_the_whole_job(tmp_path, milvus_address):
    command = [sys.executable, "-m", "benchmarks.cluster", "--store", milvus_address.uri, "demo", "--documents", "12"]
    command += ["--json", "--set", "store.alias=cluster"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}  # where the cluster stands
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    runs = result["runs"]
    assert runs["first"]["files"] == {"added": 12, "modified": 0, "deleted": 0}
    assert runs["first"]["chunks"]["embedded"] == runs["first"]["sync"]["upserted"] > 0
    assert (runs["nothing new"]["chunks"]["embedded"], runs["nothing new"]["sync"]["upserted"]) == (0, 0)
    assert runs["three changes"]["files"] == {"added": 1, "modified": 1, "deleted": 1}
    assert result["batch"]["answered"] == len(result["answers"])
    approved = next(answer for answer in result["answers"] if answer["question"].startswith("Who approves"))
    assert {citation["path"] for citation in approved["citations"]} == {"team/embedding-models.md"}
    workers = [line for line in done.stderr.splitlines() if line.endswith(" tasks")]
    assert len(workers) == 2
    assert all(int(line.split()[-2]) > 0 for line in workers), workers
    there = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
    assert not [process for process in there if str(tmp_path) in str(process)]
