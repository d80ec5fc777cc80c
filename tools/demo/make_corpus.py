"""Make the embedded demo corpus: four synthetic voices in many formats, and two bad files.

The corpus is part of the repository, so nobody needs to run this. It is kept so that the corpus
can be inspected and made again: ``python -m tools.demo.make_corpus``. It needs the command
``espeak-ng`` (1.51 was used) and writes the same bytes every time on the same versions.
"""

import argparse
import csv
import io
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

DEMO = Path(__file__).resolve().parents[2] / "resources/demo"
ENCODER_FLAGS = {"fflags": "+bitexact"}  # no random stream ids: same input, same file


@dataclass(frozen=True)
class Voice:
    """How espeak-ng is asked to speak."""

    speaker: str
    voice: str
    pitch: int
    words_per_minute: int


@dataclass(frozen=True)
class Encoding:
    """One kind of file that people really have."""

    suffix: str
    codec: str
    sample_rate: int
    channels: int = 1
    bit_rate: int | None = None


# Voices that pocketsphinx understands, with the smallest similarity of resemblyzer embeddings
# between them. The base model (resources/base_model) was not trained on any of them.
VOICES = (
    Voice("david", "en-us+david", 50, 165),
    Voice("iven", "en-us+iven", 55, 165),
    Voice("nguyen", "en-gb-scotland+Nguyen", 60, 165),
    Voice("steph", "en-us+steph3", 60, 170),
)
WEBM = Encoding("webm", "libopus", 48_000, bit_rate=32_000)
WEBM_STEREO = Encoding("webm", "libopus", 48_000, channels=2, bit_rate=48_000)
# One round per four clips (one of each voice), so that no voice has a codec of its own.
ROUNDS = (
    WEBM,
    WEBM,
    Encoding("mp3", "libmp3lame", 44_100, bit_rate=64_000),
    WEBM,
    WEBM_STEREO,
    Encoding("flac", "flac", 22_050),
    WEBM,
    WEBM,
    Encoding("ogg", "vorbis", 44_100, channels=2),
    WEBM,
    WEBM,
    WEBM_STEREO,
    WEBM,
    WEBM,
    Encoding("wav", "pcm_s16le", 16_000),
    *[WEBM] * 9,
)


def speak(voice: Voice, text: str) -> tuple[np.ndarray, int]:
    """Return what espeak-ng says, as float samples, and their sample rate."""
    command = ["espeak-ng", "-v", voice.voice, "-p", str(voice.pitch)]
    command += ["-s", str(voice.words_per_minute), "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    return soundfile.read(io.BytesIO(spoken), dtype="float32")


def encode(samples: np.ndarray, encoding: Encoding) -> bytes:
    """Return the file that holds mono `samples`, which have the encoding's own sample rate."""
    layout = "mono" if encoding.channels == 1 else "stereo"
    integers = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    interleaved = np.repeat(integers, encoding.channels)[None]
    frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
    frame.sample_rate = encoding.sample_rate
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=encoding.suffix, options=ENCODER_FLAGS) as container:
        stream = container.add_stream(encoding.codec, rate=encoding.sample_rate, layout=layout)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.codec_context.options = {"strict": "experimental"}  # FFmpeg's own vorbis encoder
        if encoding.bit_rate:
            stream.bit_rate = encoding.bit_rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def make_clip(number: int, text: str) -> tuple[str, bytes, str]:
    """Return name, content and speaker of one spoken clip."""
    voice, encoding = VOICES[number % len(VOICES)], ROUNDS[number // len(VOICES) % len(ROUNDS)]
    samples, sample_rate = speak(voice, text)
    samples = soxr.resample(samples, sample_rate, encoding.sample_rate)
    # Levels differ as they do between recordings: peaks from -1 to -19 dBFS.
    peak = 10 ** (-(1 + 18 * random.Random(number).random()) / 20)
    name = f"demo_{number + 1:03d}.{encoding.suffix}"
    return name, encode(samples * (peak / np.abs(samples).max()), encoding), voice.speaker


def make_corpus(corpus: Path, truth: Path) -> None:
    """Write the audio files and metadata.csv into `corpus`, and the true speakers to `truth`."""
    texts = (DEMO / "sentences.txt").read_text("utf-8").splitlines()
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    clips = [(*make_clip(number, text), text) for number, text in enumerate(texts)]
    silence = encode(np.zeros(2 * WEBM.sample_rate, np.float32), WEBM)
    clips.append((f"demo_{len(clips) + 1:03d}.webm", silence, "", "This clip holds only silence."))
    broken = random.Random(0).randbytes(8000)
    clips.append((f"demo_{len(clips) + 1:03d}.webm", broken, "", "This file cannot be decoded."))

    with (corpus / "metadata.csv").open("w", encoding="utf-8", newline="") as metadata_file:
        metadata = csv.writer(metadata_file, lineterminator="\n")
        metadata.writerow(["file_name", "text"])
        for name, content, _, text in clips:
            (corpus / name).write_bytes(content)
            metadata.writerow([name, text])
    with truth.open("w", encoding="utf-8", newline="") as truth_file:
        rows = csv.writer(truth_file, lineterminator="\n")
        rows.writerow(["file_name", "speaker"])
        rows.writerows([name, speaker] for name, _, speaker, _ in clips)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=DEMO / "corpus")
    parser.add_argument("--truth", type=Path, default=DEMO / "truth.csv")
    arguments = parser.parse_args()
    make_corpus(arguments.corpus, arguments.truth)
