"""The stochastic duration loss, against transformers' modules run in the original order."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.vits.modeling_vits import _unconstrained_rational_quadratic_spline

from lib.vits.duration import (
    deterministic_duration_loss_sum,
    rational_quadratic_spline,
    stochastic_duration_loss_sum,
)


@given(st.integers(0, 10_000), st.floats(0.1, 4.0))
@settings(max_examples=40)
def test_spline_equals_that_of_transformers(seed, spread):
    torch.manual_seed(seed)
    x = torch.randn(2, 1, 9) * 4
    widths, heights, slopes = (torch.randn(2, 1, 9, n) * spread for n in (10, 10, 9))
    ours = rational_quadratic_spline(x, widths, heights, slopes, 5.0)
    theirs = _unconstrained_rational_quadratic_spline(x, widths, heights, slopes, tail_bound=5.0)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def test_spline_is_the_identity_outside_and_its_gradient_is_finite():
    x = torch.tensor([-7.0, -5.0, 0.0, 5.0, 9.0], requires_grad=True)
    parameters = [torch.zeros(5, n, requires_grad=True) for n in (10, 10, 9)]
    y, log_derivative = rational_quadratic_spline(x, *parameters, 5.0)
    assert y[0] == -7.0
    assert y[-1] == 9.0
    assert log_derivative[0] == log_derivative[-1] == 0
    (y.sum() + log_derivative.sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in (x, *parameters))


def test_spline_log_derivative_is_that_of_its_output():
    torch.manual_seed(3)
    x = torch.linspace(-4.9, 4.9, 50, dtype=torch.float64, requires_grad=True)
    parameters = [torch.randn(n, dtype=torch.float64).expand(50, n) for n in (10, 10, 9)]
    y, log_derivative = rational_quadratic_spline(x, *parameters, 5.0)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(log_derivative, slope.log())


def original_order(flows, z, mask, condition):
    """Affine, then each coupling with a flip behind it: what original VITS does."""
    z, total = flows[0](z, mask)
    for coupling in flows[1:]:
        z, log_det = coupling(z, mask, condition)
        z = torch.flip(z, [1])
        total = total + log_det
    return z, total


@pytest.fixture
def inputs():
    torch.manual_seed(4)
    mask = torch.tensor([[[1.0] * 9], [[1.0] * 5 + [0.0] * 4]])
    hidden = torch.randn(2, 48, 9) * mask
    durations = torch.randint(1, 12, (2, 1, 9)).float() * mask
    return hidden, mask, durations


def test_stochastic_loss_follows_the_original_arithmetic(learning, inputs, fixed_noise):
    hidden, mask, w = inputs
    predictor = learning.duration_predictor
    x = predictor.conv_proj(predictor.conv_dds(predictor.conv_pre(hidden), mask)) * mask
    h = predictor.post_conv_dds(predictor.post_conv_pre(w), mask)
    h = predictor.post_conv_proj(h) * mask
    e_q = torch.randn(2, 2, 9, dtype=torch.float32) * mask
    z_q, log_det_q = original_order(predictor.post_flows, e_q, mask, x + h)
    z_u, z_1 = z_q.split(1, 1)
    u = torch.sigmoid(z_u) * mask
    log_det_q += (torch.log(torch.sigmoid(z_u) * torch.sigmoid(-z_u)) * mask).sum((1, 2))
    log_q = (-0.5 * (math.log(2 * math.pi) + e_q**2) * mask).sum((1, 2)) - log_det_q
    z_0 = torch.log(torch.clamp_min((w - u) * mask, 1e-5)) * mask
    z, log_det = original_order(predictor.flows, torch.cat([z_0, z_1], 1), mask, x)
    log_det = log_det - z_0.sum((1, 2))
    nll = (0.5 * (math.log(2 * math.pi) + z**2) * mask).sum((1, 2)) - log_det
    ours = stochastic_duration_loss_sum(predictor, hidden, mask, w, None)
    torch.testing.assert_close(ours, (nll + log_q).sum(), rtol=1e-4, atol=1e-3)


def test_stochastic_loss_is_not_that_of_transformers(learning, inputs, fixed_noise):
    """Transformers flips once too often in training; equality would mean that we copied it."""
    hidden, mask, w = inputs
    theirs = learning.duration_predictor(hidden, mask, None, durations=w, reverse=False).sum()
    ours = stochastic_duration_loss_sum(learning.duration_predictor, hidden, mask, w, None)
    assert abs((ours - theirs).item()) > 1e-2


def test_training_direction_is_inverted_by_inference(learning, inputs):
    """What inference runs backwards must be what training scores: flows and their inverse."""
    hidden, mask, _ = inputs
    predictor = learning.duration_predictor
    x = predictor.conv_proj(predictor.conv_dds(predictor.conv_pre(hidden), mask)) * mask
    torch.manual_seed(5)
    z_0, noise = torch.randn(2, 1, 9) * mask, torch.randn(2, 1, 9) * mask
    z, _ = original_order(predictor.flows, torch.cat([z_0, noise], 1), mask, x)
    # transformers' inference: reversed, without the first coupling layer, a flip before each.
    flows = list(reversed(predictor.flows))
    for flow in flows[:-1]:
        z = torch.flip(z, [1])
        z, _ = flow(z, mask, x, reverse=True)
    z, _ = flows[-1](z, mask, reverse=True)
    torch.testing.assert_close(z[:, :1], z_0, rtol=1e-3, atol=1e-3)


def test_stochastic_loss_sends_no_gradient_into_the_text_encoder(learning, inputs):
    hidden, mask, w = inputs
    hidden.requires_grad_()
    stochastic_duration_loss_sum(learning.duration_predictor, hidden, mask, w, None).backward()
    assert hidden.grad is None


def test_deterministic_loss_by_hand():
    def predictor(hidden, mask, condition):
        return torch.tensor([[[0.0, math.log(2.0 + 1e-6), 5.0]]])

    mask = torch.tensor([[[1.0, 1.0, 0.0]]])
    durations = torch.tensor([[[math.e, 2.0, 0.0]]])
    loss = deterministic_duration_loss_sum(predictor, None, mask, durations, None)
    # First token off by log(e) = 1, second right, third masked (its target is 0 too).
    assert float(loss) == pytest.approx(1.0, abs=1e-4)
