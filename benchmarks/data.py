"""The data side against the plain way of doing it: ``python -m benchmarks.data --clips 600``.

Conversion through the real workflow, everything included, against two ffmpeg processes at a time
that only resample; embedding in batches against one clip after the other.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from resemblyzer import VoiceEncoder, preprocess_wav

from benchmarks.basics import print_table
from benchmarks.bench import make_project, run_workflow, write_corpus, write_wavs
from lib.speakers.embedding import embed_clips
from lib.speakers.shard import read_shard

THREADS = 2


def loop_ffmpeg(corpus: Path, output: Path) -> float:
    """Seconds of a bare loop that decodes, mixes down and resamples, two at a time."""
    output.mkdir()
    one = f"ffmpeg -v error -nostdin -i {{}} -ac 1 -ar 16000 {output}/$(basename {{}} .webm).wav"
    loop = f"ls {corpus}/*.webm | xargs -P {THREADS} -I{{}} sh -c '{one}'"
    start = time.perf_counter()
    subprocess.run(["sh", "-c", loop], check=True)
    return time.perf_counter() - start


def measure_conversion(scratch: Path, num_clips: int) -> None:
    corpus = write_corpus(scratch / "corpus", num_clips, 1.0, 8.0)
    project = make_project(scratch / "project", corpus)
    ours = run_workflow(project, "results/measurements.tsv")
    rows = [("the workflow: decode, resample, measure, normalise", f"{ours:.1f}", "")]
    if shutil.which("ffmpeg"):
        theirs = loop_ffmpeg(corpus, scratch / "wavs")
        rows.append(
            ("two ffmpeg processes: resample only", f"{theirs:.1f}", f"{ours / theirs:.2f}")
        )
    print_table((f"conversion of {num_clips} clips of 1-8 s", "seconds", "ratio"), rows)


def embed_one_by_one(wavs: dict[str, Path]) -> dict[str, np.ndarray]:
    """Embed with resemblyzer's own functions, clip after clip."""
    encoder = VoiceEncoder("cpu", verbose=False)
    return {clip: encoder.embed_utterance(preprocess_wav(wav)) for clip, wav in wavs.items()}


def measure_embedding(scratch: Path, num_clips: int) -> None:
    wavs = write_wavs(scratch / "clips", num_clips, 1.0, 8.0)
    torch.set_num_threads(THREADS)
    embed_one_by_one(dict(list(wavs.items())[:2]))  # first use compiles librosa's functions
    start = time.perf_counter()
    plain = embed_one_by_one(wavs)
    theirs = time.perf_counter() - start
    start = time.perf_counter()
    embed_clips(wavs, scratch / "shard.parquet", threads=THREADS)
    ours = time.perf_counter() - start
    found = read_shard(scratch / "shard.parquet")
    similarity = min(float(np.dot(plain[clip], found[clip].vector)) for clip in wavs)
    rows = [
        (
            f"windows of many clips in one batch (cosine at least {similarity:.6f})",
            f"{ours:.1f}",
            "",
        ),
        ("resemblyzer, clip by clip", f"{theirs:.1f}", f"{ours / theirs:.2f}"),
    ]
    print_table((f"speaker embeddings of {num_clips} clips of 1-8 s", "seconds", "ratio"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument(
        "--embedded", type=int, default=120, help="clips for the speaker embeddings"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure_conversion(Path(scratch), arguments.clips)
        measure_embedding(Path(scratch), arguments.embedded)


if __name__ == "__main__":
    main()
