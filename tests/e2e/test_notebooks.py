import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_quick_start_runs_and_answers(tmp_path):
    command = [sys.executable, str(NOTEBOOKS / "01_quick_start.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 files added" in done.stdout
    assert "The pump is oiled every 30 days" in done.stdout
    assert "No answer:" in done.stdout
