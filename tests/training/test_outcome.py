"""What a training leaves for export, evaluation and report: they read no checkpoint."""

import errno
import os
import shutil

import pytest

from lib.base_model.export import export_trained
from lib.evaluation.checkpoints import list_checkpoints
from lib.files import read_json, write_json
from lib.report.training_plots import read_curves
from tests.fixtures.training import QUICK, make_paths, run


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A copy of the training that has ended, in a folder of its own."""
    shutil.copytree(undisturbed.checkpoints.parent, tmp_path / "run")
    return make_paths(tmp_path / "run", undisturbed.dataset, undisturbed.base_model)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_kept_checkpoint_leaves_its_weights_and_no_disk_is_used(undisturbed):
    assert names(undisturbed.weights) == ["best", *(f"epoch000{i}" for i in range(1, 5))]
    for kept in undisturbed.weights.iterdir():
        assert names(kept) == ["ema.safetensors", "state.json"]
        for file in kept.iterdir():
            assert file.samefile(undisturbed.checkpoints / kept.name / file.name)
    (events,) = undisturbed.curves.iterdir()
    assert events.samefile(undisturbed.tensorboard / events.name)


def test_voice_curves_and_choice_need_no_checkpoint(finished, undisturbed, base, tmp_path):
    shutil.rmtree(finished.checkpoints)
    shutil.rmtree(finished.tensorboard)
    export_trained(finished.summary, "best", base, tmp_path / "model", "eng")
    # As versions before this one left it: the summary names checkpoints.
    earlier = undisturbed.summary.with_name("earlier.json")
    summary = read_json(undisturbed.summary)
    summary |= {name: f"checkpoints/{os.path.basename(summary[name])}" for name in ("best", "last")}
    write_json(earlier, summary)
    export_trained(earlier, "best", base, tmp_path / "earlier", "eng")
    one, two = (tmp_path / name / "model.safetensors" for name in ("model", "earlier"))
    assert one.read_bytes() == two.read_bytes()
    assert [kept.epoch for kept in list_checkpoints(finished.summary)] == [1, 2, 3, 4]
    assert [kept.epoch for kept in list_checkpoints(earlier)] == [1, 2, 3, 4]
    assert len(read_curves(finished.curves)["train/mel"].steps) == summary["step"]


def test_weights_that_are_missing_are_made_again_without_training(finished):
    """Results of an earlier version have none, and an update must not cost a training."""
    before = read_json(finished.summary)
    kept = {path: path.stat().st_mtime_ns for path in finished.checkpoints.glob("*/*")}
    for folder in (finished.weights, finished.curves):
        shutil.rmtree(folder)
    finished.summary.unlink()
    assert run(finished, epochs=QUICK.epochs) == before
    assert names(finished.weights) == names(finished.checkpoints)
    assert {path: path.stat().st_mtime_ns for path in finished.checkpoints.glob("*/*")} == kept


def test_more_epochs_add_to_the_weights(finished):
    summary = run(finished, epochs=5)
    assert summary["last"] == "weights/epoch0005"
    assert [kept.epoch for kept in list_checkpoints(finished.summary)] == [1, 2, 3, 4, 5]
    # The curves of both parts are one.
    assert len(list(finished.curves.iterdir())) == 2
    assert len(read_curves(finished.curves)["train/mel"].steps) == summary["step"]


def test_a_damaged_milestone_is_left_out_and_told(finished, caplog):
    for name, file in (("epoch0001", "ema.safetensors"), ("epoch0002", "state.json")):
        (finished.checkpoints / name / file).write_bytes(b"damaged")
    run(finished)
    assert names(finished.weights) == ["best", "epoch0003", "epoch0004"]
    assert caplog.text.count("Left out") == 2 and "epoch0001/ema.safetensors" in caplog.text


def test_where_files_have_one_name_alone_they_are_copied(finished, undisturbed, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", refuse)
    run(finished)
    copied = finished.weights / "epoch0004/ema.safetensors"
    assert not copied.samefile(finished.checkpoints / "epoch0004/ema.safetensors")
    assert copied.read_bytes() == (undisturbed.weights / "epoch0004/ema.safetensors").read_bytes()


def test_a_disk_that_is_full_is_no_reason_to_copy(finished, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="the disk is full"):
        run(finished)


def test_a_new_machine_ends_with_the_weights_of_all_milestones(paths, tmp_path, base):
    """What was kept of a machine that is gone: the newest to go on from, of others the weights."""
    kept = str(tmp_path / "kept")
    run(paths, epochs=3, keep_at=kept)
    other = make_paths(tmp_path / "other", paths.dataset, base)
    summary = run(other, epochs=4, keep_at=kept)
    assert names(other.weights) == ["best", *(f"epoch000{i}" for i in range(1, 5))]
    same = "epoch0001/ema.safetensors"
    assert (other.weights / same).read_bytes() == (paths.weights / same).read_bytes()
    assert names(other.checkpoints / "epoch0001") == ["ema.safetensors", "state.json"]
    # It went on from the third: nothing was trained twice.
    assert len(read_curves(other.curves)["train/mel"].steps) == summary["step"]
    assert summary["step"] == read_json(paths.summary)["step"] * 4 // 3
