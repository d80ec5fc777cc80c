"""The two encoders of a VITS: text to a prior, recorded speech to latents.

What training and the scoring of texts share. Every function takes batches of padded clips, and what
it returns is zero beyond a clip's end or masked by its caller.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import VitsModel

from lib.vits.losses import at_least_fp32


@dataclass(frozen=True)
class EncodedText:
    """Output of the text encoder for a batch."""

    hidden: Tensor
    """``(batch, hidden, tokens)``: input of the duration predictor."""
    prior_means: Tensor
    """``(batch, channels, tokens)``."""
    prior_log_scales: Tensor
    """``(batch, channels, tokens)``."""
    mask: Tensor
    """``(batch, 1, tokens)``: one for each token of a text."""


def encode_text(
    model: VitsModel, input_ids: Tensor, num_tokens: Tensor, dtype: torch.dtype = torch.float32
) -> EncodedText:
    """Encode texts ``(batch, tokens)`` of the given lengths ``(batch,)``."""
    mask = length_mask(num_tokens, input_ids.shape[1]).to(dtype)
    text = model.text_encoder(
        input_ids=input_ids,
        padding_mask=mask.unsqueeze(-1),
        attention_mask=_attention_mask(mask),
    )
    return EncodedText(
        hidden=text.last_hidden_state.transpose(1, 2),
        prior_means=text.prior_means.transpose(1, 2),
        prior_log_scales=text.prior_log_variances.transpose(1, 2),
        mask=mask.unsqueeze(1),
    )


def encode_speech(
    model: VitsModel, linear: Tensor, mask: Tensor, condition: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return mean and log-scale of the posterior, both ``(batch, channels, frames)`` in fp32.

    Parameters
    ----------
    linear
        ``(batch, bins, frames)`` linear spectrogram.
    mask
        ``(batch, 1, frames)``: one for each frame of a clip.
    condition
        From `speaker_condition`.
    """
    encoder = model.posterior_encoder
    x = encoder.conv_pre(linear) * mask
    x = encoder.wavenet(x, mask, condition)
    stats = encoder.conv_proj(x) * mask
    mean, log_scale = torch.split(at_least_fp32(stats), encoder.out_channels, dim=1)
    return mean, log_scale


def speaker_condition(model: VitsModel, speakers: Tensor) -> Tensor | None:
    """Return the conditioning ``(batch, speaker_channels, 1)``; None for one speaker."""
    if model.config.num_speakers < 2:
        return None
    return model.embed_speaker(speakers).unsqueeze(-1)


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Return ``(batch, size)``: True before each length."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def _attention_mask(token_mask: Tensor) -> Tensor:
    """Return the attention bias ``(batch, 1, tokens, tokens)``.

    It is zero where a token is attended to, and the lowest number elsewhere. transformers would
    build the same from a mask of two dimensions, but it would first read from the device whether
    anything is masked, and wait for the answer.
    """
    blocked = torch.zeros_like(token_mask).masked_fill(
        token_mask == 0, torch.finfo(token_mask.dtype).min
    )
    return blocked[:, None, None, :].expand(-1, -1, token_mask.shape[1], -1)
