"""Which clips are seen when."""

from hypothesis import given
from hypothesis import strategies as st

from lib.training.batching import plan_epoch, step_seed

lengths = st.lists(st.integers(1, 1000), min_size=1, max_size=200)


@given(lengths, st.integers(1, 9), st.integers(1, 40), st.integers(0, 99), st.integers(0, 9))
def test_every_clip_once_in_windows_of_the_exact_size(lengths, micro, effective, seed, epoch):
    plan = plan_epoch(lengths, micro, effective, seed, epoch)
    assert sorted(i for window in plan for part in window for i in part) == list(
        range(len(lengths))
    )
    sizes = [sum(map(len, window)) for window in plan]
    rest = [len(lengths) % effective] if len(lengths) % effective else []
    assert sorted(sizes) == rest + [effective] * (len(lengths) // effective)
    for window in plan:
        parts = sorted((len(part) for part in window), reverse=True)
        assert all(part == micro for part in parts[:-1]) and 1 <= parts[-1] <= micro


def test_an_effective_batch_that_the_micro_batch_does_not_divide_is_met():
    plan = plan_epoch([100] * 480, 10, 48, 0, 0)
    assert [sum(map(len, window)) for window in plan] == [48] * 10
    assert {tuple(sorted(map(len, window))) for window in plan} == {(8, 10, 10, 10, 10)}


def test_windows_are_a_mix_of_lengths():
    plan = plan_epoch(list(range(384)), 12, 48, 0, 0)
    means = [sum(i for part in window for i in part) / 48 for window in plan]
    assert max(means) - min(means) < 200 and len(set(means)) == 8


@given(lengths, st.integers(0, 99))
def test_plan_is_a_function_of_seed_and_epoch(lengths, seed):
    assert plan_epoch(lengths, 4, 8, seed, 3) == plan_epoch(lengths, 4, 8, seed, 3)


def test_epochs_and_seeds_differ():
    lengths = list(range(50))
    plans = [plan_epoch(lengths, 4, 8, *key) for key in ((0, 0), (0, 1), (1, 0))]
    assert plans[0] != plans[1]
    assert plans[0] != plans[2]


def test_clips_of_like_length_share_a_micro_batch():
    lengths = [(i * 37) % 400 for i in range(400)]

    def padding(plan):
        parts = [part for window in plan for part in window]
        return sum(len(p) * max(lengths[i] for i in p) for p in parts) / sum(lengths)

    assert padding(plan_epoch(lengths, 16, 32, 0, 0)) < 1.1
    assert padding([[list(range(i, i + 16)) for i in range(0, 400, 16)]]) > 1.5


def test_noise_seeds_are_distinct():
    seeds = {step_seed(s, step, micro) for s in (1, 2) for step in range(50) for micro in range(4)}
    assert len(seeds) == 400
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)
