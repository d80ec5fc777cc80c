"""Runs a training: in this process, or in several with a GPU each."""

import logging
from collections.abc import Sequence

import torch

from lib.locking import take_lock
from lib.training.device import count_processes
from lib.training.loop import Trainer
from lib.training.processes import launch
from lib.training.settings import TrainingPaths, TrainingSettings


def train(
    settings: TrainingSettings,
    paths: TrainingPaths,
    use_gpu: bool,
    threads: int,
    texts: Sequence[str] = (),
    processes: int = 1,
    code: str | None = None,
) -> None:
    """Train a voice: take up where an earlier run stopped, go to the end, write the summary.

    Parameters
    ----------
    use_gpu
        Whether CUDA devices may be used; without one the CPU is.
    threads
        CPU threads, of all processes together. The same number gives the same bits.
    texts
        The first one is spoken by every speaker in TensorBoard; none takes a clip's.
    processes
        How many train together, each on its GPU; on the CPU they share its threads.
    code
        Digest of the code that trains, for the record.

    Raises
    ------
    LockedError
        If another process trains here.
    TrainingInterrupted, TrainingDivergedError, MemoryError
        See `Trainer.run`; what is saved is whole in each case.
    TrainingFailedError
        If one of several processes has failed.
    """
    # A run that was killed may have left its training behind, alive.
    with take_lock(paths.checkpoints.parent / "state/training.lock", "training") as lock:
        count = count_processes(processes, use_gpu)
        threads = max(1, threads // count)
        if count == 1:
            prepare_process(threads)
            Trainer(settings, paths, use_gpu, texts, code).run()
            return
        job = {
            "settings": settings.as_dict(),
            "paths": {name: str(path.absolute()) for name, path in vars(paths).items()},
            "use_gpu": use_gpu,
            "threads": threads,
            "texts": list(texts),
            "code": code,
            "logs": _log_files(),
        }
        launch(count, threads, job, [lock.fileno()])


def prepare_process(threads: int) -> None:
    """Set what holds for all of a process's arithmetic."""
    torch.set_num_threads(threads)
    # Denormals from decaying activations cost a CPU a hundred times a normal number's time.
    torch.set_flush_denormal(True)


def _log_files() -> list[str]:
    """Return the files that this process logs to."""
    handlers = logging.getLogger().handlers
    return [h.baseFilename for h in handlers if isinstance(h, logging.FileHandler)]
