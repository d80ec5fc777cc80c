"""Figures of a training, from its TensorBoard logs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lib.files import read_json
from lib.report.plot_style import (
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    RED,
    annotate,
    needs_picture,
    new_figure,
    save_figure,
    styled,
)
from lib.tables import read_table

LOSSES = ("mel", "kl", "duration", "feature", "adversarial", "discriminator")
# A curve with more points than these is drawn with its running mean.
MANY_POINTS = 100
# The axis is logarithmic where the largest value is more than this many times the smallest.
WIDE_RANGE = 30.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A logged number: ``(points,)`` steps and values, finite ones only."""

    steps: np.ndarray
    values: np.ndarray


def plot_training(
    tensorboard: Path, summary: Path, output: Path, checkpoints: Path | None = None
) -> None:
    """Draw losses, validation and optimizer into a folder.

    Parameters
    ----------
    tensorboard
        Folder with the event files of the training.
    summary
        training.json, which has the best epoch.
    checkpoints
        Table of lib.evaluation.checkpoints; None draws no figures of checkpoints.
    """
    output.mkdir(parents=True, exist_ok=True)
    curves = read_curves(tensorboard)
    plot_losses(curves, output / "losses.svg")
    plot_validation(curves, read_json(summary), output / "validation.svg")
    plot_optimizer(curves, output / "optimizer.svg")
    if checkpoints:
        plot_checkpoints(read_table(checkpoints), output / "checkpoints.svg")


def read_curves(tensorboard: Path) -> dict[str, Curve]:
    """Return all scalars of a folder of event files, by tag; none if there is no folder."""
    if not tensorboard.is_dir():
        return {}
    # 0 keeps all. One picture and one sound are kept at a time, as they are not drawn.
    kept = {"scalars": 0, "images": 1, "audio": 1, "histograms": 1, "tensors": 1}
    events = EventAccumulator(str(tensorboard), size_guidance=kept)
    events.Reload()
    curves = {}
    for tag in events.Tags()["scalars"]:
        points = {event.step: event.value for event in events.Scalars(tag)}
        pairs = np.array(sorted(points.items()), dtype=float)
        pairs = pairs[np.isfinite(pairs[:, 1])]
        if len(pairs):
            curves[tag] = Curve(pairs[:, 0], pairs[:, 1])
    return curves


@styled
def plot_losses(curves: Mapping[str, Curve], path: Path) -> None:
    """Draw every loss of the training, and of the validation where it was measured."""
    figure, panels = new_figure(height=5.0, rows=2, columns=3)
    for name, axes in zip(LOSSES, panels, strict=True):
        axes.set_title(name)
        train, held_out = curves.get(f"train/{name}"), curves.get(f"validation/{name}")
        if train is None:
            annotate(axes, "not logged")
            continue
        draw_curve(axes, train, BLUE, "training")
        if held_out is not None:
            draw_curve(axes, held_out, ORANGE, "validation", marker="o")
        _choose_scale(axes, [curve for curve in (train, held_out) if curve is not None])
    for axes in panels[3:]:
        axes.set_xlabel("step")
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=2)
    listed = "; ".join(
        f"{name} from {curve.values[0]:.3g} to {curve.values[-1]:.3g}"
        for name in LOSSES
        if (curve := curves.get(f"train/{name}")) is not None
    )
    description = f"Over the training: {listed}." if listed else "The training has no log."
    save_figure(figure, path, "Losses", description)


@styled
def plot_validation(curves: Mapping[str, Curve], summary: Mapping, path: Path) -> None:
    """Draw the validation score, with the best epoch."""
    figure, (axes,) = new_figure()
    axes.set_title("Validation score (lower is better)")
    score = curves.get("validation/score")
    if score is None:
        text = "No clip was held out, so there was no validation."
        annotate(axes, text)
        return save_figure(figure, path, "Validation score", text)
    draw_curve(axes, score, ORANGE, "score", marker="o")
    _choose_scale(axes, [score])
    description = f"From {score.values[0]:.4g} to {score.values[-1]:.4g}."
    if summary["best_epoch"] is not None and summary["best_score"] is not None:
        # The log has steps and no epochs, so that the best one is found by its score.
        best = int(np.abs(score.values - summary["best_score"]).argmin())
        place = (score.steps[best], score.values[best])
        text = f"best: epoch {summary['best_epoch']}, {summary['best_score']:.4g}"
        axes.scatter(*place, s=130, facecolors="none", edgecolors=RED, linewidths=1.8, zorder=4)
        late = place[0] > score.steps.mean()
        axes.annotate(
            text,
            place,
            # Below: the curve comes from above to its lowest point.
            xytext=(-12 if late else 12, -8),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            color=RED,
            fontweight="bold",
        )
        description += f" {text.capitalize()}."
    axes.set_xlabel("step")
    axes.margins(y=0.25)
    save_figure(figure, path, "Validation score", description)


