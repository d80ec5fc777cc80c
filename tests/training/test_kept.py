"""What a training keeps and names: the state it reached, what stepped aside, the best epoch."""

import dataclasses
import os
import shutil

import pytest

from lib.base_model.export import export_trained
from lib.base_model.weights import DamagedCheckpointError
from lib.files import read_json
from lib.training.checkpoint import (
    load_checkpoint,
    newest_checkpoint,
    recover_checkpoints,
    save_checkpoint,
)
from lib.training.trainer import Trainer
from lib.training.validation import Validator
from tests.fixtures.training import QUICK, assert_equal, make_paths, run, weights

# ---------------------------------------------------------------- less than was done already


def test_fewer_epochs_than_were_trained_end_with_weights_that_are_there(
    paths, base, tmp_path, caplog
):
    run(paths, epochs=3, checkpoint_every=100, max_validation_clips=0)
    shutil.rmtree(paths.checkpoints / "epoch0003")
    # What is left is a state within the third epoch, as a kill leaves it.
    trainer = Trainer(
        dataclasses.replace(QUICK, epochs=3, checkpoint_every=100, max_validation_clips=0),
        paths,
        use_gpu=False,
    )
    trainer.state.epoch, trainer.state.batch, trainer.state.step = 2, 1, 5
    trainer._save("step00000005")
    summary = run(paths, epochs=1, checkpoint_every=100, max_validation_clips=0)
    assert "training.epochs is 1, and epoch 2 is done already" in caplog.text
    for choice in ("last", "best"):
        export_trained(paths.summary, choice, base, tmp_path / choice, "eng")
    assert summary["last"] == "weights/step00000005"
    # With more epochs it goes on from there.
    assert run(paths, epochs=3, max_validation_clips=0)["last"] == "weights/epoch0003"


@pytest.mark.parametrize("change", [{"epochs": 2}, {"epochs": 9, "early_stopping_epochs": 1}])
def test_stopping_below_the_progress_made_names_what_is_there(
    paths, base, tmp_path, monkeypatch, change
):
    scores = iter([1.0, 2.0, 3.0, 4.0])
    original = Validator.measure

    def validate(*arguments):
        return dataclasses.replace(original(*arguments), weighted={"mel": next(scores)})

    monkeypatch.setattr(Validator, "measure", validate)
    run(paths, epochs=3, checkpoint_every=100)
    # The third epoch is no milestone, and there was to be a fourth.
    state = load_checkpoint(paths.checkpoints / "epoch0003")
    state.state.finished = False
    save_checkpoint(paths.checkpoints / "step00000006", state)
    shutil.rmtree(paths.checkpoints / "epoch0003")
    summary = run(paths, checkpoint_every=100, **change)
    assert summary["best_epoch"] == 1 and summary["finished"]
    assert (paths.summary.parent / summary["last"]).is_dir()
    for choice in ("last", "best"):
        export_trained(paths.summary, choice, base, tmp_path / choice, "eng")


@pytest.mark.parametrize("name", ["best", "epoch0004"])
def test_what_stepped_aside_when_it_was_killed_is_taken_back(undisturbed, paths, name):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    os.replace(paths.checkpoints / name, paths.checkpoints / f"{name}.old")
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(paths.checkpoints / name)
    run(paths)
    assert load_checkpoint(paths.checkpoints / name, average_only=True).state.epoch > 0
    assert not list(paths.checkpoints.glob("*.old"))


def test_the_best_of_an_earlier_epoch_is_taken_back(undisturbed, paths):
    """Killed between the two renames of `best`: nothing else has its weights."""
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    second = load_checkpoint(paths.checkpoints / "epoch0002")
    score = second.state.best_score = -1e9  # No later epoch is better.
    second.state.best_epoch = 2
    save_checkpoint(paths.checkpoints / "best", second)
    last = load_checkpoint(paths.checkpoints / "epoch0004")
    last.state.best_score, last.state.best_epoch = score, 2
    save_checkpoint(paths.checkpoints / "epoch0004", last)
    os.replace(paths.checkpoints / "best", paths.checkpoints / "best.old")
    summary = run(paths)
    assert (summary["best_epoch"], summary["best_score"]) == (2, score)
    kept = load_checkpoint(paths.checkpoints / "best", average_only=True)
    assert_equal(dict(kept.ema), dict(second.ema))


