"""Monotonic alignment search (VITS, arXiv 2106.06103, section 2.2.1 and appendix A).

The search finds, for every clip, the monotonic path through a score matrix (frames x tokens) with
the highest sum. Frame 0 belongs to token 0 and the last frame to the last token. From one frame to
the next the token stays the same or advances by one. Of two equal sums the path takes the one that
stays, as in the original.
"""

import importlib.util
import math

import torch
from torch import Tensor

from lib.vits.losses import at_least_fp32

_NEVER = -1e9


def alignment_scores(latents: Tensor, prior_means: Tensor, prior_log_scales: Tensor) -> Tensor:
    """Return the log-likelihood of every frame under every token's prior, in at least fp32.

    Parameters
    ----------
    latents
        ``(batch, channels, frames)``: the posterior's latents after the flow.
    prior_means, prior_log_scales
        ``(batch, channels, tokens)``.

    Returns
    -------
    Tensor
        ``(batch, frames, tokens)``.
    """
    with torch.autocast(latents.device.type, enabled=False):
        z, mean, log_scale = map(at_least_fp32, (latents, prior_means, prior_log_scales))
        precision = torch.exp(-2 * log_scale)
        constant = torch.sum(-0.5 * math.log(2 * math.pi) - log_scale, 1)
        square = torch.matmul(-0.5 * z.square().transpose(1, 2), precision)
        cross = torch.matmul(z.transpose(1, 2), mean * precision)
        prior = torch.sum(-0.5 * mean.square() * precision, 1)
        return constant.unsqueeze(1) + square + cross + prior.unsqueeze(1)


@torch.no_grad()
def maximum_path(scores: Tensor, num_frames: Tensor, num_tokens: Tensor) -> Tensor:
    """Return the best path of every clip, by the fastest implementation for the device.

    numba compiles the search for the CPU, triton for a GPU. Where that library is not installed, as
    on a machine with torch and transformers alone, `maximum_path_batched` is used.

    Parameters
    ----------
    scores
        ``(batch, frames, tokens)``.
    num_frames, num_tokens
        ``(batch,)`` long. Every clip needs at least as many frames as tokens;
        `lib.base_model.clips` refuses others with the clip's id.

    Returns
    -------
    Tensor
        ``(batch, frames, tokens)`` of zeros and ones, zero outside a clip.
    """
    if scores.device.type == "cpu" and importlib.util.find_spec("numba"):
        from lib.vits.alignment.numba_search import maximum_path_numba

        return maximum_path_numba(scores, num_frames, num_tokens)
    if scores.device.type == "cuda" and importlib.util.find_spec("triton"):
        from lib.vits.alignment.triton_search import maximum_path_triton

        return maximum_path_triton(scores, num_frames, num_tokens)
    return maximum_path_batched(scores, num_frames, num_tokens)


@torch.no_grad()
def maximum_path_batched(scores: Tensor, num_frames: Tensor, num_tokens: Tensor) -> Tensor:
    """Compute `maximum_path` by torch operations on whole batches; do not wait for the device."""
    batch, frames, tokens = scores.shape
    advanced = torch.zeros(batch, frames, tokens, dtype=torch.bool, device=scores.device)
    best = scores.new_full((batch, tokens), _NEVER)
    best[:, 0] = scores[:, 0, 0]
    for frame in range(1, frames):
        from_left = torch.nn.functional.pad(best[:, :-1], (1, 0), value=_NEVER)
        advanced[:, frame] = best < from_left
        best = torch.maximum(best, from_left) + scores[:, frame]
        # Token n cannot be reached before frame n.
        best[:, frame + 1 :] = _NEVER
    path = torch.zeros_like(scores)
    rows = torch.arange(batch, device=scores.device)
    token = num_tokens - 1
    for frame in range(frames - 1, -1, -1):
        inside = frame < num_frames
        path[rows, frame, token] = inside.to(scores.dtype)
        if frame:
            token = token - (advanced[rows, frame, token] & inside & (token > 0)).long()
    return path


def maximum_path_reference(scores: Tensor) -> list[int]:
    """Return the best path through one clip's ``(frames, tokens)`` scores: the token of each frame.

    It follows the definition step by step; the tests compare the fast implementations with it.
    """
    frames, tokens = scores.shape
    best = [[_NEVER] * tokens for _ in range(frames)]
    for frame in range(frames):
        for token in range(min(tokens, frame + 1)):
            stay = best[frame - 1][token] if frame else _NEVER
            advance = best[frame - 1][token - 1] if frame and token else _NEVER
            start = 0.0 if frame == token == 0 else max(stay, advance)
            best[frame][token] = start + float(scores[frame, token])
    path = [tokens - 1]
    for frame in range(frames - 1, 0, -1):
        token = path[-1]
        advance = token > 0 and (
            token == frame or best[frame - 1][token] < best[frame - 1][token - 1]
        )
        path.append(token - int(advance))
    return path[::-1]
