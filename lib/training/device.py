"""The device and the precision that a training runs in."""

import logging

import torch
from accelerate import Accelerator

from lib.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


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
    logger.info("Training on %s in %s", accelerator.device, precision)
    return accelerator
