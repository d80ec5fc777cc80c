"""The micro-batch: the largest that fits, and never a wrong effective batch."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib.training.batching import (
    SEGMENT_COST,
    MicroBatchLimits,
    choose_limits,
    memory_cost,
    plan_epoch,
)
from lib.training.device import bound_memory, fits_in_memory

BATCHES = st.integers(1, 200)


def choose(effective_batch_size, accumulation_steps, fits, frames=(100,)) -> MicroBatchLimits:
    return choose_limits(effective_batch_size, accumulation_steps, frames, 32, fits)


def asked(effective_batch_size: int, fits_up_to: int) -> tuple[int, list[int]]:
    """Return the choice, and the sizes that were tried."""
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= fits_up_to

    return choose(effective_batch_size, "auto", fits).clips, tried


def test_two_to_a_step_where_memory_allows():
    assert asked(48, 100) == (24, [24])
    assert asked(64, 32) == (32, [32])


def test_as_many_to_a_step_as_it_takes():
    assert asked(48, 15) == (12, [24, 16, 12])
    assert asked(7, 2) == (2, [4, 3, 2])


@pytest.mark.parametrize("effective_batch_size", [1, 2])
def test_small_batches(effective_batch_size):
    assert asked(effective_batch_size, 10)[0] == 1


@given(BATCHES, BATCHES)
def test_the_first_that_fits_and_no_size_twice(effective_batch_size, room):
    chosen, tried = asked(effective_batch_size, room)
    assert chosen <= room
    assert tried == sorted(set(tried), reverse=True)
    assert chosen == tried[-1] and all(size > room for size in tried[:-1])
    steps = math.ceil(effective_batch_size / chosen)
    assert steps * chosen >= effective_batch_size
    assert steps >= min(2, effective_batch_size)


@given(BATCHES, st.integers(1, 20))
def test_a_number_is_taken_at_its_word_without_a_trial(effective_batch_size, accumulation_steps):
    def fail(size: int) -> bool:
        raise AssertionError("it was tried")

    chosen = choose(effective_batch_size, accumulation_steps, fail)
    assert chosen.budget is None
    assert chosen.clips == math.ceil(effective_batch_size / accumulation_steps)


def test_nothing_fits():
    with pytest.raises(MemoryError, match=r"training\.memory_gb.*audio\.max_duration"):
        choose(48, "auto", lambda size: False)


def test_the_choice_is_logged(caplog):
    caplog.set_level("INFO")
    asked(48, 16)
    assert "Micro-batch 16, 3 to a step of 48 clips; of the longest clips 16 at once" in caplog.text


def test_the_cost_of_a_micro_batch_is_its_padded_frames_and_its_segments():
    assert memory_cost([100, 30, 70], 8) == 3 * (100 + 8 * SEGMENT_COST)


def test_the_longest_clips_are_tried_and_the_usual_ones_decide():
    # Eight of the longest (1,000 frames and a segment) fit: 12 of the usual ones cost no more.
    frames = [100] * 90 + [1000] * 10
    chosen = choose(24, "auto", lambda size: size <= 8, frames)
    assert chosen.budget == 8 * (1000 + 32 * SEGMENT_COST)
    assert chosen.clips == 12
    assert 12 * (100 + 32 * SEGMENT_COST) <= chosen.budget
    plan = plan_epoch(frames, frames, chosen, 24, 32, 0, 0)
    costs = {memory_cost([frames[i] for i in part], 32) for step in plan for part in step}
    assert max(costs) <= chosen.budget
    # Twelve of the usual ones stay together.
    assert 12 in {len(part) for step in plan for part in step}


def test_out_of_memory_means_no_and_other_faults_come_through(monkeypatch):
    freed = []
    monkeypatch.setattr("lib.training.device.free_memory", lambda: freed.append(True))

    def run_out() -> None:
        raise torch.cuda.OutOfMemoryError("no")

    def fail() -> None:
        raise ValueError("other")

    assert fits_in_memory(lambda: None) is True
    assert fits_in_memory(run_out) is False
    with pytest.raises(ValueError, match="other"):
        fits_in_memory(fail)
    assert len(freed) == 2


def test_the_budget_is_a_share_of_the_card(monkeypatch):
    shares = []
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda device: type("Card", (), {"total_memory": 2**35}),
    )
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        # A number, as on a card: there a device without one is refused.
        lambda share, device: shares.append((share, device)),
    )
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    bound_memory(torch.device("cuda"), 8)
    bound_memory(torch.device("cuda", 1), 48)
    bound_memory(torch.device("cpu"), 8)
    assert shares == [(0.25, 3), (1.0, 1)]


@pytest.mark.gpu
def test_the_budget_holds_on_a_card():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = torch.device("cuda")
    try:
        bound_memory(device, 0.5)
        assert fits_in_memory(lambda: torch.empty(2**28, dtype=torch.uint8, device=device))
        assert not fits_in_memory(lambda: torch.empty(2**30, dtype=torch.uint8, device=device))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
