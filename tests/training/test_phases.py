"""Which networks and which parts learn when, and when the training stops."""

import dataclasses
import json
import logging

import pytest
import torch

from lib.training.run import train
from lib.training.settings import NETWORKS
from lib.training.trainer import Trainer
from lib.training.validation import Validator
from tests.fixtures.training import QUICK, assert_equal, make_paths, weights


def test_the_generator_learns_alone_then_the_discriminator_then_both(paths):
    settings = dataclasses.replace(
        QUICK, epochs=2, discriminator_start_step=1, discriminator_warmup_steps=1
    )
    trainer = Trainer(settings, paths, use_gpu=False)
    networks = {
        "generator": trainer.train_step.model,
        "discriminator": trainer.train_step.discriminator,
    }
    batch = trainer.batches.current()

    def snapshot(network):
        return {k: v.clone() for k, v in network.state_dict().items()}

    for step, expected in enumerate([["generator"], ["discriminator"], list(NETWORKS)]):
        before = {name: snapshot(network) for name, network in networks.items()}
        losses = trainer.train_step.accumulate(batch, step, trainer.phases.networks(step))
        trainer.train_step.apply(step)
        moved = [
            name
            for name, network in networks.items()
            if any(not torch.equal(v, before[name][k]) for k, v in network.state_dict().items())
        ]
        assert moved == expected
        assert ("discriminator" in losses) == ("discriminator" in expected)


def moving(paths, settings) -> list[set[str]]:
    """Names of the generator's weights that each epoch changes."""
    trainer = Trainer(dataclasses.replace(settings, epochs=3), paths, use_gpu=False)
    model, changed = trainer.train_step.model, []
    for epoch in range(3):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        trainer.train_step.freeze(epoch)
        trainer.state.epoch = epoch
        trainer.train_step.accumulate(trainer.batches.current(), epoch + 1)
        trainer.train_step.apply(epoch + 1)
        now = model.state_dict().items()
        changed.append({name for name, value in now if not torch.equal(value, before[name])})
    return changed


def test_parts_of_the_generator_are_frozen_for_the_first_epochs(paths):
    everything = moving(paths, QUICK)[0]
    text = {name for name in everything if name.startswith("text_encoder")}
    speakers = {name for name in everything if name == "embed_speaker.weight" or ".cond" in name}
    assert text and speakers
    settings = dataclasses.replace(QUICK, freeze_text_encoder_epochs=2, speakers_only_epochs=1)
    first, second, third = moving(paths, settings)
    assert first and first <= speakers
    assert second >= everything - text and not second & (text - speakers)
    assert third >= everything


def test_frozen_epochs_resume_bit_for_bit(paths, tmp_path, dataset, base):
    settings = dataclasses.replace(
        QUICK, epochs=3, freeze_text_encoder_epochs=2, speakers_only_epochs=1
    )
    straight = make_paths(tmp_path / "straight", dataset, base)
    train(settings, straight, use_gpu=False, threads=1)
    for epochs in (1, 2, 3):
        train(dataclasses.replace(settings, epochs=epochs), paths, use_gpu=False, threads=1)
    last = "epoch0003"
    assert_equal(weights(paths.checkpoints, last), weights(straight.checkpoints, last))


def test_only_speakers_learn_needs_speakers(paths, monkeypatch):
    trainer = Trainer(QUICK, paths, use_gpu=False)
    trainer.train_step.model.config.num_speakers = 1
    with monkeypatch.context() as patched:
        patched.setattr(
            "lib.training.step.prepare_for_training", lambda model: trainer.train_step.model
        )
        with pytest.raises(ValueError, match=r"speakers_only_epochs.*several speakers"):
            Trainer(dataclasses.replace(QUICK, speakers_only_epochs=1), paths, use_gpu=False)


def test_training_stops_when_validation_no_longer_improves(paths, monkeypatch, caplog):
    scores = iter([5.0, 3.0, 4.0, 3.5, 2.0, 1.0])
    original = Validator.measure

    def validate(*arguments, **named):
        measured = original(*arguments, **named)
        return dataclasses.replace(measured, weighted={"mel": next(scores)})

    monkeypatch.setattr(Validator, "measure", validate)
    caplog.set_level(logging.INFO)
    settings = dataclasses.replace(QUICK, epochs=6, early_stopping_epochs=2)
    train(settings, paths, use_gpu=False, threads=1)
    summary = json.loads(paths.summary.read_text())
    assert (summary["epoch"], summary["best_epoch"], summary["finished"]) == (4, 2, True)
    assert "No better validation score since epoch 2: stopping" in caplog.text
    assert (paths.checkpoints / "epoch0004").is_dir()
    # Run once more it has nothing to do; without early stopping it goes on.
    train(settings, paths, use_gpu=False, threads=1)
    assert json.loads(paths.summary.read_text())["epoch"] == 4
    going_on = dataclasses.replace(settings, early_stopping_epochs=None)
    train(going_on, paths, use_gpu=False, threads=1)
    assert json.loads(paths.summary.read_text())["epoch"] == 6
