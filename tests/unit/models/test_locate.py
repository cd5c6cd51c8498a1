from pathlib import Path

import pytest

from lakerag.errors import ModelError
from lakerag.models.locate import locate, read_json, require, revision


def test_an_existing_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert locate(str(tmp_path)) == tmp_path


def test_a_path_that_does_not_exist_is_not_taken_for_a_hub_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Expected a model folder at '.*missing', found none"):
        locate(str(tmp_path / "missing"))
    with pytest.raises(ModelError, match=r"Expected a model folder at '\./missing'"):
        locate("./missing")


def test_our_own_t5_is_never_looked_for_in_a_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lakerag.models.locate.OWN_FOLDER", tmp_path / "model")
    with pytest.raises(ModelError, match=r"Expected the weights of lakerag-t5 in .* built without them"):
        locate("lakerag-t5")
    (tmp_path / "model").mkdir()
    assert locate("lakerag-t5") == tmp_path / "model"


def test_a_hub_name_without_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"Expected the model 'owner/nothing' .* copy the model here"):
        locate("owner/nothing")


def test_revision_follows_weights_and_tokenizer_and_not_the_place(tmp_path: Path) -> None:
    revisions = []
    for name, weights, words in (("a", b"w", "t"), ("b", b"w", "t"), ("c", b"x", "t"), ("d", b"w", "u")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weights)
        (tmp_path / name / "tokenizer.json").write_text(words)
        (tmp_path / name / "README.md").write_text(name)
        revisions.append(revision(tmp_path / name))
    assert revisions[0] == revisions[1]
    assert len(set(revisions)) == 3
    assert len(revisions[0]) == 64


def test_a_folder_without_weights_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"Expected weights \(\*\.safetensors\)"):
        revision(tmp_path)


def test_all_missing_files_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json, tokenizer\.json missing"):
        require(tmp_path, ("config.json", "tokenizer.json"))


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_json_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        read_json(tmp_path / "config.json")
