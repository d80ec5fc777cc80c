"""Which clips are learnt from when, in micro-batches that fit."""

from hypothesis import given
from hypothesis import strategies as st

from lib.training.batching import MicroBatchLimits, memory_cost, plan_epoch
from lib.vits.clips import noise_seed

SEGMENT = 8
lengths = st.lists(st.integers(1, 1000), min_size=1, max_size=200)


def plan(lengths, clips, effective, seed=0, epoch=0, budget=None):
    """Arrange clips of so many frames; 256 samples to a frame, and some more."""
    samples = [256 * frames + number for number, frames in enumerate(lengths)]
    limits = MicroBatchLimits(clips, budget)
    return plan_epoch(samples, lengths, limits, effective, SEGMENT, seed, epoch)


@given(lengths, st.integers(1, 9), st.integers(1, 40), st.integers(0, 99), st.integers(0, 9))
def test_every_clip_once_in_steps_of_the_exact_size(lengths, micro, effective, seed, epoch):
    steps = plan(lengths, micro, effective, seed, epoch)
    assert sorted(i for step in steps for part in step for i in part) == list(range(len(lengths)))
    sizes = [sum(map(len, step)) for step in steps]
    rest = [len(lengths) % effective] if len(lengths) % effective else []
    assert sorted(sizes) == rest + [effective] * (len(lengths) // effective)
    for step in steps:
        parts = sorted((len(part) for part in step), reverse=True)
        assert all(part == micro for part in parts[:-1]) and 1 <= parts[-1] <= micro


@given(lengths, st.integers(1, 9), st.integers(1, 40), st.integers(1, 20_000))
def test_micro_batches_keep_to_the_budget_and_steps_keep_their_clips(
    lengths, micro, effective, budget
):
    steps = plan(lengths, micro, effective, budget=budget)
    parts = [[lengths[i] for i in part] for step in steps for part in step]
    assert all(len(part) == 1 or memory_cost(part, SEGMENT) <= budget for part in parts)
    # Memory may run out within an epoch: the steps before and after then are those planned.
    unbounded = plan(lengths, micro, effective)
    assert [[i for part in step for i in part] for step in steps] == [
        [i for part in step for i in part] for step in unbounded
    ]


def test_a_micro_batch_is_taken_apart_no_further_than_the_budget_asks():
    # Four of 100 frames and a segment cost 4 * (100 + 32 * 8) = 1424; three cost 1068.
    sizes = {
        budget: [len(part) for part in plan([100] * 4, 4, 4, budget=budget)[0]]
        for budget in (1424, 1423, 1068, 1067, 1)
    }
    assert sizes == {
        1424: [4],
        1423: [3, 1],
        1068: [3, 1],
        1067: [2, 2],
        1: [1, 1, 1, 1],
    }


def test_an_effective_batch_that_the_micro_batch_does_not_divide_is_met():
    steps = plan([100] * 480, 10, 48)
    assert [sum(map(len, step)) for step in steps] == [48] * 10
    assert {tuple(sorted(map(len, step))) for step in steps} == {(8, 10, 10, 10, 10)}


def test_steps_are_a_mix_of_lengths():
    steps = plan(list(range(1, 385)), 12, 48)
    means = [sum(i for part in step for i in part) / 48 for step in steps]
    assert max(means) - min(means) < 200 and len(set(means)) == 8


@given(lengths, st.integers(0, 99))
def test_plan_is_a_function_of_seed_and_epoch(lengths, seed):
    assert plan(lengths, 4, 8, seed, 3) == plan(lengths, 4, 8, seed, 3)


def test_epochs_and_seeds_differ():
    lengths = list(range(1, 51))
    plans = [plan(lengths, 4, 8, *key) for key in ((0, 0), (0, 1), (1, 0))]
    assert plans[0] != plans[1]
    assert plans[0] != plans[2]


def test_clips_of_like_length_share_a_micro_batch():
    lengths = [(i * 37) % 400 + 1 for i in range(400)]

    def padding(steps):
        parts = [part for step in steps for part in step]
        return sum(len(p) * max(lengths[i] for i in p) for p in parts) / sum(lengths)

    assert padding(plan(lengths, 16, 32)) < 1.1
    assert padding([[list(range(i, i + 16)) for i in range(0, 400, 16)]]) > 1.5


def test_noise_seeds_are_distinct():
    seeds = {noise_seed(s, step, micro) for s in (1, 2) for step in range(50) for micro in range(4)}
    assert len(seeds) == 400
    assert noise_seed(1, 2, 3) == noise_seed(1, 2, 3)
