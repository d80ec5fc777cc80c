import numpy as np
import pytest

from lib.evaluation.composite import COLUMNS
from lib.report.plot_style import read_description
from lib.report.training_plots import plot_checkpoints, plot_training, read_curves, running_mean
from tests.fixtures.made_run import write_log
from tests.fixtures.svg import count_pictures, texts


def draw(run, log):
    output = run.folder / "report/training"
    plot_training(log, run.folder / "training.json", output)
    return output


def test_curves_are_read_without_what_is_not_finite(tmp_path):
    curves = read_curves(write_log(tmp_path / "log"))
    assert curves["train/mel"].steps.tolist() == [0, 10, 20, 30, 40]
    assert curves["train/mel"].values == pytest.approx([100, 50, 100 / 3, 25, 20])
    assert curves["gradient_norm/generator"].steps.tolist() == [10, 20, 30, 40]


def test_a_resumed_training_is_one_curve(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    log = write_log(tmp_path / "log")
    # TensorBoard orders event files by the second in their names; a resume comes seconds later.
    (first,) = log.iterdir()
    first.rename(log / "events.out.tfevents.1000000000.host.1.0")
    with SummaryWriter(str(log), purge_step=30) as writer:
        writer.add_scalar("train/mel", 7.0, 30)
    curve = read_curves(log)["train/mel"]
    assert curve.steps.tolist() == [0, 10, 20, 30]
    assert curve.values[-1] == 7.0


def test_training_figures_mark_the_best_epoch(run):
    folder = draw(run.write(), write_log(run.folder / "tensorboard"))
    assert {"mel", "kl", "discriminator", "training", "validation"} <= set(
        texts(folder / "losses.svg")
    )
    assert "best: epoch 6, 41.5" in texts(folder / "validation.svg")
    assert "mel from 100 to 20" in read_description(folder / "losses.svg")[1]
    assert {"Learning rate", "generator"} <= set(texts(folder / "optimizer.svg"))


def test_the_best_mark_is_at_the_best_score(run, monkeypatch):
    from matplotlib.axes import Axes

    marked = []
    draw_points = Axes.scatter
    monkeypatch.setattr(
        Axes, "scatter", lambda *a, **k: marked.append(a[1:3]) or draw_points(*a, **k)
    )
    draw(run.write(), write_log(run.folder / "tensorboard"))
    # Scores 45, 44, 43, 42, 50; the summary says 41.5.
    assert marked == [(30.0, 42.0)]


def test_without_validation_the_figure_says_so(run):
    run.validation = False
    folder = draw(run.write(), write_log(run.folder / "tensorboard", validation=False))
    assert "No clip was held out, so there was no validation." in texts(folder / "validation.svg")
    assert "validation" not in texts(folder / "losses.svg")


def test_without_a_log_the_figures_say_so(run):
    folder = draw(run.write(), run.folder / "tensorboard")
    assert texts(folder / "losses.svg").count("not logged") == 6
    assert read_description(folder / "losses.svg")[1] == "The training has no log."


def test_a_long_training_is_smoothed(run):
    folder = draw(run.write(), write_log(run.folder / "tensorboard", points=3_000))
    # Six losses and the validation of one: noise is a picture, with a smooth line over it.
    assert count_pictures(folder / "losses.svg") == 7
    assert (folder / "losses.svg").stat().st_size < 500_000


def test_running_mean():
    values = np.array([0.0, 3.0, 6.0, 9.0, 0.0])
    assert running_mean(values, 3).tolist() == [0.0, 3.0, 6.0, 5.0, 0.0]
    assert running_mean(np.array([5.0]), 9).tolist() == [5.0]


def test_kept_checkpoints_are_drawn_over_their_epochs(tmp_path):
    rows = [dict.fromkeys(COLUMNS, "") for _ in range(3)]
    rows[0]["composite"] = "0.9"  # of the recordings, which have no epoch
    for row, epoch, words, composite in ((rows[1], 25, 0.5, 0.6), (rows[2], 50, 0.75, 0.4)):
        row |= {"epoch": str(epoch), "words": str(words), "composite": str(composite)}
    plot_checkpoints(rows, tmp_path / "checkpoints.svg")
    assert read_description(tmp_path / "checkpoints.svg") == (
        "Kept checkpoints",
        "Composite: epoch 25 0.600, epoch 50 0.400.",
    )
    shown = texts(tmp_path / "checkpoints.svg")
    assert {"Composite", "words", "not measured", "epoch"} <= set(shown)
    # There is no half of an epoch, between these or between the next ones.
    rows[2]["epoch"] = "28"
    plot_checkpoints(rows, tmp_path / "near.svg")
    assert {"25", "26", "27", "28"} <= set(texts(tmp_path / "near.svg"))
    assert not {"25.5", "26.5"} & set(texts(tmp_path / "near.svg"))
    assert "sentences" not in shown


def test_without_a_measured_checkpoint_the_figure_says_so(tmp_path):
    plot_checkpoints([], tmp_path / "checkpoints.svg")
    assert read_description(tmp_path / "checkpoints.svg")[1] == "No checkpoint was measured."
