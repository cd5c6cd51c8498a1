import pytest

from lakerag import config
from lakerag.errors import ModelError
from lakerag.models import load_embedder
from lakerag.models.device import prompt_tokens
from lakerag.models.t5 import load_t5


def test_a_gpu_is_not_asked_of_a_runtime_without_one() -> None:
    with pytest.raises(ModelError, match=r"Set embedder\.runtime to torch"):
        load_embedder(config.Embedder(runtime="onnx", device="cuda"))
    with pytest.raises(ModelError, match=r"Set generator\.runtime to torch"):
        load_t5(config.Generator(kind="t5", model="google/flan-t5-base", runtime="ctranslate2", device="cuda"))


@pytest.mark.parametrize(("gpu", "expected"), [(True, 32_768), (False, 1024)])
def test_batches_are_larger_on_a_gpu_unless_they_are_set(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, expected: int
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)

    assert prompt_tokens(config.Generator()) == expected
    assert prompt_tokens(config.Generator(runtime="ctranslate2")) == 1024
    assert prompt_tokens(config.Generator(batch_tokens=7)) == 7
