"""Which processor a torch runtime uses."""

from lakerag import config
from lakerag.errors import ModelError

CPU_PROMPT_TOKENS, GPU_PROMPT_TOKENS = 1024, 32_768


def pick_device(device: str) -> str:
    """Returns `cpu` or `cuda`; `auto` takes a GPU where there is one.

    Raises:
        ModelError: A GPU is asked for and torch sees none.
    """
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ModelError(
            "Expected a GPU (device: cuda), but torch sees none on this machine. "
            "Set device to auto or cpu, or install the driver and a CUDA build of torch."
        )
    return "cpu"


def refuse_gpu(device: str, runtime: str, section: str) -> None:
    """Checks that no GPU is asked of a runtime for the CPU.

    Raises:
        ModelError: It is.
    """
    if device == "cuda":
        raise ModelError(
            f"Expected {section}.device auto or cpu with the runtime {runtime}, which has no GPU, found cuda. "
            f"Set {section}.runtime to torch."
        )


def prompt_tokens(settings: config.Generator) -> int:
    """Returns the prompt tokens of a generator's batch: those of the settings, or what suits its processor."""
    if settings.batch_tokens is not None:
        return settings.batch_tokens
    on_gpu = settings.runtime == "torch" and pick_device(settings.device) == "cuda"
    return GPU_PROMPT_TOKENS if on_gpu else CPU_PROMPT_TOKENS
