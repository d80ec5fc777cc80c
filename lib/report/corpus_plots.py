"""Figures of the clips and of the speakers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lib.audio.table import read_measurements
from lib.report.plot_style import (
    BLUE,
    COLOURS,
    FAINT,
    INK,
    ORANGE,
    PAPER,
    RED,
    annotate,
    needs_picture,
    new_figure,
    save_figure,
    shorten,
    styled,
)
from lib.report.tables import (
    accepted_clips,
    format_duration,
    label_speaker,
    read_names,
)
from lib.tables import read_table

SPLIT_COLOURS = {"train": BLUE, "validation": ORANGE}
MAX_BARS = 40
MAX_NAMED_SPEAKERS = 15


def plot_corpus(
    measurements: Path,
    manifest: Path,
    rejected: Path,
    registry: Path,
    loudness: float,
    output: Path,
) -> None:
    """Draw durations, seconds per speaker, loudness and rejections into a folder.

    Parameters
    ----------
    loudness
        Target of the conversion, in LUFS.
    """
    output.mkdir(parents=True, exist_ok=True)
    clips = accepted_clips(manifest)
    plot_durations(clips, output / "durations.svg")
    plot_speaking_time(clips, read_names(registry), output / "speaking_time.svg")
    plot_loudness(measurements, loudness, output / "loudness.svg")
    plot_rejections(read_table(rejected), output / "rejections.svg")


@styled
def plot_durations(clips: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw a histogram of the durations of the accepted clips, by split."""
    figure, (axes,) = new_figure()
    axes.set_title("Length of the clips")
    splits = {
        split: np.array([float(c["duration"]) for c in clips if c["split"] == split])
        for split in SPLIT_COLOURS
    }
    splits = {split: values for split, values in splits.items() if len(values)}
    if not splits:
        annotate(axes, "No clip was accepted.")
        return save_figure(figure, path, "Length of the clips", "No clip was accepted.")
    values = np.concatenate(list(splits.values()))
    bins = int(np.clip(np.sqrt(len(values)) * 2, 8, 50))
    axes.hist(
        list(splits.values()),
        bins=np.histogram_bin_edges(values, bins),
        stacked=True,
        color=[SPLIT_COLOURS[split] for split in splits],
        label=[f"{split}: {count(len(v), 'clip')}" for split, v in splits.items()],
        edgecolor=PAPER,
        linewidth=0.6,
    )
    axes.set(xlabel="seconds", ylabel="clips")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside upper right", ncols=2)
    description = (
        f"{count(len(values), 'accepted clip')} of {values.min():.1f} to {values.max():.1f} s, "
        f"median {np.median(values):.1f} s, together {format_duration(values.sum())}."
    )
    save_figure(figure, path, "Length of the clips", description)


@styled
def plot_speaking_time(
    clips: Sequence[Mapping[str, str]], names: Mapping[str, str], path: Path
) -> None:
    """Draw the duration of each speaker's speech, by split."""
    times: dict[str, Counter] = {}
    for clip in clips:
        times.setdefault(clip["speaker_id"], Counter())[clip["split"]] += float(clip["duration"])
    ranked = sorted(times, key=lambda speaker: (-times[speaker].total(), speaker))
    shown = ranked[:MAX_BARS]
    figure, (axes,) = new_figure(height=1.1 + 0.3 * max(2, len(shown)))
    axes.set_title("Speech of each speaker")
    if not shown:
        annotate(axes, "No clip was accepted.")
        return save_figure(figure, path, "Speech of each speaker", "No clip was accepted.")
    left = np.zeros(len(shown))
    for split, colour in SPLIT_COLOURS.items():
        widths = np.array([times[speaker][split] for speaker in shown])
        axes.barh(range(len(shown)), widths, left=left, color=colour, label=split, height=0.7)
        left += widths
    for row, seconds in enumerate(left):
        axes.annotate(
            format_duration(seconds),
            (seconds, row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=FAINT,
            fontsize=9,
        )
    axes.set_yticks(range(len(shown)), [shorten(label_speaker(s, names)) for s in shown])
    axes.set(xlabel="seconds", xlim=(0, left.max() * 1.12), ylim=(len(shown) - 0.4, -0.6))
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper right", ncols=2)
    totals = [times[speaker].total() for speaker in ranked]
    description = (
        f"{count(len(ranked), 'speaker')}, from {format_duration(totals[-1])} to "
        f"{format_duration(totals[0])} of accepted speech each."
    )
    if len(ranked) > MAX_BARS:
        description += f" The {MAX_BARS} who speak longest are shown."
    save_figure(figure, path, "Speech of each speaker", description)


@styled
def plot_loudness(measurements: Path, target: float, path: Path) -> None:
    """Draw every clip's loudness before and after conversion, with the target."""
    figure, (axes,) = new_figure()
    axes.set_title("Loudness before and after")
    measured = [m for m in read_measurements(measurements).values() if m.status == "ok"]
    measured.sort(key=lambda m: m.loudness_before)
    if not measured:
        annotate(axes, "No clip could be measured.")
        return save_figure(figure, path, "Loudness before and after", "No clip could be measured.")
    before = np.array([m.loudness_before for m in measured])
    after = np.array([m.loudness_after for m in measured])
    bound = np.array([m.peak_bound for m in measured])
    style = {"s": 16, "linewidths": 0, "rasterized": needs_picture(measured)}
    places = np.arange(1, len(measured) + 1)
    axes.axhline(target, color=RED, linewidth=1.2, linestyle="--", label=f"target {target:g} LUFS")
    axes.scatter(places, before, color="#9aa4b2", label="before", **style)
    axes.scatter(places[~bound], after[~bound], color=BLUE, label="after", **style)
    if bound.any():
        label = "after, limited by its peak"
        axes.scatter(places[bound], after[bound], color=ORANGE, label=label, **style)
    axes.set(xlabel="clips, from the quietest to the loudest", ylabel="LUFS")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=4)
    description = (
        f"{count(len(measured), 'clip')} from {before.min():.1f} to {before.max():.1f} LUFS were "
        f"brought to {target:g} LUFS."
    )
    if bound.any():
        description += (
            f" {count(int(bound.sum()), 'clip')} stayed below: their peaks are at the ceiling."
        )
    save_figure(figure, path, "Loudness before and after", description)


