"""Several processes of one training, a GPU each: started together, stopped together.

`launch` starts them and waits; each finds its place in the environment, where accelerate looks for
it. What one of them notices, and all must act on, goes through `Ranks.any`.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from lib.training.interruption import TrainingInterrupted

logger = logging.getLogger(__name__)

INTERRUPTED = 75
"""Exit status of a process that was asked to stop and has saved its state (EX_TEMPFAIL)."""
_ROOT = Path(__file__).resolve().parents[2]
_GRACE_SECONDS = 20.0
"""Time that the others have to notice that one has failed, before they are ended."""


class TrainingFailedError(RuntimeError):
    """A process of the training has failed; it has said why."""


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


def launch(
    count: int,
    threads: int,
    job: Mapping[str, Any],
    inherited: Sequence[int] = (),
    module: str = "lib.training.worker",
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
