"""Monotonic alignment search on the CPU, compiled by numba, with one thread for each clip."""

import numba
import numpy as np
import torch
from torch import Tensor


def maximum_path_numba(scores: Tensor, num_frames: Tensor, num_tokens: Tensor) -> Tensor:
    """Return the best path of every clip; see `lib.vits.alignment.maximum_path`."""
    values = np.ascontiguousarray(scores.detach().numpy())
    path = np.zeros_like(values)
    # Numba and torch may share an OpenMP runtime. Numba's number of threads would then become
    # torch's and change the order of torch's sums, and a resumed training would differ in the last
    # bits. So both get the same number, and torch's is set again afterwards.
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
            # Cells from which the last token cannot be reached any more are skipped.
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