def test_what_stepped_aside_goes_once_its_successor_is_there(undisturbed, paths):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    older = paths.checkpoints / "epoch0001"
    shutil.copytree(older, paths.checkpoints / "epoch0004.old")
    recover_checkpoints(paths.checkpoints)
    assert newest_checkpoint(paths.checkpoints).state.epoch == 4
    assert not (paths.checkpoints / "epoch0004.old").exists()


# ---------------------------------------------------------------- the best


def test_the_best_costs_what_an_export_needs(undisturbed, base, tmp_path):
    files = {path.name for path in (undisturbed.checkpoints / "best").iterdir()}
    assert files == {"ema.safetensors", "state.json"}

    def size(name):
        return sum(path.stat().st_size for path in (undisturbed.checkpoints / name).iterdir())

    assert size("best") < 0.3 * size("epoch0004")
    export_trained(undisturbed.summary, "best", base, tmp_path / "model", "eng")


def test_a_best_saved_after_the_state_that_goes_on_stays_the_best(undisturbed, paths):
    """Killed after `best` of epoch 4 was saved and before the milestone: epoch 3 goes on."""
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    assert read_json(undisturbed.summary)["best_epoch"] == 4
    shutil.rmtree(paths.checkpoints / "epoch0004")
    trainer = Trainer(QUICK, paths, use_gpu=False)
    assert (trainer.state.epoch, trainer.state.best_epoch) == (3, 4)
    trainer.run()
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))
    one, two = (load_checkpoint(p.checkpoints / "best").ema for p in (paths, undisturbed))
    assert_equal(dict(one), dict(two))


def test_a_lost_best_is_said_and_the_next_ones_count(undisturbed, paths, caplog):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    shutil.rmtree(paths.checkpoints / "best")
    for epoch in (3, 4):
        shutil.rmtree(paths.checkpoints / f"epoch000{epoch}")
    saved = load_checkpoint(paths.checkpoints / "epoch0002")
    saved.state.best_epoch = 1
    save_checkpoint(paths.checkpoints / "epoch0002", saved)
    summary = run(paths)
    assert "The best weights so far are lost" in caplog.text
    assert summary["best_epoch"] in (3, 4)
    assert (paths.checkpoints / "best").is_dir()


def test_scores_of_other_validation_clips_are_not_compared(tmp_path, base, dataset_of_three):
    paths = make_paths(tmp_path, dataset_of_three, base)
    first = run(paths, epochs=1, max_validation_clips=1)
    # A score that no other set could reach: it must not stand.
    for name in ("best", "epoch0001"):
        saved = load_checkpoint(paths.checkpoints / name)
        saved.state.best_score = -1e9
        save_checkpoint(paths.checkpoints / name, saved)
    settings = dataclasses.replace(QUICK, epochs=1, max_validation_clips=3)
    trainer = Trainer(settings, paths, use_gpu=False)
    with trainer.train_step.ema.applied():
        expected = trainer._measure()
    assert trainer.state.best_score == pytest.approx(expected.score)
    assert trainer.state.best_score != pytest.approx(first["best_score"])
    assert trainer.state.best_epoch == 1
    record = load_checkpoint(paths.checkpoints / "best").state
    assert record.best_score == pytest.approx(expected.score) and record.epoch == 1
    # Once more it need not be measured again.
    again = Trainer(settings, paths, use_gpu=False)
    assert again.state.best_score == trainer.state.best_score


def test_the_choice_of_the_best_says_what_it_rests_on(undisturbed):
    summary = read_json(undisturbed.summary)
    assert summary["best_losses"].keys() == {"mel", "kl", "duration"}
    assert sum(summary["best_losses"].values()) == pytest.approx(summary["best_score"])
