"""What a training runs on: device, precision, memory, and the processes that share it.

`accelerate.find_executable_batch_size` begins its function anew with a smaller batch: a training
would lose what it has done. Here the step that ran out of memory is taken again.
"""

import gc
import logging
from collections.abc import Callable

import torch
from accelerate import Accelerator
from accelerate.utils.memory import should_reduce_batch_size

from lib.config.training import TrainingSettings

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
    precision = settings.mixed_precision if on_gpu or settings.mixed_precision == "bf16" else "fp32"
    mixed = "no" if precision == "fp32" else precision
    accelerator = Accelerator(mixed_precision=mixed, cpu=not on_gpu)
    count = accelerator.num_processes
    where = "" if count == 1 else f"in {count} processes, this one "
    logger.info("Training %son %s in %s", where, accelerator.device, precision)
    return accelerator


def prepare_process(threads: int) -> None:
    """Set what holds for all of a process's arithmetic."""
    torch.set_num_threads(threads)
    # Denormals from decaying activations cost a CPU a hundred times a normal number's time.
    torch.set_flush_denormal(True)


class Ranks:
    """The processes of a training, seen from one of them."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.count = accelerator.num_processes
        # On the host: asking a GPU would wait for everything that it still has to do.
        self.group = torch.distributed.new_group(backend="gloo") if self.count > 1 else None

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Return the flags that at least one process has set. Every process must call it."""
        if self.group is None:
            return flags
        values = torch.tensor(flags, dtype=torch.uint8)
        torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX, group=self.group)
        return tuple(values.bool().tolist())


# ---------------------------------------------------------------- memory


def bound_memory(device: torch.device, memory_gb: float) -> None:
    """Let the allocator take at most so many GB, whatever the card has."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_gb * 2**30 / total), device)


def fits_in_memory(run: Callable[[], None]) -> bool:
    """Whether `run` completes without running out of memory; leaves nothing of it in the cache."""
    fits = complete_in_memory(run)
    free_memory()
    return fits


def complete_in_memory(run: Callable[[], None]) -> bool:
    """Call `run` and say whether it had enough memory.

    When this returns, nothing of a failed call is alive any more. Inside an ``except`` block the
    traceback keeps every frame of the call alive, with all activations in it, so that whatever is
    tried there meets a full memory.

    Raises
    ------
    Exception
        Whatever else `run` raises.
    """
    try:
        run()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, of the device, its libraries or the host."""
    return (
        isinstance(error, torch.OutOfMemoryError)
        or should_reduce_batch_size(error)
        or "_STATUS_ALLOC_FAILED" in str(error)
    )


def free_memory() -> None:
    """Give cached device memory back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
