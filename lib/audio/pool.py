"""Convert clips in processes of our own, called from threads of a busy one.

Snakemake runs the conversion in threads of its main process, whose scheduling holds the GIL most
of the time; a decoder that asks for the GIL at every packet then waits 5 ms each time. Workers
do not wait, and a file that crashes a decoder takes down a worker, not the run.
"""

import atexit
import logging
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path

from lib.audio.measurement import Measurement
from lib.audio.settings import AudioSettings

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
# A clip takes milliseconds. A decoder that has not come back by then never will.
TIME_LIMIT = 300.0  # s
Task = tuple[str, bytes, Path, Path, AudioSettings]
ATTEMPTS = 2  # a worker may be killed for reasons that have nothing to do with its clip


class WorkerDiedError(RuntimeError):
    """A worker ended without an answer."""


class Worker:
    """One converting process and the connection to it."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        command = [sys.executable, "-P", "-m", "lib.audio.worker", str(theirs.fileno())]
        search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": search_path},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            self.connection.recv()  # a worker that cannot start says nothing about a clip
        except EOFError as error:
            raise RuntimeError(
                f"{' '.join(command)} ended with status {self.process.wait()} before its first "
                "clip, expected it to convert audio: the environment is damaged, see above"
            ) from error

    def run(self, task: Task) -> Exception | None:
        """Have one clip converted; return the fault of the machine, if there was one."""
        try:
            self.connection.send(task)
            if self.connection.poll(TIME_LIMIT):
                return self.connection.recv()
        except (EOFError, ConnectionError) as error:
            status = self.process.wait()
            raise WorkerDiedError(f"the decoder crashed (exit status {status})") from error
        raise WorkerDiedError(f"the decoder did not come back within {TIME_LIMIT:.0f} s")

    def stop(self) -> None:
        """End the process, also when it hangs."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class Pool:
    """As many workers as there are threads that convert at the same time, started on demand."""

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    def run(self, task: Task) -> None:
        """Have one clip converted by an idle or a new worker."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or Worker()
        try:
            fault = worker.run(task)
        except BaseException:  # also an interrupt: a worker with an answer pending is no use
            worker.stop()
            raise
        with self._lock:
            self._idle.append(worker)
        if fault is not None:
            raise fault

    def close(self) -> None:
        """Stop the idle workers."""
        with self._lock:
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.stop()


_pool = Pool()
atexit.register(_pool.close)


def convert_clip(
    clip_id: str, audio: bytes, wav: Path, sidecar: Path, settings: AudioSettings
) -> None:
    """Write a clip's WAV file and sidecar (see `lib.audio.convert.convert`), from any thread.

    A clip on which decoders crash or hang is rejected, like any other that cannot be decoded.
    """
    task = (clip_id, audio, wav.absolute(), sidecar.absolute(), settings)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _pool.run(task)
        except WorkerDiedError as error:
            logger.warning("%s: attempt %d of %d: %s", clip_id, attempt, ATTEMPTS, error)
            detail = str(error)
    from lib.audio.convert import reject  # numpy and FFmpeg: not in every process that imports us

    reject(Measurement(clip_id), "undecodable", detail, None, wav, sidecar, settings)
