"""Monotonic alignment search on the CPU: one clip a thread, compiled by numba."""

import numba
import numpy as np
import torch
from torch import Tensor


def maximum_path_numba(scores: Tensor, num_frames: Tensor, num_tokens: Tensor) -> Tensor:
    """See `lib.vits.alignment.maximum_path`."""
    values = np.ascontiguousarray(scores.detach().numpy())
    path = np.zeros_like(values)
    # Numba and torch may share an OpenMP runtime: numba's number of threads becomes torch's, and
    # with it the order of torch's sums. A resumed training would then differ in the last bits.
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    _search(values, path, num_frames.numpy(), num_tokens.numpy())
    torch.set_num_threads(threads)
    return torch.from_numpy(path)


@numba.njit(parallel=True, nogil=True, cache=True)
def _search(scores, path, num_frames, num_tokens):  # pragma: no cover - compiled
    for clip in numba.prange(scores.shape[0]):
        frames, tokens = num_frames[clip], num_tokens[clip]
        best = scores[clip, :frames, :tokens].copy()
        for frame in range(1, frames):
            # Only cells from which the last token can still be reached are read again.
            for token in range(max(0, tokens + frame - frames), min(tokens, frame + 1)):
                if token == frame:
                    before = best[frame - 1, token - 1]
                elif token == 0:
                    before = best[frame - 1, 0]
                else:
                    before = max(best[frame - 1, token], best[frame - 1, token - 1])
                best[frame, token] += before
        token = tokens - 1
        for frame in range(frames - 1, -1, -1):
            path[clip, frame, token] = 1
            if token > 0 and (
                token == frame or best[frame - 1, token] < best[frame - 1, token - 1]
            ):
                token -= 1
