"""The distributions that a packaged model needs, pinned to what is installed here; no network is asked."""

from importlib.metadata import version

from lakerag.config import Settings

COMMON = (
    "grpcio",
    "huggingface-hub",
    "lark",
    "mlflow",
    "numpy",
    "pandas",
    "protobuf",
    "pydantic",
    "pymilvus",
    "pyyaml",
    "tenacity",
    "tokenizers",
)
RUNTIME = {
    "onnx": ("onnxruntime",),
    "onnx-int8": ("onnxruntime",),
    "torch": ("safetensors", "sentence-transformers", "torch", "transformers"),
}
GENERATOR = {"torch": ("safetensors", "torch", "transformers"), "ctranslate2": ("ctranslate2",)}
RERANKER = ("safetensors", "torch", "transformers")
STORE = {"milvus": (), "milvus-lite": ("milvus-lite",)}


def requirements(settings: Settings) -> list[str]:
    """Returns `name==version` of everything that the settings make the model import, sorted."""
    names = {
        *COMMON,
        *RUNTIME[settings.embedder.runtime],
        *(GENERATOR[settings.generator.runtime] if settings.generator.kind == "t5" else ()),
        *(RERANKER if settings.retrieval.reranker is not None else ()),
        *STORE[settings.store.kind],
    }
    return [f"{name}=={version(name)}" for name in sorted(names)]
