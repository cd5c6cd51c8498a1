import re
import subprocess
import sys
from pathlib import Path

import pytest

from lakerag.jobs.demo_corpus import DEMO_QUESTIONS, second_act, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    assert write_corpus(folder, 300) == 300
    return folder


def read(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_three_hundred_documents_of_three_kinds_are_written(corpus: Path) -> None:
    suffixes = [Path(name).suffix for name in read(corpus)]
    assert len(suffixes) == 300
    assert set(suffixes) == {".md", ".html", ".txt"}


def test_every_source_has_a_share_of_a_small_corpus(tmp_path: Path) -> None:
    assert write_corpus(tmp_path, 12) == 12
    folders = {Path(name).parent.as_posix() for name in read(tmp_path)}
    assert folders == {"python", "spark/functions", "spark/dataframe", "delta", "milvus", "mlflow"}


def test_jars_and_folders_before_the_installed_packages_do_not_hide_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "path" / "delta").mkdir(parents=True)
    (tmp_path / "path" / "delta" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    write_corpus(tmp_path / "corpus", 12)
    assert "delta" in {Path(name).parent.as_posix() for name in read(tmp_path / "corpus")}


def test_the_same_packages_give_the_same_files(tmp_path: Path) -> None:
    write_corpus(tmp_path / "a", 30)
    write_corpus(tmp_path / "b", 30)
    assert read(tmp_path / "a") == read(tmp_path / "b")


@pytest.mark.parametrize(
    ("question", "path", "answer"),
    [
        (DEMO_QUESTIONS[0], "python/with-statement.md", "then `__exit__()` will always be"),
        (DEMO_QUESTIONS[1], "spark/functions/array_contains.md", "indicating whether the array\ncontains the given"),
        (DEMO_QUESTIONS[2], "delta/DeltaTable.vacuum.md", "default retention period of 168 hours (7 days)"),
        (DEMO_QUESTIONS[3], "delta/DeltaTable.restoreToVersion.md", "Restore the DeltaTable to an older version"),
        (
            DEMO_QUESTIONS[4],
            "mlflow/log_params.html",
            "If no run is active",
        ),
    ],
)
def test_the_corpus_holds_the_answer(corpus: Path, question: str, path: str, answer: str) -> None:
    assert answer in read(corpus)[path], question


def test_no_markup_of_the_docstrings_is_left(corpus: Path) -> None:
    for name, text in read(corpus).items():
        prose = re.sub(r"```.*?```|<pre>.*?</pre>", "", text, flags=re.DOTALL)
        assert not re.search(r":(class|func|meth|py:\w+):`|^\.\. \w+::|^>>> ", prose, re.MULTILINE), name


def test_every_document_has_a_title(corpus: Path) -> None:
    for name, text in read(corpus).items():
        pattern = {".md": r"# \S", ".html": r"<!doctype html>\n<html><head><title>\S", ".txt": r"\S"}[
            name[name.rindex(".") :]
        ]
        assert re.match(pattern, text), name


def test_code_in_html_is_escaped(corpus: Path) -> None:
    assert "&quot;" in "".join(read(corpus / "spark" / "dataframe").values())
    for text in read(corpus / "spark" / "dataframe").values():
        assert text.count("<body>") == 1
        assert "<script" not in text


def test_second_act_adds_changes_and_deletes_one_document(corpus: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path, 60)
    before = read(tmp_path)
    added, changed, deleted = (path.relative_to(tmp_path).as_posix() for path in second_act(tmp_path))
    after = read(tmp_path)
    assert set(after) - set(before) == {added}
    assert set(before) - set(after) == {deleted}
    assert {name for name in before if name in after and before[name] != after[name]} == {changed}
    assert "approved by the search team's lead" in after[added]


def test_second_act_changes_a_single_paragraph(tmp_path: Path) -> None:
    write_corpus(tmp_path, 60)
    before = read(tmp_path)
    _, changed, _ = second_act(tmp_path)
    old = before[changed.relative_to(tmp_path).as_posix()].split("\n\n")
    new = changed.read_text(encoding="utf-8").split("\n\n")
    assert [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b] == [1]


def test_the_documented_packages_are_not_imported() -> None:
    code = (
        "import sys, tempfile, pathlib\n"
        "from lakerag.jobs.demo_corpus import write_corpus\n"
        "write_corpus(pathlib.Path(tempfile.mkdtemp()), 6)\n"
        "print([name for name in ('pyspark', 'delta', 'mlflow', 'pymilvus') if name in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[]"
