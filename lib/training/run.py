"""Runs a training: in this process, or in several with a GPU each.

`launch` starts the others and waits; each finds its place in the environment, where accelerate
looks for it. What one of them notices, and all must act on, goes through `Ranks.any`.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lib.config.training import TrainingSettings
from lib.locking import take_lock
from lib.logs import start_log
from lib.training.device import count_processes, prepare_process
from lib.training.settings import TrainingPaths
from lib.training.signals import TrainingInterrupted
from lib.training.trainer import Trainer

logger = logging.getLogger(__name__)

INTERRUPTED = 75
"""Exit status of a process that was asked to stop and has saved its state (EX_TEMPFAIL)."""
_ROOT = Path(__file__).resolve().parents[2]
_GRACE_SECONDS = 20.0
"""Time that the others have to notice that one has failed, before they are ended."""


class TrainingFailedError(RuntimeError):
    """A process of the training has failed; it has said why."""


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


def _log_files() -> list[str]:
    """Return the files that this process logs to."""
    handlers = logging.getLogger().handlers
    return [h.baseFilename for h in handlers if isinstance(h, logging.FileHandler)]


# ---------------------------------------------------------------- several processes


def launch(
    count: int,
    threads: int,
    job: Mapping[str, Any],
    inherited: Sequence[int] = (),
    module: str = "lib.training.run",
) -> None:
    """Run ``python -m`` a module in so many processes and wait for them.

    Parameters
    ----------
    threads
        CPU threads of each.
    job
        What a worker reads from its standard input, as one line of JSON.
    inherited
        File descriptors that the workers keep open: a lock holds until the last of them has ended,
        also when this process is killed.

    Raises
    ------
    TrainingInterrupted
        If they were asked to stop and have saved the state.
    TrainingFailedError
        If one has failed; the others are ended.
    """
    port = _free_port()
    workers = [_start(module, rank, count, port, threads, inherited) for rank in range(count)]
    try:
        with _signals_forwarded(workers):
            for worker in workers:
                # One that has ended already is noticed below.
                with suppress(BrokenPipeError):
                    # Left open: its end tells a worker that this process is no more.
                    worker.stdin.write(json.dumps(job).encode() + b"\n")
                    worker.stdin.flush()
            _wait(workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            with suppress(BrokenPipeError):
                worker.stdin.close()


def _start(
    module: str, rank: int, count: int, port: int, threads: int, inherited: Sequence[int]
) -> subprocess.Popen:
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    place = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": count,
        "LOCAL_WORLD_SIZE": count,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": threads,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return subprocess.Popen(
        [sys.executable, "-m", module],
        env={**os.environ, **{name: str(value) for name, value in place.items()}},
        stdin=subprocess.PIPE,
        pass_fds=inherited,
    )


def _wait(workers: Sequence[subprocess.Popen]) -> None:
    """Wait for all workers; give up on the rest soon after one has failed."""
    deadline = float("inf")
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
        if deadline == float("inf") and any(_failed(worker) for worker in workers):
            deadline = time.monotonic() + _GRACE_SECONDS
    failed = [rank for rank, worker in enumerate(workers) if _failed(worker)]
    if failed:
        raise TrainingFailedError(
            f"process {failed[0]} of {len(workers)} of the training ended with status "
            f"{workers[failed[0]].returncode}; its message is above. The last checkpoint is whole: "
            "run again to go on from it"
        )
    if any(worker.returncode == INTERRUPTED for worker in workers):
        raise TrainingInterrupted("stopped by a signal; the state is saved, run again to go on")


def _failed(worker: subprocess.Popen) -> bool:
    return worker.poll() not in (None, 0, INTERRUPTED)


@contextmanager
def _signals_forwarded(workers: Sequence[subprocess.Popen]) -> Iterator[None]:
    """Hand stop signals to the workers, and go on waiting until they have saved."""

    def forward(number: int, frame: object) -> None:
        for worker in workers:
            worker.terminate()

    previous = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# ---------------------------------------------------------------- one of them


def work() -> int:
    """Train this process's part; return its exit status."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    for log in job["logs"]:
        start_log(log, append=True)
    prepare_process(job["threads"])
    paths = TrainingPaths(**{name: Path(path) for name, path in job["paths"].items()})
    settings = TrainingSettings.from_config(job["settings"])
    try:
        Trainer(settings, paths, job["use_gpu"], job["texts"], job["code"]).run()
    except TrainingInterrupted as interrupted:
        logger.info("%s", interrupted)
        return INTERRUPTED
    except Exception as error:
        logger.info("%s", traceback.format_exc())
        logger.error("Process %s: %s: %s", os.environ["RANK"], type(error).__name__, error)
        return 1
    return 0


def _stop_without_parent() -> None:
    """Wait for the end of the standard input, which comes when the parent has ended; then stop."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(work())
