"""Synthesize speech from token ids, with a model in training or not.

The model's mode and the state of the random generators are the same afterwards as before.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import VitsModel


@torch.no_grad()
def synthesize(
    model: VitsModel, input_ids: Sequence[int], speaker: int | None = None, seed: int = 0
) -> Tensor:
    """Synthesize a waveform.

    Parameters
    ----------
    input_ids
        Token ids of one sentence, blanks included.
    speaker
        Row of the speaker table; not used by a model with one speaker.
    seed
        Seed of the noise. The same seed gives the same waveform.

    Returns
    -------
    Tensor
        ``(samples,)`` float on the CPU, at the model's sampling rate.
    """
    device = model.device
    was_training = model.training
    model.eval()
    ids = torch.as_tensor(input_ids, dtype=torch.long, device=device).view(1, -1)
    if model.config.num_speakers < 2:
        speaker = None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        waveform = model(ids, attention_mask=torch.ones_like(ids), speaker_id=speaker).waveform
    model.train(was_training)
    return waveform[0].float().cpu()
