"""The device and the precision that a training runs in."""

import logging

import torch
from accelerate import Accelerator

from lib.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


def count_processes(asked: int, use_gpu: bool) -> int:
    """Return how many processes train: one a GPU that was asked for and is there."""
    cards = torch.cuda.device_count() if use_gpu else 0
    if 0 < cards < asked:
        logger.warning("%d GPUs were asked for, %d are visible: training on those", asked, cards)
    return max(1, min(asked, cards) if cards else asked)


def describe_memory(device: torch.device, settings: TrainingSettings) -> str:
    """Say what the size of a micro-batch depends on."""
    return f"{settings.memory_gb:g} GB of {device.type}" if device.type == "cuda" else device.type


def start_accelerator(settings: TrainingSettings, use_gpu: bool) -> Accelerator:
    """Choose device and precision, and say so."""
    on_gpu = use_gpu and torch.cuda.is_available()
    if use_gpu and not on_gpu:
        logger.warning(
            "No CUDA device is visible: training on the CPU. A full-size model needs weeks there; "
            "`--resources gpu=0` silences this."
        )
    # The CPU has no use for fp16.
    precision = settings.precision if on_gpu or settings.precision == "bf16" else "fp32"
    mixed = "no" if precision == "fp32" else precision
    accelerator = Accelerator(mixed_precision=mixed, cpu=not on_gpu)
    count = accelerator.num_processes
    where = "" if count == 1 else f"in {count} processes, this one "
    logger.info("Training %son %s in %s", where, accelerator.device, precision)
    return accelerator
