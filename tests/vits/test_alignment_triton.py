"""The GPU kernel of the alignment search, on a card or in Triton's interpreter."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.vits.alignment import maximum_path, maximum_path_reference

pytest.importorskip("triton", reason="triton is not installed; the CUDA build of torch brings it")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    # Read when the kernel is defined: without a card it is interpreted.
    os.environ["TRITON_INTERPRET"] = "1"

from lib.vits.alignment.triton_search import maximum_path_triton  # noqa: E402


@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), min_size=1, max_size=4),
)
@settings(max_examples=40)
def test_batches_of_padded_clips_equal_the_reference(seed, sizes):
    sizes = [(frames, min(frames, tokens)) for frames, tokens in sizes]
    num_frames = torch.tensor([frames for frames, _ in sizes], device=DEVICE)
    num_tokens = torch.tensor([tokens for _, tokens in sizes], device=DEVICE)
    shape = (len(sizes), int(num_frames.max()), int(num_tokens.max()))
    scores = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 5 - 50
    path = maximum_path_triton(scores.to(DEVICE), num_frames, num_tokens).cpu()
    for clip, (frames, tokens) in enumerate(sizes):
        expected = maximum_path_reference(scores[clip, :frames, :tokens])
        assert path[clip, :frames].argmax(-1).tolist() == expected
        assert path[clip].sum() == frames
        assert path[clip, frames:].sum() == 0


def test_equal_scores_stay_as_long_as_they_can_seen_from_the_end():
    numbers = (torch.tensor([n], device=DEVICE) for n in (5, 2))
    path = maximum_path_triton(torch.zeros(1, 5, 2, device=DEVICE), *numbers)
    assert path[0].argmax(-1).tolist() == [0, 1, 1, 1, 1]


@pytest.mark.gpu
def test_a_full_batch_on_a_card_equals_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.manual_seed(0)
    scores = torch.randn(24, 1250, 400) * 5 - 50
    num_frames = torch.randint(400, 1251, (24,))
    num_tokens = torch.randint(1, 401, (24,))
    expected = maximum_path(scores, num_frames, num_tokens)
    found = maximum_path_triton(scores.cuda(), num_frames.cuda(), num_tokens.cuda())
    assert torch.equal(found.cpu(), expected)
