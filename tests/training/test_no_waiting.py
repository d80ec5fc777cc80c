"""A step does not wait for the device: nothing of it is read back outside the log."""

import dataclasses

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib.training.run import train
from lib.training.trainer import Trainer
from lib.vits import alignment
from tests.fixtures.training import QUICK

# What makes the host wait: reading a number, or a shape that depends on values.
WAITING = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
    torch.ops.aten.is_nonzero.default,
    torch.ops.aten.equal.default,
    torch.ops.aten._unique2.default,
}


class Watch(TorchDispatchMode):
    """Lists the operations that would wait, and those that index by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        # transformers reads a constant of int32 that never is on the device.
        if function in WAITING and args[0].dtype != torch.int32:
            self.waited.append(str(function))
        if function in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default):
            if any(index is not None and index.dtype == torch.bool for index in args[1]):
                self.waited.append(f"{function} by a mask")
        return function(*args, **(kwargs or {}))


def test_the_watch_sees_what_waits():
    with Watch() as watch:
        x = torch.arange(3.0)
        float(x[0]), bool(x[0] > 1), x[x > 1], x.nonzero(), x[1].item()
    assert len(watch.waited) == 5


def test_no_number_is_read_in_a_step(paths, monkeypatch):
    # As on a GPU; the alignment of the CPU is compiled and works on the host.
    monkeypatch.setattr("lib.vits.model.maximum_path", alignment.maximum_path_batched)
    trainer = Trainer(dataclasses.replace(QUICK, max_grad_norm=1.0), paths, use_gpu=False)
    batch = trainer.batches.current()
    for step in (0, 1):  # also the first one, which makes the optimizers' state
        trainer.train_step.set_learning_rate(trainer.state)
        with Watch() as watch:
            trainer.train_step.accumulate(batch, step)
            trainer.train_step.apply(step)
        assert watch.waited == []


def test_skipped_steps_are_read_at_log_intervals_only(paths, monkeypatch):
    read = []
    original = Trainer._take_step

    def take_step(trainer, log):
        before = len(trainer.non_finite._unread)
        original(trainer, log)
        read.append(len(trainer.non_finite._unread) <= before)

    monkeypatch.setattr(Trainer, "_take_step", take_step)
    settings = dataclasses.replace(QUICK, epochs=3, log_every=4, checkpoint_every=3)
    settings = dataclasses.replace(settings, validate_every=3)
    train(settings, paths, use_gpu=False, threads=1)
    assert read == [True, False, False, False, True, False]


@pytest.mark.gpu
def test_a_step_on_a_card_does_not_wait(paths):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    trainer = Trainer(QUICK, paths, use_gpu=True)
    batch = trainer.batches.current()
    trainer.train_step.accumulate(batch, 0)
    trainer.train_step.apply(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.train_step.accumulate(batch, 1)
        trainer.train_step.apply(1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
