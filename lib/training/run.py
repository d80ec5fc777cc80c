"""Run a training in this process, or in several with a GPU each.

`launch` starts the processes and waits for them. Each reads its rank from the environment variables
that accelerate uses. Events that all processes must react to go through `Ranks.any`.
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
from lib.training.trainer import STOPPED, Trainer, TrainingInterrupted

logger = logging.getLogger(__name__)

INTERRUPTED = 75
"""Exit status of a process that was asked to stop and has saved its state (EX_TEMPFAIL)."""
_ROOT = Path(__file__).resolve().parents[2]
_GRACE_SECONDS = 20.0
"""Seconds after a process has failed until the others are ended."""


class TrainingFailedError(RuntimeError):
    """A process of the training has failed; its log has the reason."""


def train(
    settings: TrainingSettings,
    paths: TrainingPaths,
    use_gpu: bool,
    threads: int,
    texts: Sequence[str] = (),
    processes: int = 1,
    code: str | None = None,
) -> None:
    """Train a voice to the end, resuming where an earlier run stopped, and write the summary.

    Parameters
    ----------
    use_gpu
        Whether CUDA devices may be used; without any the CPU is used.
    threads
        CPU threads of all processes together. The same number gives the same bits.
    texts
        The first one is synthesized with every speaker for TensorBoard; without any, the text of a
        clip is.
    processes
        Number of processes, each on its GPU; on the CPU they share its threads.
    code
        Digest of the code that trains, which the summary and the checkpoints store.

    Raises
    ------
    LockedError
        If another process trains here.
    TrainingInterrupted, TrainingDivergedError, MemoryError
        See `Trainer.run`; the checkpoints are complete in each case.
    TrainingFailedError
        If one of several processes has failed.
    """
    # The training process of a killed run may still be alive.
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
        CPU threads of each process.
    job
        Values that every worker reads from its standard input, as one line of JSON.
    inherited
        File descriptors that the workers keep open. So a lock is held until the last of them has
        ended, also when this process is killed.

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
        with _signals_forwarded(workers) as stopping:
            for worker in workers:
                # A worker that has ended already is noticed below.
                with suppress(BrokenPipeError):
                    # The pipe stays open; when it closes, a worker knows that this process has
                    # ended.
                    worker.stdin.write(json.dumps(job).encode() + b"\n")
                    worker.stdin.flush()
            _wait(workers, stopping)
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


def _wait(workers: Sequence[subprocess.Popen], stopping: threading.Event) -> None:
    """Wait for all workers, but only a short time after one has failed."""
    deadline = float("inf")
    while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
        if deadline == float("inf") and any(_failed(worker, stopping) for worker in workers):
            deadline = time.monotonic() + _GRACE_SECONDS
    failed = [rank for rank, worker in enumerate(workers) if _failed(worker, stopping)]
    if failed:
        raise TrainingFailedError(
            f"process {failed[0]} of {len(workers)} of the training ended with status "
            f"{workers[failed[0]].returncode}; its message is above. The last checkpoint is whole: "
            "run again to go on from it"
        )
    if any(worker.returncode for worker in workers):
        raise TrainingInterrupted(STOPPED)


def _failed(worker: subprocess.Popen, stopping: threading.Event) -> bool:
    # Before its first step a worker has nothing to save, and a stop signal ends it at once.
    stopped = (-signal.SIGTERM, -signal.SIGINT) if stopping.is_set() else ()
    return worker.poll() not in (None, 0, INTERRUPTED, *stopped)


@contextmanager
def _signals_forwarded(workers: Sequence[subprocess.Popen]) -> Iterator[threading.Event]:
    """Forward stop signals to the workers, so that they save and this process keeps waiting.

    The event that is yielded is set from then on.
    """
    stopping = threading.Event()

    def forward(number: int, frame: object) -> None:
        stopping.set()
        for worker in workers:
            worker.terminate()

    previous = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# ---------------------------------------------------------------- one worker


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
    """Stop this process when its standard input closes, which means that the parent has ended."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(work())
