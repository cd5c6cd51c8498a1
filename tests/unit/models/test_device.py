import pytest

from lakerag import config
from lakerag.errors import ModelError
from lakerag.models import load_embedder
from lakerag.models.t5 import load_t5


def test_a_gpu_is_not_asked_of_a_runtime_without_one() -> None:
    with pytest.raises(ModelError, match=r"Set embedder\.runtime to torch"):
        load_embedder(config.Embedder(runtime="onnx", device="cuda"))
    with pytest.raises(ModelError, match=r"Set generator\.runtime to torch"):
        load_t5(config.Generator(kind="t5", model="google/flan-t5-base", runtime="ctranslate2", device="cuda"))
