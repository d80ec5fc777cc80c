"""Pictures of the learning: curves, alignments, spectrograms."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import librosa
import numpy as np
import torch
from matplotlib.axes import Axes
from transformers import VitsModel

from benchmarks.learn_to_speak.corpus import invent_corpus
from benchmarks.learn_to_speak.measure import Aligner, Manner, read_recordings, synthesize_sentences
from benchmarks.learn_to_speak.sentences import join
from lib.base_model.export import export_checkpoint
from lib.files import read_json
from lib.report.plot_style import BLUE, FAINT, ORANGE, new_figure, styled
from lib.report.training_plots import read_curves
from lib.training.checkpoint import load_checkpoint
from lib.vits.clips import collate
from lib.vits.model import forward_step, prepare_for_training
from lib.vits.spectrogram import Spectrogram

_COLOURS = {"deterministic": BLUE, "stochastic": ORANGE}
_SHOWN = 3
"""Which held-out sentence, and which validation clip."""


@styled
def draw_learning(work: Path, results: dict, path: Path) -> None:
    """Draw alignment error and losses over the optimizer steps."""
    figure, axes = new_figure(10, 6, rows=2, columns=2)
    curves = {kind: read_curves(work / kind / "tensorboard") for kind in _COLOURS}
    for kind, colour in _COLOURS.items():
        errors = results[kind]["alignment_error"]
        axes[0].plot([int(s) for s in errors], errors.values(), color=colour, label=kind)
        for axis, tag in zip(
            axes[1:], ("validation/mel", "validation/kl", "validation/duration"), strict=True
        ):
            if tag in curves[kind]:
                axis.plot(curves[kind][tag].steps, curves[kind][tag].values, color=colour)
    titles = ("alignment error at word starts (ms)", "mel", "KL", "duration")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title)
        axis.axvline(results["deterministic"]["discriminator_start_step"], color=FAINT, ls=":")
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(0, 1.2)
    axes[2].set_ylim(0, 6)
    axes[0].legend()
    for axis in axes[2:]:
        axis.set_xlabel("optimizer steps; from the dotted line on with a discriminator")
    figure.savefig(path, dpi=110)


@styled
def draw_alignments(work: Path, kinds: Sequence[str], path: Path) -> None:
    """Draw the path through one recording at the start, a third of the way and at the end."""
    figure, axes = new_figure(10, 6, rows=len(kinds), columns=3)
    for row, kind in enumerate(kinds):
        aligner = Aligner(work / kind, work / "corpus/recordings/word_starts.json")
        checkpoints = sorted((work / kind / "checkpoints").glob("epoch????"))
        chosen = [checkpoints[0], checkpoints[len(checkpoints) // 3], checkpoints[-1]]
        for axis, checkpoint in zip(axes[3 * row :], chosen, strict=False):
            _draw_path(axis, aligner, checkpoint)
            axis.set_title(f"{kind}, epoch {int(checkpoint.name[5:])}")
    figure.savefig(path, dpi=110)


@torch.no_grad()
def _draw_path(axis: Axes, aligner: Aligner, checkpoint: Path) -> None:
    model = prepare_for_training(VitsModel.from_pretrained(aligner.base.directory))
    model.load_state_dict(dict(load_checkpoint(checkpoint).ema))
    model.eval()
    clip = aligner.clips[_SHOWN]
    torch.manual_seed(0)
    path = forward_step(model, None, collate([clip]), Spectrogram(), 16).generated.path[0]
    axis.imshow(path.T, origin="lower", aspect="auto", cmap="Greys", interpolation="nearest")
    starts = {int(at): second for at, second in aligner.word_starts[clip.id].items()}
    axis.plot(
        [second / 0.016 for second in starts.values()],
        [2 * at + 1 for at in starts],
        "o",
        color=ORANGE,
        markersize=4,
        label="true word starts",
    )
    axis.set(xlabel="frames of 16 ms", ylabel="tokens")
    axis.grid(False)


@styled
def draw_speech(work: Path, kinds: Sequence[str], path: Path) -> None:
    """Draw spectrograms of one held-out sentence: recorded, and as each voice says it."""
    figure, axes = new_figure(10, 7, rows=1 + len(kinds))
    text = join(invent_corpus()[1][_SHOWN])
    _draw_mel(axes[0], read_recordings(work / "corpus/held_out")[_SHOWN], f"espeak-ng: {text}")
    for axis, kind in zip(axes[1:], kinds, strict=True):
        results = work / kind
        last = sorted((results / "checkpoints").glob("epoch????"))[-1]
        with tempfile.TemporaryDirectory() as folder:
            export_checkpoint(last, results / "base_model", Path(folder) / "model", "eng")
            spoken = synthesize_sentences(Path(folder) / "model", Manner())[_SHOWN]
        epoch = read_json(last / "state.json")["state"]["epoch"]
        _draw_mel(axis, spoken, f"{kind} durations, epoch {epoch}")
    figure.savefig(path, dpi=110)


def _draw_mel(axis: Axes, samples: np.ndarray, title: str) -> None:
    mel = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=1024, hop_length=256)
    decibels = librosa.power_to_db(mel, ref=np.max)
    seconds = len(samples) / 16_000
    axis.imshow(decibels, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, 128))
    axis.set(title=title, xlabel="seconds", ylabel="mel band")
    axis.grid(False)
