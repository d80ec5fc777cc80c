"""Memory that runs out: what is alive at the next try, and what the probe has measured."""

import dataclasses
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib.training.device import complete_in_memory, is_out_of_memory
from lib.training.step import TrainStep
from lib.training.trainer import Trainer
from lib.vits import model as vits
from tests.fixtures.training import QUICK


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all storages that are alive, and the most there were at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self._watch(tensor.untyped_storage())
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def test_the_count_of_live_bytes_is_right():
    with LiveBytes() as live:
        one = torch.zeros(1000)
        two = one + 1
        assert live.now == 8000
        view = two.view(10, 100)
        del two
        assert live.now == 8000
        del view, one
        assert (live.now, live.most) == (0, 8000)


def find_full_step(trainer: Trainer) -> None:
    """Put a trainer before the step that has four clips; the other has the one that is left."""
    while len(trainer.batches.current()[0]) < 4:
        trainer.state.batch += 1


def test_nothing_of_a_failed_try_is_alive_at_the_next(paths, monkeypatch):
    """In an `except` block the traceback would keep all activations of the failed forward."""
    activations, alive = [], []
    original = vits.maximum_path

    def maximum_path(scores, num_frames, num_tokens):
        alive.append(sum(reference() is not None for reference in activations))
        if len(scores) > 1:
            activations.append(weakref.ref(scores))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return original(scores, num_frames, num_tokens)

    monkeypatch.setattr(vits, "maximum_path", maximum_path)
    settings = dataclasses.replace(
        QUICK, epochs=1, effective_batch_size=4, gradient_accumulation_steps=1
    )
    trainer = Trainer(settings, paths, use_gpu=False)
    find_full_step(trainer)
    parts, means = trainer._accumulate()
    assert [len(part) for part in parts] == [1, 1, 1, 1]
    assert set(means) == {"mel", "kl", "duration", "adversarial", "feature", "discriminator"}
    # Failed with four clips and with two, then one after the other fits.
    assert len(activations) >= 2
    assert alive == [0] * len(alive)


def test_a_whole_step_after_memory_ran_out_peaks_no_higher_than_one_before(paths, monkeypatch):
    """Counted in bytes: the second try finds the memory as the first one found it."""
    settings = dataclasses.replace(QUICK, effective_batch_size=4, gradient_accumulation_steps=1)
    trainer = Trainer(settings, paths, use_gpu=False)
    find_full_step(trainer)
    original, starts = TrainStep.accumulate, []

    def accumulate(train_step, parts, step, learning):
        starts.append(live.now)
        means = original(train_step, parts, step, learning)
        if len(starts) < 3:
            everything = torch.zeros(1000)  # Alive in the frame that fails, as activations are.
            raise torch.OutOfMemoryError(f"CUDA out of memory. {len(everything)}")
        return means

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    with LiveBytes() as live:
        trainer._accumulate()
    gradients = sum(
        p.numel() * 4
        for network in (trainer.train_step.model, trainer.train_step.discriminator)
        for p in network.parameters()
    )
    assert starts[0] == 0
    # Gradients of the failed try stay until the next one drops them; nothing else does.
    assert all(0 < start <= gradients for start in starts[1:])


def test_the_probe_uses_what_a_step_uses(paths):
    """Optimizer state and the gradients of the micro-batches before are part of the memory."""
    trainer = Trainer(QUICK, paths, use_gpu=False)
    train_step = trainer.train_step
    longest = max(trainer.clips, key=lambda clip: len(clip.audio))
    batch = [[longest] * 2] * 2
    state = {
        name: [optimizer.state[p]["exp_avg"] for g in optimizer.param_groups for p in g["params"]]
        for name, optimizer in train_step.optimizers.items()
    }
    assert all(not moments.any() for found in state.values() for moments in found)
    assert {name: len(found) for name, found in state.items()} == {
        "generator": len(list(train_step.model.parameters())),
        "discriminator": len(list(train_step.discriminator.parameters())),
    }
    before = {k: v.clone() for k, v in train_step.model.state_dict().items()}
    train_step.accumulate(batch, 0)
    with LiveBytes() as rehearsal:
        train_step.rehearse(batch)
    assert all(torch.equal(v, before[k]) for k, v in train_step.model.state_dict().items())
    # Nor do its gradients stay in the memory.
    assert all(parameter.grad is None for parameter in train_step.model.parameters())
    steps = {
        float(optimizer.state[p]["step"])
        for optimizer in train_step.optimizers.values()
        for g in optimizer.param_groups
        for p in g["params"]
    }
    assert steps == {0.0}
    peaks = []
    for step in range(2):
        with LiveBytes() as real:
            train_step.set_learning_rate(trainer.state)
            train_step.accumulate(batch, step)
            train_step.apply(step)
        peaks.append(real.most)
    assert rehearsal.most >= 0.98 * max(peaks)


def test_probing_is_done_again_for_another_memory_but_not_within_an_epoch(paths):
    trainer = Trainer(QUICK, paths, use_gpu=False)
    asked = []

    def fits(batch):
        asked.append([len(part) for part in batch])
        return len(batch[0]) == 1

    state = trainer.state
    assert (state.micro_batch_clips, state.memory) == (2, "cpu")
    trainer.batches.probe(fits, "cpu")
    assert asked == []
    state.batch = 1
    trainer.batches.probe(fits, "8 GB of cuda")
    assert asked == [] and state.micro_batch_clips == 2
    state.batch = 0
    trainer.batches.probe(fits, "8 GB of cuda")
    # Two micro-batches each: the gradients of the first are there while the second is computed.
    assert asked == [[2, 2], [1, 1]]
    assert (state.micro_batch_clips, state.memory) == (1, "8 GB of cuda")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_every_way_to_run_out_of_memory_is_known(error):
    def run():
        raise error

    assert is_out_of_memory(error)
    assert complete_in_memory(run) is False


def test_other_faults_are_not_taken_for_it():
    def run():
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        complete_in_memory(run)
    assert not is_out_of_memory(ValueError("x"))
