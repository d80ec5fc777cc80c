"""Conversion in worker processes: from many threads, through crashes, hangs and kill -9."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.audio import AudioSettings, convert_clip, pool
from lib.audio.convert import convert
from lib.audio.measurement import read_sidecar
from lib.audio.pool import Pool, Worker, WorkerDiedError
from lib.audio.wav import read_wav
from tests.audio.encoding import encode, speechlike, wav

SETTINGS = AudioSettings()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_pool(monkeypatch):
    """A pool of this test's own in place of the process's."""
    own = Pool()
    monkeypatch.setattr(pool, "_pool", own)
    yield own
    own.close()


def test_worker_writes_what_the_library_writes(tmp_path, own_pool):
    audio = encode(speechlike(2, 48_000), "webm", "libopus")

    convert("a", audio, tmp_path / "here.wav", tmp_path / "here.json", SETTINGS)
    convert_clip("a", audio, tmp_path / "there.wav", tmp_path / "there.json", SETTINGS)

    assert (tmp_path / "here.wav").read_bytes() == (tmp_path / "there.wav").read_bytes()
    assert (tmp_path / "here.json").read_bytes() == (tmp_path / "there.json").read_bytes()


def test_threads_share_as_many_workers_as_there_are_threads(tmp_path, own_pool):
    audios = [wav(speechlike(1, 16_000, level)) for level in (0.01, 0.05, 0.1, 0.2)] * 5

    def job(number):
        name = f"clip{number}"
        paths = tmp_path / f"{name}.wav", tmp_path / f"{name}.json"
        convert_clip(name, audios[number], *paths, SETTINGS)
        return read_sidecar(paths[1])

    with ThreadPoolExecutor(3) as threads:
        measured = list(threads.map(job, range(len(audios))))

    assert [m.clip for m in measured] == [f"clip{number}" for number in range(len(audios))]
    assert all(m.status == "ok" for m in measured)
    assert 1 <= len(own_pool._idle) <= 3


def test_relative_paths_mean_the_callers_folder(tmp_path, own_pool, monkeypatch):
    convert_clip("a", b"", tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)  # a worker is there
    monkeypatch.chdir(tmp_path)

    convert_clip("b", b"", Path("sub/b.wav"), Path("sub/b.json"), SETTINGS)

    assert read_sidecar(tmp_path / "sub/b.json").reason == "empty"


def test_fault_of_the_machine_reaches_the_caller(tmp_path, own_pool):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OSError):
        convert_clip("a", b"", tmp_path / "file/a.wav", tmp_path / "a.json", SETTINGS)

    convert_clip("a", b"", tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    assert read_sidecar(tmp_path / "a.json").reason == "empty"


def dying_worker(*signals: signal.Signals) -> type[Worker]:
    """A worker that is ended by these signals, one an attempt."""
    remaining = list(signals)

    class DyingWorker(Worker):
        def run(self, task):
            self.process.send_signal(remaining.pop(0))
            return super().run(task)

    return DyingWorker


@pytest.mark.parametrize("number", sorted(pool.CRASHES))
def test_crash_quarantines_the_clip_and_nothing_else(tmp_path, own_pool, monkeypatch, number):
    monkeypatch.setattr(pool, "Worker", dying_worker(number, number))
    convert_clip("bad", wav(speechlike()), tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    monkeypatch.setattr(pool, "Worker", Worker)
    convert_clip("good", wav(speechlike()), tmp_path / "b.wav", tmp_path / "b.json", SETTINGS)

    crashed = read_sidecar(tmp_path / "a.json")
    assert (crashed.clip, crashed.status, crashed.reason) == ("bad", "rejected", "undecodable")
    assert f"exit status {-number}" in crashed.detail
    assert read_wav(tmp_path / "a.wav").size == 0
    assert read_sidecar(tmp_path / "b.json").status == "ok"


@pytest.mark.parametrize(
    "signals", [(signal.SIGKILL, signal.SIGKILL), (signal.SIGKILL, signal.SIGSEGV)]
)
def test_worker_ended_from_outside_fails_the_job_not_the_clip(
    tmp_path, own_pool, monkeypatch, signals
):
    monkeypatch.setattr(pool, "Worker", dying_worker(*signals))
    with pytest.raises(WorkerDiedError, match=r"good: .* ended from outside .* enough memory"):
        convert_clip("good", wav(speechlike()), tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(pool, "Worker", Worker)
    convert_clip("good", wav(speechlike()), tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    assert read_sidecar(tmp_path / "a.json").status == "ok"


def test_the_time_limit_grows_with_what_the_clip_can_be():
    def limit(size: int) -> float:
        return pool.time_limit(("a", bytes(size), Path("a"), Path("a"), SETTINGS))

    assert limit(0) == pool.PATIENCE
    assert limit(500) == pool.PATIENCE + pool.PATIENCE_PER_SECOND
    longest = pool.PATIENCE + pool.PATIENCE_PER_SECOND * SETTINGS.max_duration
    assert limit(10**6) == limit(10**8) == longest <= 60


def test_worker_killed_by_chance_costs_nothing(tmp_path, own_pool):
    convert_clip("a", b"", tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    os.kill(own_pool._idle[0].process.pid, signal.SIGKILL)

    convert_clip("b", wav(speechlike()), tmp_path / "b.wav", tmp_path / "b.json", SETTINGS)

    assert read_sidecar(tmp_path / "b.json").status == "ok"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_worker_leaves_its_end_to_the_parent(tmp_path, own_pool, number):
    """Ctrl-C reaches the process group; the clips that are being converted are finished."""
    convert_clip("a", b"", tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    worker = own_pool._idle[0]
    os.kill(worker.process.pid, number)

    convert_clip("b", b"", tmp_path / "b.wav", tmp_path / "b.json", SETTINGS)

    assert own_pool._idle == [worker]
    assert worker.process.poll() is None


def test_decoder_that_hangs_is_given_up(tmp_path, own_pool, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.3)
    convert_clip("a", b"", tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)
    hanging = own_pool._idle[0].process
    os.kill(hanging.pid, signal.SIGSTOP)
    monkeypatch.setattr(pool, "ATTEMPTS", 1)

    convert_clip("b", b"", tmp_path / "b.wav", tmp_path / "b.json", SETTINGS)

    assert "did not come back" in read_sidecar(tmp_path / "b.json").detail
    assert hanging.poll() is not None


def test_broken_environment_is_not_blamed_on_the_clips(tmp_path, own_pool, monkeypatch):
    monkeypatch.setattr(pool, "ROOT", tmp_path)
    monkeypatch.setattr(pool.os, "environ", {**os.environ, "PYTHONPATH": str(tmp_path)})

    with pytest.raises(RuntimeError, match="environment is damaged"):
        convert_clip("a", b"", tmp_path / "a.wav", tmp_path / "a.json", SETTINGS)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_their_parent(tmp_path, how):
    program = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from lib.audio import AudioSettings, convert_clip, pool
convert_clip("a", b"", Path({str(tmp_path / "a.wav")!r}), Path({str(tmp_path / "a.json")!r}),
             AudioSettings())
print(pool._pool._idle[0].process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        parent.send_signal(how)
        parent.wait()
        for _ in range(100):
            if not is_running(worker):
                break
            time.sleep(0.05)
        assert not is_running(worker)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # in a container without an init, nobody collects the dead


def test_import_is_light():
    program = (
        "import sys, lib.audio; print([m for m in ('numpy', 'av', 'soxr') if m in sys.modules])"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"
