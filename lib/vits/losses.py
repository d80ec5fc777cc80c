"""Losses of VITS (arXiv 2106.06103, equations 3 to 10), in fp32.

Every loss is a *sum*; the docstring says which count turns it into the paper's mean. The sums of
several micro-batches are divided by the counts of their whole optimizer-step batch. That makes
gradient accumulation exact.
"""

import math

import torch
from torch import Tensor

from lib.vits.discriminator import DiscriminatorOutput


def mel_loss_sum(generated: Tensor, target: Tensor) -> Tensor:
    """Return the sum over clips of the mean absolute log-mel difference (equation 3).

    Both tensors are ``(batch, mels, frames)``. The paper's mean divides by the number of clips.
    """
    return (at_least_fp32(generated) - at_least_fp32(target)).abs().mean(dim=(1, 2)).sum()


def kl_loss_sum(
    latents: Tensor,
    posterior_log_scales: Tensor,
    prior_means: Tensor,
    prior_log_scales: Tensor,
    mask: Tensor,
) -> Tensor:
    """Return the sum over frames of the KL divergence of posterior and prior (equation 4).

    All tensors are ``(batch, channels, frames)``, the mask is ``(batch, 1, frames)``. `latents` are
    the posterior's sample after the flow. The paper's mean divides by the number of frames.
    """
    z, log_q = at_least_fp32(latents), at_least_fp32(posterior_log_scales)
    mean, log_p = at_least_fp32(prior_means), at_least_fp32(prior_log_scales)
    kl = log_p - log_q - 0.5 + 0.5 * (z - mean).square() * torch.exp(-2.0 * log_p)
    return (kl * mask).sum()


def feature_loss_sum(
    real: DiscriminatorOutput, generated: DiscriminatorOutput, batch: int
) -> Tensor:
    """Return the feature-matching loss (equation 10), times the batch size.

    It is twice the L1 distance, as in the code of VITS. The features of the real waveform are
    targets: no gradient flows into them.
    """
    total = torch.zeros((), device=generated.scores[0].device)
    for maps_real, maps_generated in zip(real.features, generated.features, strict=True):
        for r, g in zip(maps_real, maps_generated, strict=True):
            total = total + (at_least_fp32(r.detach()) - at_least_fp32(g)).abs().mean()
    return 2.0 * batch * total


def adversarial_loss_sum(generated: DiscriminatorOutput, batch: int) -> Tensor:
    """Return the generator's least-squares loss (equation 9), times the batch size."""
    return batch * sum((1 - at_least_fp32(scores)).square().mean() for scores in generated.scores)


def discriminator_loss_sum(
    real: DiscriminatorOutput, generated: DiscriminatorOutput, batch: int
) -> Tensor:
    """Return the discriminator's least-squares loss (equation 8), times the batch size."""
    return batch * sum(
        (1 - at_least_fp32(r)).square().mean() + at_least_fp32(g).square().mean()
        for r, g in zip(real.scores, generated.scores, strict=True)
    )


def gaussian_log_density(x: Tensor) -> Tensor:
    """Return the log-density of the standard normal for every element."""
    return -0.5 * (math.log(2 * math.pi) + x.square())


def at_least_fp32(x: Tensor) -> Tensor:
    """Convert to fp32, because half precision overflows in exponentials and squares; keep fp64."""
    return x if x.dtype == torch.float64 else x.float()
