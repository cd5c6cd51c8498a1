from pathlib import Path

import pytest

from lakerag.errors import ModelError
from lakerag.rag.artifacts import check_files, hash_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "embedder").mkdir()
    (tmp_path / "embedder" / "config.json").write_text("{}")
    (tmp_path / "weights").write_bytes(b"abc")
    return tmp_path


def test_every_file_is_hashed_by_its_path(folder: Path) -> None:
    assert hash_files(folder) == {
        "embedder/config.json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "weights": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


def test_unchanged_folder_passes(folder: Path) -> None:
    check_files(folder, hash_files(folder))


def test_missing_changed_and_added_files_are_all_named(folder: Path) -> None:
    recorded = hash_files(folder)
    (folder / "weights").unlink()
    (folder / "embedder" / "config.json").write_text("{ }")
    (folder / "added").write_text("")
    with pytest.raises(ModelError, match=r"as they were packaged; added, embedder/config\.json, weights differ"):
        check_files(folder, recorded)
