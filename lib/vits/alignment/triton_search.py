"""Monotonic alignment search on a GPU: one kernel for the batch, one program for each clip."""

import torch
import triton
import triton.language as tl
from torch import Tensor

_NEVER = -1e9


def maximum_path_triton(scores: Tensor, num_frames: Tensor, num_tokens: Tensor) -> Tensor:
    """Return the best path of every clip; see `lib.vits.alignment.maximum_path`."""
    batch, frames, tokens = scores.shape
    scores = scores.contiguous()
    # Two rows are used alternately for the previous and the current frame. Each row has one more
    # element before the first token.
    best = scores.new_full((batch, 2, tokens + 1), _NEVER)
    best[:, 0, 1] = scores[:, 0, 0]
    advanced = torch.zeros(scores.shape, dtype=torch.int8, device=scores.device)
    path = torch.zeros_like(scores)
    _search[(batch,)](
        scores,
        best,
        advanced,
        path,
        num_frames,
        num_tokens,
        frames,
        tokens,
        NEVER=_NEVER,
        BLOCK=triton.next_power_of_2(tokens),
    )
    return path


@triton.jit
def _search(  # noqa: ANN202 - compiled
    scores,
    best,
    advanced,
    path,
    num_frames,
    num_tokens,
    frames,
    tokens,
    NEVER: tl.constexpr,  # noqa: N803 - a constant to the compiler
    BLOCK: tl.constexpr,  # noqa: N803
):
    clip = tl.program_id(0)
    clip_frames = tl.load(num_frames + clip).to(tl.int32)
    clip_tokens = tl.load(num_tokens + clip).to(tl.int32)
    scores += clip * frames * tokens
    advanced += clip * frames * tokens
    path += clip * frames * tokens
    best += clip * 2 * (tokens + 1)
    token = tl.arange(0, BLOCK)
    within = token < clip_tokens
    for frame in range(1, clip_frames):
        before = best + ((frame - 1) % 2) * (tokens + 1)
        now = best + (frame % 2) * (tokens + 1)
        stay = tl.load(before + token + 1, mask=within, other=NEVER)
        advance = tl.load(before + token, mask=within, other=NEVER)
        score = tl.load(scores + frame * tokens + token, mask=within, other=0.0)
        tl.store(advanced + frame * tokens + token, (stay < advance).to(tl.int8), mask=within)
        # Token n cannot be reached before frame n.
        value = tl.where(token <= frame, tl.maximum(stay, advance) + score, NEVER)
        tl.store(now + token + 1, value, mask=within)
        # The next frame reads values that other threads have written.
        tl.debug_barrier()
    at = clip_tokens - 1
    for back in range(0, clip_frames):
        frame = clip_frames - 1 - back
        tl.store(path + frame * tokens + at, 1.0)
        step = tl.load(advanced + frame * tokens + at).to(tl.int32)
        at = tl.where((frame > 0) & (at > 0), at - step, at)
