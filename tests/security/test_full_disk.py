"""A full disk loses nothing, and what was written says what to do."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

from lib.audio.convert import convert
from lib.audio.wav import read_wav
from lib.config.audio import AudioSettings
from lib.files import atomic_directory, atomic_path
from lib.training.checkpoint import newest_checkpoint, save_checkpoint
from tests.audio.encoding import encode, speechlike
from tests.dataset.records import Source
from tests.packs.test_pack import pack
from tests.training.test_checkpoint import make

FULL = "the disk is full: free some space and start again"
PAGE = 4096  # bytes; a file of a tmpfs takes whole ones


@contextmanager
def mount(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes, in memory."""
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(line, capture_output=True, text=True)
        fault = done.stderr.strip() if done.returncode else None
    except FileNotFoundError:
        fault = "there is no program mount"
    if fault:
        pytest.skip(f"a small file system cannot be mounted: {fault}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    with mount(tmp_path / "disk", 64 * 2**20) as folder:
        yield folder


@contextmanager
def filled(disk: Path, leave: int) -> Iterator[None]:
    """Fill a file system but for so many bytes; afterwards what filled it is gone."""
    state = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - leave)))
    try:
        yield
    finally:
        filler.unlink()


def list_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "filler"
    }


@pytest.mark.parametrize("library", ["python", "torch", "safetensors", "pyarrow", "soundfile"])
def test_whatever_writes_the_full_disk_is_told_and_the_old_file_stays(disk, library):
    def write(path: Path) -> None:
        values = np.zeros(2**20, np.float32)
        if library == "python":
            path.write_bytes(values.tobytes())
        elif library == "torch":
            torch.save(torch.from_numpy(values), path)
        elif library == "safetensors":
            from safetensors.torch import save_file

            save_file({"a": torch.from_numpy(values)}, path)
        elif library == "pyarrow":
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table({"a": np.random.default_rng(0).random(2**19)}), path)
        else:
            import soundfile

            soundfile.write(path, values, 16_000, format="WAV", subtype="FLOAT")

    (disk / "file").write_text("old")
    with (
        filled(disk, 2**20),
        pytest.raises(OSError, match=FULL) as told,
        atomic_path(disk / "file") as path,
    ):
        write(path)
    assert str(disk / "file") in str(told.value)
    assert list_files(disk) == {"file": b"old"}
    with atomic_path(disk / "file") as path:
        write(path)


def test_another_fault_is_not_taken_for_a_full_disk(disk):
    with pytest.raises(RuntimeError, match="something else"), atomic_directory(disk / "x"):
        raise RuntimeError("something else")
    with filled(disk, 0), pytest.raises(ValueError, match="a wrong value"):
        with atomic_directory(disk / "x"):
            raise ValueError("a wrong value")


@pytest.mark.parametrize("leave", [0, 5 * PAGE, 20 * PAGE])
def test_conversion(disk, leave):
    """The clip is not blamed; an earlier one stays; with space it is converted."""
    audio = encode(speechlike(4, 48_000), "webm", "libopus")
    arguments = ("clip", audio, disk / "clip.wav", disk / "clip.json", AudioSettings())
    with filled(disk, leave), pytest.raises(OSError, match=FULL):
        convert(*arguments)
    assert list_files(disk) == {}
    convert(*arguments)
    before = list_files(disk)
    with filled(disk, leave), pytest.raises(OSError, match=FULL):
        convert(*arguments)
    assert list_files(disk) == before and read_wav(disk / "clip.wav").size > 16_000


@pytest.mark.parametrize("leave", [0, 100, 300, 500, 700])
def test_checkpoints(disk, leave):
    """In whichever of its files the space ends: the earlier checkpoint is the newest."""
    large = {"w": torch.ones(50 * PAGE // 4)}

    def save(name: str, step: int) -> None:
        checkpoint = make(step)
        for part in ("generator", "ema", "discriminator"):
            object.__setattr__(checkpoint, part, large)
        optimizers = {"generator": {"state": {0: {"exp_avg": large["w"]}}}, "scaler": {}}
        object.__setattr__(checkpoint, "optimizers", optimizers)
        save_checkpoint(disk / name, checkpoint)

    save("epoch0001", 1)
    before = list_files(disk)
    with filled(disk, leave * 1024), pytest.raises(OSError, match=FULL):
        save("epoch0002", 2)
    assert newest_checkpoint(disk).state.step == 1 and list_files(disk) == before
    save("epoch0002", 2)
    assert newest_checkpoint(disk).state.step == 2


def test_dataset(disk, tmp_path):
    """The earlier dataset and its tables stay, and agree with each other."""
    source = Source(tmp_path / "source", made=disk)
    for number in range(30):
        source.add(f"clip{number:02d}", f"sentence number {number}")
    source.build()
    made = ("dataset", "manifest.tsv", "rejected.tsv")

    def read() -> dict[str, bytes]:
        return {k: v for k, v in list_files(disk).items() if k.startswith(made)}

    before = read()
    source.add("later", "one more sentence")
    for leave in (0, 2 * PAGE, 4 * PAGE):
        with filled(disk, leave), pytest.raises(OSError, match=FULL):
            source.build()
        assert read() == before
        assert not [path for path in disk.iterdir() if path.name.startswith(".")]
    source.build()
    assert "later" in datasets.load_from_disk(str(disk / "dataset"))["train"]["id"]


@pytest.mark.parametrize("leave", [0, 20 * PAGE, 200 * PAGE, 1000 * PAGE])
def test_export(disk, speakers, record, leave):
    """The earlier pack stays, wherever in the new one the space ends."""
    pack(speakers, record, disk / "export")
    before = list_files(disk)
    size = sum(map(len, before.values()))
    assert leave < size
    with filled(disk, leave), pytest.raises(OSError, match=FULL):
        pack(speakers, record, disk / "export")
    assert list_files(disk) == before
