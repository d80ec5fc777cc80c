"""What the benchmarks of the workflow share: invented recordings, a project of its own."""

import csv
import io
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import soundfile
import yaml

from benchmarks.basics import speechlike

ROOT = Path(__file__).resolve().parents[1]
DISTINCT = 60
"""Recordings that are really made; more clips are copies of them under other names."""


def encode_webm(samples: np.ndarray, rate: int = 48_000) -> bytes:
    """Encode as stereo opus in webm, as a browser records."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=rate, layout="stereo")
        packed = np.repeat(samples.astype(np.float32), 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="stereo")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return buffer.getvalue()


def write_corpus(
    folder: Path, num_clips: int, shortest: float, longest: float, distinct: int = DISTINCT
) -> Path:
    """Write an audiofolder of webm files between two lengths in seconds."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    files = [
        encode_webm(speechlike(random.uniform(shortest, longest), 48_000, seed))
        for seed in range(min(distinct, num_clips))
    ]
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["file_name", "text"])
        for number in range(num_clips):
            name = f"clip{number:06d}.webm"
            (folder / name).write_bytes(files[number % len(files)])
            writer.writerow([name, f"clip {number}"])
    return folder


def write_wavs(folder: Path, num_clips: int, shortest: float, longest: float) -> dict[str, Path]:
    """Write converted clips: 16 kHz mono PCM16."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    wavs = {}
    for number in range(num_clips):
        path = folder / f"clip{number:06d}.wav"
        samples = speechlike(random.uniform(shortest, longest), 16_000, number)
        soundfile.write(path, samples, 16_000, subtype="PCM_16")
        wavs[path.stem] = path
    return wavs


def make_project(folder: Path, corpus: Path, **sections: dict) -> Path:
    """Copy the workflow, so that a benchmark leaves no trace in this folder.

    Parameters
    ----------
    sections
        Of the configuration, beside source and base model.
    """
    for name in ("lib", "workflow", "config", "profiles", "envs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "Snakefile", folder)
    config = {"source": {"path": str(corpus)}, "base_model": {"source": "tiny"}, **sections}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def run_workflow(project: Path, *arguments: str) -> float:
    """Run Snakemake on two cores; return the seconds it took, start included."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", "--cores", "2"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, *arguments, "--resources", "gpu=0", "--quiet", "all"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return seconds
