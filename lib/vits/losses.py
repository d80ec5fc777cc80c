"""Losses of VITS (arXiv 2106.06103, equations 3 to 10), in fp32.

Every loss returns a *sum* with the count that turns it into the paper's mean, so that a window
of several micro-batches can be normalised as one batch: that is what makes gradient accumulation
exact.
"""

import math

import torch
from torch import Tensor

from lib.vits.discriminator import Judgement


def mel_loss_sum(generated: Tensor, target: Tensor) -> Tensor:
    """Sum over clips of the mean absolute log-mel difference (equation 3)."""
    return (at_least_fp32(generated) - at_least_fp32(target)).abs().mean(dim=(1, 2)).sum()


def kl_loss_sum(
    latents: Tensor,
    posterior_log_scales: Tensor,
    prior_means: Tensor,
    prior_log_scales: Tensor,
    mask: Tensor,
) -> Tensor:
    """Sum over frames of the KL divergence between posterior and prior (equation 4).

    All tensors are ``(batch, channels, frames)``, the mask ``(batch, 1, frames)``; `latents` are
    the posterior's sample after the flow. The paper's mean divides by the number of frames.
    """
    z, log_q = at_least_fp32(latents), at_least_fp32(posterior_log_scales)
    mean, log_p = at_least_fp32(prior_means), at_least_fp32(prior_log_scales)
    kl = log_p - log_q - 0.5 + 0.5 * (z - mean).square() * torch.exp(-2.0 * log_p)
    return (kl * mask).sum()


def feature_loss_sum(real: Judgement, generated: Judgement, batch: int) -> Tensor:
    """Feature matching (equation 10), twice the L1 as in VITS, times the batch size.

    The real side is a target: no gradient flows into it.
    """
    total = torch.zeros((), device=generated.scores[0].device)
    for maps_real, maps_generated in zip(real.features, generated.features, strict=True):
        for r, g in zip(maps_real, maps_generated, strict=True):
            total = total + (at_least_fp32(r.detach()) - at_least_fp32(g)).abs().mean()
    return 2.0 * batch * total


def adversarial_loss_sum(generated: Judgement, batch: int) -> Tensor:
    """Least-squares loss of the generator (equation 9), times the batch size."""
    return batch * sum((1 - at_least_fp32(scores)).square().mean() for scores in generated.scores)


def discriminator_loss_sum(real: Judgement, generated: Judgement, batch: int) -> Tensor:
    """Least-squares loss of the discriminator (equation 8), times the batch size."""
    return batch * sum(
        (1 - at_least_fp32(r)).square().mean() + at_least_fp32(g).square().mean()
        for r, g in zip(real.scores, generated.scores, strict=True)
    )


def gaussian_log_density(x: Tensor) -> Tensor:
    """Log-density of the standard normal, element by element."""
    return -0.5 * (math.log(2 * math.pi) + x.square())


def at_least_fp32(x: Tensor) -> Tensor:
    """Leave half precision, which overflows in exponentials and squares; keep fp64."""
    return x if x.dtype == torch.float64 else x.float()
