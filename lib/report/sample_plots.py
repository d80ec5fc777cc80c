"""Figures that compare the new voices with the recordings."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
import torch
from matplotlib.axes import Axes

from lib.report.plot_style import annotate, new_figure, save_figure, shorten, styled
from lib.report.tables import Example, collect_examples, label_speaker, read_names
from lib.vits.spectrogram import Spectrogram, SpectrogramSettings

MAX_SPEAKERS = 10
# Range of the colours, in natural logarithms of mel magnitudes: from silence to the loudest.
_RANGE = (-9.0, 2.0)


def plot_samples(samples: Path, manifest: Path, clips: Path, registry: Path, output: Path) -> None:
    """Draw a sample of each speaker beside an original clip into a folder."""
    output.mkdir(parents=True, exist_ok=True)
    examples = collect_examples(samples, manifest)
    plot_spectrograms(examples, clips, read_names(registry), output / "spectrograms.svg")


@styled
def plot_spectrograms(
    examples: list[Example], clips: Path, names: Mapping[str, str], path: Path
) -> None:
    """Draw mel spectrograms, a row per speaker: the new voice, and a recording."""
    shown = examples[:MAX_SPEAKERS]
    figure, panels = new_figure(height=0.5 + 1.7 * max(1, len(shown)), rows=len(shown), columns=2)
    for example, (left, right) in zip(shown, panels.reshape(-1, 2), strict=True):
        left.set_title(f"{shorten(label_speaker(example.speaker, names))}: new voice")
        seconds = _draw_mel(left, example.sentences[0][1])
        if example.recording is None:
            annotate(right, "no recording")
            continue
        right.set_title(f"recording {shorten(example.recording['clip'])}")
        seconds = max(seconds, _draw_mel(right, clips / f"{example.recording['clip']}.wav"))
        # The same scale on both sides shows who speaks faster.
        left.set_xlim(0, seconds)
        right.set_xlim(0, seconds)
    for axes in panels[-2:]:
        axes.set_xlabel("seconds")
    description = (
        "Mel spectrograms: the new voice on the left, a recording of the same speaker on the "
        "right. Speakers: "
        + ", ".join(label_speaker(example.speaker, names) for example in shown)
        + "."
    )
    if len(examples) > len(shown):
        description += f" The first {len(shown)} of {len(examples)} speakers are shown."
    save_figure(figure, path, "Spectrograms", description)


def compute_mel(wav: Path) -> tuple[np.ndarray, float]:
    """Return the log-mel ``(mels, frames)`` of a file, and its length in seconds."""
    samples, sample_rate = soundfile.read(wav, dtype="float32")
    spectrogram = Spectrogram(SpectrogramSettings(sample_rate=sample_rate))
    # The analysis reflects this many samples at each end, so that shorter audio is padded.
    shortest = spectrogram.padding + 1
    padded = np.pad(samples, (0, max(0, shortest - len(samples))))
    audio = torch.from_numpy(padded).unsqueeze(0)
    mel = spectrogram.mel(spectrogram.linear(audio, torch.tensor([len(padded)])))
    return mel[0].numpy(), len(samples) / sample_rate


def _draw_mel(axes: Axes, wav: Path) -> float:
    """Draw a file's mel spectrogram; return its length in seconds."""
    mel, seconds = compute_mel(wav)
    axes.imshow(
        mel,
        origin="lower",
        aspect="auto",
        extent=(0, seconds, 0, len(mel)),
        cmap="magma",
        vmin=_RANGE[0],
        vmax=_RANGE[1],
        interpolation="nearest",
    )
    axes.set(yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return seconds
