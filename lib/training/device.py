"""Device, precision and memory of a training, and its processes.

`accelerate.find_executable_batch_size` is not used, because it starts its function again with a
smaller batch, and a training would lose its progress. Here only the step is repeated.
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
    """Return the number of processes: one for each GPU that is asked for and visible."""
    cards = torch.cuda.device_count() if use_gpu else 0
    if 0 < cards < asked:
        logger.warning("%d GPUs were asked for, %d are visible: training on those", asked, cards)
    return max(1, min(asked, cards) if cards else asked)


def describe_memory(device: torch.device, settings: TrainingSettings) -> str:
    """Return a description of the memory, on which the size of a micro-batch depends."""
    return f"{settings.memory_gb:g} GB of {device.type}" if device.type == "cuda" else device.type


def start_accelerator(settings: TrainingSettings, use_gpu: bool) -> Accelerator:
    """Choose device and precision, and log them."""
    on_gpu = use_gpu and torch.cuda.is_available()
    if use_gpu and not on_gpu:
        logger.warning(
            "No CUDA device is visible: training on the CPU. A full-size model needs weeks there; "
            "`--resources gpu=0` silences this."
        )
    # fp16 is not used on the CPU.
    precision = settings.mixed_precision if on_gpu or settings.mixed_precision == "bf16" else "fp32"
    mixed = "no" if precision == "fp32" else precision
    accelerator = Accelerator(mixed_precision=mixed, cpu=not on_gpu)
    count = accelerator.num_processes
    where = "" if count == 1 else f"in {count} processes, this one "
    logger.info("Training %son %s in %s", where, accelerator.device, precision)
    return accelerator


def prepare_process(threads: int) -> None:
    """Set the number of CPU threads of this process, and flush denormals to zero."""
    torch.set_num_threads(threads)
    # A CPU computes a hundred times slower with denormals, which decaying activations produce.
    torch.set_flush_denormal(True)


class Ranks:
    """The processes of a training, and what they tell each other."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.count = accelerator.num_processes
        # The host communicates, because a GPU would first finish all of its queued work.
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
    """Let the allocator use at most so many GB of a GPU."""
    if device.type == "cuda":
        # The allocator wants a number, and accelerate says "cuda" where there is one process.
        index = torch.cuda.current_device() if device.index is None else device.index
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_gb * 2**30 / total), index)


def fits_in_memory(run: Callable[[], None]) -> bool:
    """Return whether `run` completes without running out of memory, and free the cached memory."""
    fits = complete_in_memory(run)
    free_memory()
    return fits


def complete_in_memory(run: Callable[[], None]) -> bool:
    """Call `run` and return whether it had enough memory.

    When this returns, the tensors of a failed call have been released. Inside an ``except`` block
    the traceback would keep every frame of the call alive, with all its activations, and another
    attempt there would find the memory full.

    Raises
    ------
    Exception
        Any other exception of `run`.
    """
    try:
        run()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an exception means that memory of the device or the host ran out."""
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
