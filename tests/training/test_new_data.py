"""What happens to a trained voice when audio was added."""

import dataclasses
import json
import shutil

import pytest
import torch
from transformers import VitsModel

from lib.training.run import train
from lib.training.settings import LearningPhases
from lib.training.trainer import Trainer
from tests.fixtures.base_model import make_row, prepare, write_dataset
from tests.fixtures.training import QUICK, assert_equal, make_paths, weights


@pytest.fixture
def grown(tmp_path, undisturbed):
    """The undisturbed training's checkpoints, and data with a clip of a third speaker."""
    words = ["hello there", "good day", "a longer sentence", "yes", "no", "zebra crossing é"]
    rows = [make_row(i, w, f"spk{i % 2:03d}", 0.8 + 0.2 * i) for i, w in enumerate(words[:5])]
    rows.append(make_row(9, words[5], "spk002", 1.5))
    dataset = write_dataset(tmp_path / "dataset", rows, [])
    base = prepare(tmp_path, dataset, ["spk000", "spk001", "spk002"])
    paths = make_paths(tmp_path, dataset, base)
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    return paths


def test_new_data_continues_from_the_earlier_weights(grown, undisturbed, caplog):
    settings = dataclasses.replace(QUICK, continue_epochs=1)
    trainer = Trainer(settings, grown, use_gpu=False)
    earlier = weights(undisturbed.checkpoints)
    table = trainer.train_step.model.embed_speaker.weight.detach()
    assert len(table) == 3
    assert torch.equal(table[:2], earlier["ema.embed_speaker.weight"])
    assert trainer.epochs == 1
    assert trainer.state.step == 0
    # Its discriminator is no longer a fresh one, also after an interruption.
    assert trainer.phases == LearningPhases(0, 0)
    trainer.run()
    assert Trainer(settings, grown, use_gpu=False).phases == LearningPhases(0, 0)
    assert json.loads(grown.summary.read_text())["epoch"] == 1
    assert list(grown.checkpoints.parent.glob("checkpoints.*/epoch0004"))
    assert "The data has changed" in caplog.text


def test_a_kill_right_after_new_data_was_taken_up_loses_nothing(grown, tmp_path):
    """The earlier weights are saved as a first checkpoint before their own ones move aside."""
    settings = dataclasses.replace(QUICK, continue_epochs=1)
    undisturbed = dataclasses.replace(
        grown,
        checkpoints=tmp_path / "other/checkpoints",
        tensorboard=tmp_path / "other/tensorboard",
        summary=tmp_path / "other/training.json",
    )
    shutil.copytree(grown.checkpoints, undisturbed.checkpoints)
    train(settings, undisturbed, use_gpu=False, threads=1)
    Trainer(settings, grown, use_gpu=False)
    # Nothing else was saved: as after kill -9 in the first minutes.
    train(settings, grown, use_gpu=False, threads=1)
    assert json.loads(grown.summary.read_text())["epoch"] == 1
    assert_equal(
        weights(grown.checkpoints, "epoch0001"), weights(undisturbed.checkpoints, "epoch0001")
    )


def test_new_data_restarts_from_the_base_if_asked_to(grown):
    settings = dataclasses.replace(QUICK, on_new_data="restart")
    trainer = Trainer(settings, grown, use_gpu=False)
    fresh = VitsModel.from_pretrained(grown.base_model)
    assert torch.equal(
        trainer.train_step.model.decoder.conv_pre.weight, fresh.decoder.conv_pre.weight
    )
    assert trainer.epochs == 4
