"""Negative log-likelihood of durations under transformers' stochastic duration predictor.

The predictor's *training* direction in transformers flips the channels after the element-wise
affine layer. Original VITS does not (appendix B of arXiv 2106.06103 and its code). The likelihood
in transformers is therefore not that of the model which inference runs backwards. Here the same
modules are run in the original order. The rational-quadratic spline (Durkan et al. 2019,
arXiv 1906.04032, equations 4 and 5) uses no boolean indexing and so does not wait for the device.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, pad, softmax, softplus

from lib.vits.losses import gaussian_log_density

_MIN_BIN = 1e-3
_MIN_DERIVATIVE = 1e-3


def stochastic_duration_loss_sum(
    predictor: nn.Module, hidden: Tensor, mask: Tensor, durations: Tensor, condition: Tensor | None
) -> Tensor:
    """Return the sum over clips of the bound on the negative log-likelihood (equation 7).

    Parameters
    ----------
    predictor
        transformers' `VitsStochasticDurationPredictor`.
    hidden
        ``(batch, channels, tokens)`` of the text encoder; no gradient flows into them.
    mask
        ``(batch, 1, tokens)``.
    durations
        ``(batch, 1, tokens)`` frames per token.
    condition
        ``(batch, speaker_channels, 1)`` or None.

    Returns
    -------
    Tensor
        A scalar ``()``; the paper's mean divides by the number of tokens.
    """
    x = predictor.conv_pre(hidden.detach())
    if condition is not None:
        x = x + predictor.cond(condition.detach())
    x = predictor.conv_dds(x, mask)
    x = predictor.conv_proj(x) * mask
    h = predictor.post_conv_pre(durations)
    h = predictor.post_conv_dds(h, mask)
    h = predictor.post_conv_proj(h) * mask
    # Likelihoods overflow in half precision, so the rest is computed in fp32 (fp64 in tests).
    dtype = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    with torch.autocast(hidden.device.type, enabled=False):
        x, h, mask, durations = (t.to(dtype) for t in (x, h, mask, durations))
        noise = torch.randn(durations.shape[0], 2, durations.shape[2], device=x.device, dtype=dtype)
        noise = noise * mask
        z, log_det_q = _run_flows(predictor.post_flows, noise, mask, x + h)
        z_u, z_1 = torch.split(z, [1, 1], dim=1)
        u = torch.sigmoid(z_u) * mask
        log_det_q = log_det_q + ((logsigmoid(z_u) + logsigmoid(-z_u)) * mask).sum((1, 2))
        log_q = (gaussian_log_density(noise) * mask).sum((1, 2)) - log_det_q
        z_0 = torch.log(torch.clamp_min((durations - u) * mask, 1e-5)) * mask
        z, log_det = _run_flows(predictor.flows, torch.cat([z_0, z_1], 1), mask, x)
        log_det = log_det - z_0.sum((1, 2))
        nll = -(gaussian_log_density(z) * mask).sum((1, 2)) - log_det
        return (nll + log_q).sum()


def deterministic_duration_loss_sum(
    predictor: nn.Module, hidden: Tensor, mask: Tensor, durations: Tensor, condition: Tensor | None
) -> Tensor:
    """Return the sum of squared errors of log-durations.

    It is for base models without the stochastic predictor; see `stochastic_duration_loss_sum` for
    the parameters.
    """
    predicted = predictor(hidden, mask, condition)
    target = torch.log(durations + 1e-6) * mask
    return ((predicted.to(target.dtype) - target).square() * mask).sum()


def _run_flows(
    flows: nn.ModuleList, z: Tensor, mask: Tensor, condition: Tensor
) -> tuple[Tensor, Tensor]:
    """Run the affine layer, then each coupling layer followed by a flip of the two channels."""
    affine, *couplings = flows
    z, total = affine(z, mask)
    for coupling in couplings:
        z, log_det = _couple(coupling, z, mask, condition)
        z = torch.flip(z, [1])
        total = total + log_det
    return z, total


def _couple(flow: nn.Module, z: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """Transform the second channel by a spline computed from the first one and the condition."""
    first, second = torch.split(z, [flow.half_channels] * 2, dim=1)
    h = flow.conv_pre(first)
    h = flow.conv_dds(h, mask, condition)
    h = flow.conv_proj(h) * mask
    batch, channels, length = first.shape
    h = h.reshape(batch, channels, -1, length).permute(0, 1, 3, 2)
    scale = math.sqrt(flow.filter_channels)
    second, log_det = rational_quadratic_spline(
        second,
        h[..., : flow.num_bins] / scale,
        h[..., flow.num_bins : 2 * flow.num_bins] / scale,
        h[..., 2 * flow.num_bins :],
        flow.tail_bound,
    )
    return torch.cat([first, second], 1) * mask, (log_det * mask).sum((1, 2))


def rational_quadratic_spline(
    inputs: Tensor, widths: Tensor, heights: Tensor, derivatives: Tensor, bound: float
) -> tuple[Tensor, Tensor]:
    """Apply a monotonic spline on [-bound, bound] and the identity outside.

    Parameters
    ----------
    inputs
        Any shape ``(...)``.
    widths, heights
        ``(..., bins)`` unnormalised.
    derivatives
        ``(..., bins - 1)`` unnormalised, at the inner knots; they are 1 at the two ends.

    Returns
    -------
    tuple of Tensor
        Outputs and log-derivatives, both of the inputs' shape.
    """
    inside = (inputs >= -bound) & (inputs <= bound)
    x = inputs.clamp(-bound, bound)
    edge = math.log(math.exp(1 - _MIN_DERIVATIVE) - 1)
    derivatives = _MIN_DERIVATIVE + softplus(pad(derivatives, (1, 1), value=edge))
    knots_x = _knots(widths, bound)
    knots_y = _knots(heights, bound)
    # An input at the last knot belongs to the last bin.
    index = (x.unsqueeze(-1) >= knots_x[..., 1:-1]).sum(-1, keepdim=True)

    def at(values: Tensor) -> Tensor:
        return values.gather(-1, index).squeeze(-1)

    left, bottom = at(knots_x[..., :-1]), at(knots_y[..., :-1])
    width = at(knots_x[..., 1:]) - left
    height = at(knots_y[..., 1:]) - bottom
    d_left, d_right = at(derivatives[..., :-1]), at(derivatives[..., 1:])
    slope = height / width
    theta = (x - left) / width
    mixed = theta * (1 - theta)
    denominator = slope + (d_left + d_right - 2 * slope) * mixed
    outputs = bottom + height * (slope * theta.square() + d_left * mixed) / denominator
    numerator = slope.square() * (
        d_right * theta.square() + 2 * slope * mixed + d_left * (1 - theta).square()
    )
    log_derivative = torch.log(numerator) - 2 * torch.log(denominator)
    return torch.where(inside, outputs, inputs), torch.where(inside, log_derivative, 0.0)


def _knots(unnormalised: Tensor, bound: float) -> Tensor:
    """Return the positions ``(..., bins + 1)`` of the knots, from -bound to bound."""
    bins = unnormalised.shape[-1]
    sizes = _MIN_BIN + (1 - _MIN_BIN * bins) * softmax(unnormalised, dim=-1)
    inner = 2 * bound * torch.cumsum(sizes, -1)[..., :-1] - bound
    return pad(pad(inner, (1, 0), value=-bound), (0, 1), value=bound)
