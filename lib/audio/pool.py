"""Convert clips in processes of our own, called from threads of a busy one.

Snakemake runs the conversion in threads of its main process, whose scheduling holds the GIL most
of the time; a decoder that asks for the GIL at every packet then waits 5 ms each time. Workers
do not wait, and a file that crashes a decoder takes down a worker, not the run. A
`ProcessPoolExecutor` would break as a whole with the first worker that dies, and cannot end one
that hangs.
"""

import atexit
import logging
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import Pipe
from pathlib import Path

from lib.audio.measurement import Measurement
from lib.config.audio import AudioSettings

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
Task = tuple[str, bytes, Path, Path, AudioSettings]
ATTEMPTS = 2
# A second of sound takes milliseconds; a loaded machine and a slow disk take their time.
PATIENCE = 20.0  # s
PATIENCE_PER_SECOND = 2.0  # s for each second of sound
SMALLEST_BIT_RATE = 4000  # bit/s; speech codecs need more
# What a decoder does to its process. Other signals come from outside: the kernel when memory is
# short, an administrator, a batch system.
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}


class WorkerDiedError(RuntimeError):
    """A worker ended without an answer."""

    def __init__(self, message: str, is_fault_of_clip: bool) -> None:
        super().__init__(message)
        self.is_fault_of_clip = is_fault_of_clip


def time_limit(task: Task) -> float:
    """Return after how many seconds a decoder hangs, from the longest that the clip can be."""
    _, audio, _, _, settings = task
    longest = min(settings.max_duration, len(audio) * 8 / SMALLEST_BIT_RATE)
    return PATIENCE + PATIENCE_PER_SECOND * longest


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
            if self.connection.poll(time_limit(task)):
                return self.connection.recv()
        except (EOFError, ConnectionError) as error:
            status = self.process.wait()
            if -status in CRASHES:
                message = f"the decoder crashed (exit status {status})"
            else:
                message = f"the decoder's process was ended from outside (exit status {status})"
            raise WorkerDiedError(message, is_fault_of_clip=-status in CRASHES) from error
        message = f"the decoder did not come back within {time_limit(task):.0f} s"
        raise WorkerDiedError(message, is_fault_of_clip=True)

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

    A clip on which decoders crash or hang every time is rejected, like any other that cannot be
    decoded.

    Raises
    ------
    WorkerDiedError
        If a converting process was ended from outside: that says nothing about the clip.
    """
    task = (clip_id, audio, wav.absolute(), sidecar.absolute(), settings)
    deaths: list[WorkerDiedError] = []
    while len(deaths) < ATTEMPTS:
        try:
            return _pool.run(task)
        except WorkerDiedError as error:
            deaths.append(error)
            logger.warning("%s: attempt %d of %d: %s", clip_id, len(deaths), ATTEMPTS, error)
    for death in deaths:
        if not death.is_fault_of_clip:
            message = f"{clip_id}: {death}, {ATTEMPTS} attempts failed: is there enough memory?"
            raise WorkerDiedError(message, is_fault_of_clip=False)
    detail = str(deaths[-1])
    from lib.audio.convert import reject  # numpy and FFmpeg: not in every process that imports us

    reject(Measurement(clip_id), "undecodable", detail, None, wav, sidecar, settings)