@styled
def plot_rejections(rejected: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw how many clips were rejected, by reason."""
    reasons = Counter(row["reason"] for row in rejected).most_common()
    figure, (axes,) = new_figure(height=1.1 + 0.34 * max(2, len(reasons)))
    axes.set_title("Rejected clips")
    if not reasons:
        annotate(axes, "No clip was rejected.")
        return save_figure(figure, path, "Rejected clips", "No clip was rejected.")
    counts = [number for _, number in reasons]
    bars = axes.barh(range(len(reasons)), counts, color=RED, height=0.65)
    axes.bar_label(bars, padding=5, color=FAINT, fontsize=9)
    axes.set_yticks(range(len(reasons)), [reason.replace("_", " ") for reason, _ in reasons])
    axes.set(xlabel="clips", xlim=(0, max(counts) * 1.1), ylim=(len(reasons) - 0.4, -0.6))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", visible=False)
    listed = ", ".join(f"{reason.replace('_', ' ')} {number}" for reason, number in reasons)
    description = f"{count(len(rejected), 'clip')} rejected: {listed}."
    save_figure(figure, path, "Rejected clips", description)


def plot_speakers(
    speaker_map: Path, assignments: Path, registry: Path, min_confidence: float, output: Path
) -> None:
    """Draw the speaker map into a folder.

    Parameters
    ----------
    min_confidence
        Clips with a confidence below this are marked as uncertain.
    """
    output.mkdir(parents=True, exist_ok=True)
    uncertain = {
        row["clip"] for row in read_table(assignments) if float(row["confidence"]) < min_confidence
    }
    plot_speaker_map(
        read_table(speaker_map), uncertain, read_names(registry), output / "speaker_map.svg"
    )


@styled
def plot_speaker_map(
    places: Sequence[Mapping[str, str]], uncertain: set[str], names: Mapping[str, str], path: Path
) -> None:
    """Draw the speaker embedding of every clip in two dimensions, coloured by speaker."""
    figure, (axes,) = new_figure(height=5.2)
    axes.set_title("Speaker map")
    speakers = sorted({row["speaker_id"] for row in places})
    if not speakers:
        annotate(axes, "No clip has a speaker.")
        return save_figure(figure, path, "Speaker map", "No clip has a speaker.")
    crowded = needs_picture(places)
    style = {"s": 8 if crowded else 26, "alpha": 0.8, "linewidths": 0, "rasterized": crowded}
    for number, speaker in enumerate(speakers):
        points = _points(row for row in places if row["speaker_id"] == speaker)
        colour = COLOURS[number % len(COLOURS)]
        marker = "osD^vP"[number // len(COLOURS) % 6]
        axes.scatter(*points.T, color=colour, marker=marker, **style)
        top = (points[:, 0].mean(), points[:, 1].max())
        _label_speaker(axes, top, speaker, names, colour, len(speakers))
    uncertain_points = _points(row for row in places if row["clip"] in uncertain)
    if len(uncertain_points):
        axes.scatter(
            *uncertain_points.T,
            s=3.5 * style["s"],
            facecolors="none",
            edgecolors=INK,
            label="uncertain speaker",
        )
        axes.legend(loc="best")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel("first two principal components of the speaker embeddings", color=FAINT)
    axes.margins(0.1)
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[:].set_visible(False)
    description = (
        f"{count(len(places), 'clip')} of {count(len(speakers), 'speaker')}; each point is a clip, "
        "points of one colour are one speaker. "
        f"The speaker of {count(len(uncertain_points), 'clip')} is uncertain."
    )
    save_figure(figure, path, "Speaker map", description)


def _points(rows) -> np.ndarray:
    return np.array([(float(row["x"]), float(row["y"])) for row in rows]).reshape(-1, 2)


def _label_speaker(
    axes: Axes,
    place: tuple[float, float],
    speaker: str,
    names: Mapping[str, str],
    colour: str,
    num_speakers: int,
) -> None:
    """Write a speaker's name above the clips."""
    few = num_speakers <= MAX_NAMED_SPEAKERS
    axes.annotate(
        shorten(label_speaker(speaker, names)) if few else speaker,
        place,
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9.5 if few else 6,
        fontweight="bold",
        bbox={
            "boxstyle": "round,pad=0.25",
            "facecolor": PAPER,
            "edgecolor": colour,
            "alpha": 0.85,
            "linewidth": 1.0,
        },
    )


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 clip, 2 clips."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