@styled
def plot_optimizer(curves: Mapping[str, Curve], path: Path) -> None:
    """Draw the learning rate and the norms of both networks' gradients."""
    figure, (left, right) = new_figure(height=3.0, columns=2)
    left.set_title("Learning rate")
    right.set_title("Gradient norm")
    rate = curves.get("optimizer/learning_rate")
    if rate is None:
        annotate(left, "not logged")
    else:
        draw_curve(left, rate, GREEN, "learning rate", smooth=False)
        left.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
        left.set_ylim(0, 1.1 * rate.values.max())
    colours = {"generator": BLUE, "discriminator": ORANGE}
    norms = {name: curves.get(f"gradient_norm/{name}") for name in colours}
    norms = {name: curve for name, curve in norms.items() if curve is not None}
    for name, curve in norms.items():
        draw_curve(right, curve, colours[name], name)
    if norms:
        _choose_scale(right, list(norms.values()))
        right.legend()
    else:
        annotate(right, "not logged")
    for axes in (left, right):
        axes.set_xlabel("step")
    listed = "; ".join(
        f"{name} median {np.median(curve.values):.3g}, largest {curve.values.max():.3g}"
        for name, curve in norms.items()
    )
    text = f"Gradient norms: {listed}." if listed else "The training has no log."
    save_figure(figure, path, "Optimizer", text)


CHECKPOINT_PANELS = {
    "Understood (share)": {"sentences": BLUE, "words": ORANGE},
    "Similarity": {"own_similarity": BLUE, "other_similarity": ORANGE},
    "Distortion (dB)": {"distortion": BLUE},
    "Naturalness (1 to 5)": {"naturalness": BLUE},
    "Likelihood (nats)": {"likelihood_train": BLUE, "likelihood_validation": ORANGE},
    "Composite": {"composite": GREEN},
}


@styled
def plot_checkpoints(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw the figures of the kept checkpoints over their epochs.

    Parameters
    ----------
    rows
        Table of lib.evaluation.checkpoints; those without an epoch are left out.
    """
    kept = [row for row in rows if row["epoch"]]
    figure, panels = new_figure(height=5.0, rows=2, columns=3)
    for (title, names), axes in zip(CHECKPOINT_PANELS.items(), panels, strict=True):
        axes.set_title(title)
        for name, colour in names.items():
            points = [(int(row["epoch"]), float(row[name])) for row in kept if row[name]]
            if points:
                label = name.removeprefix("likelihood_").replace("_", " ")
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", label=label)
        if not axes.lines:
            annotate(axes, "not measured")
        elif len(names) > 1:
            axes.legend(fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels[3:]:
        axes.set_xlabel("epoch")
    scored = [row for row in kept if row["composite"]]
    listed = ", ".join(f"epoch {row['epoch']} {float(row['composite']):.3f}" for row in scored)
    text = f"Composite: {listed}." if listed else "No checkpoint was measured."
    save_figure(figure, path, "Kept checkpoints", text)


def draw_curve(
    axes: Axes, curve: Curve, colour: str, label: str, marker: str = "", smooth: bool = True
) -> None:
    """Draw a curve; one with many points as its running mean over a pale line."""
    many = len(curve.values) > MANY_POINTS
    if smooth and many:
        pale = {"linewidth": 0.7, "alpha": 0.3, "rasterized": needs_picture(curve.values)}
        axes.plot(curve.steps, curve.values, color=colour, **pale)
        width = max(5, len(curve.values) // 40)
        axes.plot(curve.steps, running_mean(curve.values, width), color=colour, label=label)
        return
    if len(curve.values) == 1:
        marker = "o"
    size = {"marker": "" if many else marker, "markersize": 4}
    axes.plot(curve.steps, curve.values, color=colour, label=label, **size)


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Return the mean over a window of this many points, narrower at both ends; ``(points,)``."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    reach = np.minimum(np.minimum(places, len(values) - 1 - places), width // 2)
    return (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)


def _choose_scale(axes: Axes, curves: list[Curve]) -> None:
    lowest = min(curve.values.min() for curve in curves)
    highest = max(curve.values.max() for curve in curves)
    if lowest > 0 and highest > WIDE_RANGE * lowest:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=5)
    axes.tick_params(axis="both", labelsize=9)
    axes.yaxis.get_offset_text().set_color(FAINT)
