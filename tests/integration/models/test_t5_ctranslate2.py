from pathlib import Path
from typing import Literal

import pytest

from lakerag.errors import ModelError
from lakerag.models.tokenizer import read_tokenizer
from tests.integration.models.tiny import TEXT, save_t5

pytest.importorskip("ctranslate2", reason="the extra `t5` is not installed")

TEXTS = [f"question: version context: [1] {TEXT}", "question: rows", "question: the fox context: [1] lazy dog"]


@pytest.mark.parametrize("layout", ["t5-base", "flan-t5"])
def test_float32_conversion_writes_what_torch_writes(tmp_path: Path, layout: Literal["t5-base", "flan-t5"]) -> None:
    from lakerag.models.t5_ctranslate2 import CTranslate2Writer, converted_t5
    from lakerag.models.t5_torch import TorchWriter

    folder = save_t5(tmp_path / layout, layout)
    rows = [read_tokenizer(folder / "tokenizer.json").encode(text).ids for text in TEXTS]
    converted = converted_t5(folder, layout, str(tmp_path / "cache"), "float32")
    found = CTranslate2Writer(folder, converted, 64, threads=2)(rows, 12)
    expected = TorchWriter(folder, 64, device="cpu")(rows, 12)
    assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
    # The weights are drawn so large that rounding shows in the probabilities.
    assert [c for _, c in found] == pytest.approx([c for _, c in expected], abs=0.05)


def test_a_damaged_conversion_says_what_to_delete(tmp_path: Path) -> None:
    from lakerag.models.t5_ctranslate2 import CTranslate2Writer

    folder = save_t5(tmp_path / "t5", "t5-base")
    (tmp_path / "converted").mkdir()
    with pytest.raises(ModelError, match=r"Expected a converted model in .* Delete the folder"):
        CTranslate2Writer(folder, tmp_path / "converted", 64)
