"""Losses against values worked out by hand."""

import pytest
import torch

from lib.vits.discriminator import DiscriminatorOutput
from lib.vits.losses import (
    adversarial_loss_sum,
    discriminator_loss_sum,
    feature_loss_sum,
    kl_loss_sum,
    mel_loss_sum,
)


def test_mel_is_the_mean_difference_of_each_clip():
    generated = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]])
    target = torch.tensor([[[0.0, 4.0]], [[1.0, 0.0]]])
    assert float(mel_loss_sum(generated, target)) == pytest.approx(1.5 + 0.5)


def test_kl_of_masked_frames_counts_nothing():
    z = torch.tensor([[[1.0, 9.0]]])
    zeros = torch.zeros(1, 1, 2)
    mask = torch.tensor([[[1.0, 0.0]]])
    # log 1 - log 1 - 1/2 + 1/2 (1 - 0)^2 = 0 in the first frame.
    assert float(kl_loss_sum(z, zeros, zeros, zeros, mask)) == pytest.approx(0.0)
    # A prior of scale e: 1 - 0.5 + 0.5 / e^2.
    expected = 1 - 0.5 + 0.5 * 0.1353353
    assert float(kl_loss_sum(z, zeros, zeros, zeros + 1, mask)) == pytest.approx(expected)


def output(*scores: float) -> DiscriminatorOutput:
    return DiscriminatorOutput(
        [torch.tensor([[s, s]]) for s in scores], [[torch.tensor([[[s]]])] for s in scores]
    )


def test_adversarial_losses_are_least_squares():
    real, fake = output(1.0, 0.5), output(0.0, 0.25)
    assert float(adversarial_loss_sum(fake, 3)) == pytest.approx(3 * (1 + 0.75**2))
    expected = (0 + 0) + (0.25 + 0.0625)
    assert float(discriminator_loss_sum(real, fake, 1)) == pytest.approx(expected)


def test_feature_matching_is_twice_l1_and_leaves_the_real_side_alone():
    real, fake = output(1.0, 0.5), output(0.0, 0.25)
    for side in (real, fake):
        for maps in side.features:
            maps[0].requires_grad_()
    loss = feature_loss_sum(real, fake, 5)
    assert loss.item() == pytest.approx(5 * 2 * (1.0 + 0.25))
    loss.backward()
    assert all(maps[0].grad is None for maps in real.features)
    assert all(maps[0].grad is not None for maps in fake.features)


def test_half_precision_does_not_overflow():
    big = torch.full((1, 1, 1), 400.0, dtype=torch.float16)
    none = torch.zeros_like(big)
    mask = torch.ones(1, 1, 1)
    assert torch.isfinite(kl_loss_sum(big, none, none, none, mask))
