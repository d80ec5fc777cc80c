"""Monotonic alignment search against its definition."""

import importlib.util
import itertools
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.vits.alignment import (
    alignment_scores,
    maximum_path,
    maximum_path_batched,
    maximum_path_reference,
)

IMPLEMENTATIONS = [maximum_path, maximum_path_batched]


def all_paths(frames: int, tokens: int):
    """Every monotonic path without skips: the frames at which the token advances."""
    for advances in itertools.combinations(range(1, frames), tokens - 1):
        path, token = [], 0
        for frame in range(frames):
            token += frame in advances
            path.append(token)
        yield path


def total(scores: torch.Tensor, path: list[int]) -> float:
    return sum(float(scores[frame, token]) for frame, token in enumerate(path))


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=60)
def test_reference_finds_the_best_of_all_paths(seed, frames, tokens):
    tokens = min(frames, tokens)
    scores = torch.randn(frames, tokens, generator=torch.Generator().manual_seed(seed))
    best = max(all_paths(frames, tokens), key=lambda path: total(scores, path))
    assert maximum_path_reference(scores) == best


@pytest.mark.parametrize("search", IMPLEMENTATIONS)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), min_size=1, max_size=4),
)  # noqa: E501
@settings(max_examples=40)
def test_batches_of_padded_clips_equal_the_reference(search, seed, sizes):
    sizes = [(frames, min(frames, tokens)) for frames, tokens in sizes]
    num_frames = torch.tensor([frames for frames, _ in sizes])
    num_tokens = torch.tensor([tokens for _, tokens in sizes])
    shape = (len(sizes), int(num_frames.max()), int(num_tokens.max()))
    scores = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 5 - 50
    path = search(scores, num_frames, num_tokens)
    for clip, (frames, tokens) in enumerate(sizes):
        expected = maximum_path_reference(scores[clip, :frames, :tokens])
        assert path[clip, :frames].argmax(-1).tolist() == expected
        assert path[clip].sum() == frames
        assert path[clip, frames:].sum() == 0


@pytest.mark.parametrize("search", IMPLEMENTATIONS)
def test_of_equal_sums_the_path_stays_on_the_later_token(search):
    path = search(torch.zeros(1, 5, 2), torch.tensor([5]), torch.tensor([2]))
    assert path[0].argmax(-1).tolist() == [0, 1, 1, 1, 1]


def test_without_numba_the_batched_search_is_used(monkeypatch):
    """As on a machine with torch and transformers alone."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "numba" else found(name)
    )
    used = []
    monkeypatch.setattr(
        "lib.vits.alignment.maximum_path_batched",
        lambda *inputs: used.append(inputs) or maximum_path_batched(*inputs),
    )
    path = maximum_path(torch.zeros(1, 5, 2), torch.tensor([5]), torch.tensor([2]))
    assert len(used) == 1
    assert path[0].argmax(-1).tolist() == [0, 1, 1, 1, 1]


def test_scores_are_the_gaussian_log_likelihood():
    torch.manual_seed(0)
    z, mean, log_scale = torch.randn(2, 3, 7), torch.randn(2, 3, 4), torch.randn(2, 3, 4) * 0.3
    scores = alignment_scores(z, mean, log_scale)
    for clip, frame, token in itertools.product(range(2), range(7), range(4)):
        normal = torch.distributions.Normal(mean[clip, :, token], log_scale[clip, :, token].exp())
        expected = normal.log_prob(z[clip, :, frame]).sum()
        torch.testing.assert_close(scores[clip, frame, token], expected, rtol=1e-4, atol=1e-4)


def test_scores_leave_half_precision():
    z = torch.full((1, 2, 3), 100.0, dtype=torch.float16)
    scores = alignment_scores(z, torch.zeros_like(z), torch.full_like(z, -2.0))
    assert scores.dtype == torch.float32
    assert torch.isfinite(scores).all()


def test_search_leaves_torch_s_threads_alone():
    """Another number of threads would change the order of torch's sums."""
    before = torch.get_num_threads()
    try:
        # More than there are cores, too: numba has no more than that.
        for threads in (1, 2, 2 * os.cpu_count()):
            torch.set_num_threads(threads)
            maximum_path(torch.zeros(2, 5, 2), torch.tensor([5, 5]), torch.tensor([2, 2]))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
