"""How well a text explains a recording: its likelihood under a VITS, along the best alignment.

The flow turns the mean of the posterior, latents without their noise, into what the prior of the
text predicts for every token (VITS, arXiv 2106.06103, equations 4 and 5). The monotonic path
through the two with the highest likelihood (section 2.2.1) says which token every frame belongs to.
Its sum is the score. Nothing is drawn at random.

A likelihood is in nats for each frame and latent channel, so that clips of any length compare with
each other. Speakers and models differ in it: what a clip is worth is said by its distance from the
clips of the same speaker, judged by the same model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import VitsModel

from lib.vits.alignment import alignment_scores, maximum_path
from lib.vits.clips import TrainingClip, collate
from lib.vits.encoders import encode_speech, encode_text, length_mask, speaker_condition
from lib.vits.spectrogram import Spectrogram


@dataclass(frozen=True)
class TextScore:
    """What a model says of one text for one clip."""

    likelihood: float
    """Mean of `frame_likelihoods`; minus infinity where the text has more tokens than frames."""
    durations: np.ndarray
    """``(tokens,)`` int64: frames of every token, one or more; empty without an alignment."""
    frame_likelihoods: np.ndarray
    """``(frames,)`` float32: nats per channel of every frame under its token; empty without one."""


@dataclass(frozen=True)
class Latents:
    """Recorded speech as the prior of a text sees it."""

    values: Tensor
    """``(batch, channels, frames)``: the posterior's mean after the flow, zero beyond a clip."""
    num_frames: Tensor
    """``(batch,)`` long."""


@torch.no_grad()
def encode_latents(
    model: VitsModel, audio: Tensor, num_samples: Tensor, speakers: Tensor, spectrogram: Spectrogram
) -> Latents:
    """Encode speech for `score_texts`.

    Parameters
    ----------
    model
        In evaluation mode.
    audio
        ``(batch, samples)`` float in [-1, 1].
    num_samples, speakers
        ``(batch,)`` long: length of each clip, and its row in the speaker table.
    spectrogram
        On the model's device.
    """
    num_frames = spectrogram.num_frames(num_samples)
    linear = spectrogram.linear(audio, num_samples)
    mask = length_mask(num_frames, linear.shape[2]).to(linear.dtype).unsqueeze(1)
    condition = speaker_condition(model, speakers)
    mean, _ = encode_speech(model, linear, mask, condition)
    return Latents(model.flow(mean * mask, mask, condition), num_frames)


@torch.no_grad()
def score_texts(
    model: VitsModel, latents: Latents, input_ids: Tensor, num_tokens: Tensor
) -> list[TextScore]:
    """Score a text for each clip.

    Parameters
    ----------
    latents
        Of as many clips as there are texts; a single one is compared with every text.
    input_ids
        ``(batch, tokens)`` long, zero beyond a text's end.
    num_tokens
        ``(batch,)`` long.
    """
    text = encode_text(model, input_ids, num_tokens)
    count = len(num_tokens)
    num_frames = latents.num_frames.expand(count)
    values = latents.values.expand(count, -1, -1)
    scores = alignment_scores(values, text.prior_means, text.prior_log_scales) / values.shape[1]
    aligned = num_tokens <= num_frames
    # The search needs a frame for every token; what has too few is left out below.
    path = maximum_path(scores, num_frames, torch.minimum(num_tokens, num_frames))
    durations = path.sum(1).long().cpu().numpy()
    frames = (path * scores).sum(2).cpu().numpy()
    return [
        TextScore(
            likelihood=float(frames[i, : num_frames[i]].mean(dtype=np.float64)),
            durations=durations[i, : num_tokens[i]],
            frame_likelihoods=frames[i, : num_frames[i]],
        )
        if aligned[i]
        else TextScore(-np.inf, durations[i, :0], frames[i, :0])
        for i in range(count)
    ]


def score_clips(
    model: VitsModel, clips: Sequence[TrainingClip], spectrogram: Spectrogram, batch_size: int = 16
) -> list[TextScore]:
    """Score every clip's own text.

    Clips of similar length are computed together, because the longest decides what a batch costs.
    A clip's score does not depend on which those are.
    """
    found: list[TextScore | None] = [None] * len(clips)
    by_length = sorted(range(len(clips)), key=lambda i: len(clips[i].audio))
    for start in range(0, len(clips), batch_size):
        places = by_length[start : start + batch_size]
        batch = collate([clips[i] for i in places]).to(model.device)
        latents = encode_latents(model, batch.audio, batch.num_samples, batch.speakers, spectrogram)
        scores = score_texts(model, latents, batch.input_ids, batch.num_tokens)
        for place, score in zip(places, scores, strict=True):
            found[place] = score
    return found


def pad_texts(texts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids of several texts as ``(batch, tokens)`` long, and their lengths."""
    num_tokens = torch.tensor([len(ids) for ids in texts])
    padded = torch.zeros(len(texts), int(num_tokens.max()), dtype=torch.long)
    for row, ids in zip(padded, texts, strict=True):
        row[: len(ids)] = torch.as_tensor(ids)
    return padded.to(device), num_tokens.to(device)
