"""The VITS discriminator: one over the raw waveform, five over its periods.

HiFi-GAN (Kong et al. 2020, arXiv 2010.05646, section 2.3) as VITS uses it: scale discriminator
first, then periods 2, 3, 5, 7, 11. `lib.vits.convert` reads its weights from original MMS
checkpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

LEAKY_SLOPE = 0.1


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Shape of the discriminator; the defaults are those of VITS (46.7 M parameters)."""

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    base_channels: int = 16
    """Channels of the first scale layer; every other layer's width is a multiple of it."""


class DiscriminatorOutput(NamedTuple):
    """Output of the discriminator for a batch, one entry for each sub-discriminator."""

    scores: list[Tensor]
    """``(batch, positions)`` each; ``(batch * period, positions)`` of a period discriminator."""
    features: list[list[Tensor]]
    """Feature maps of every layer, the last layer's among them."""


class Discriminator(nn.Module):
    """Scores waveforms with one scale and several period sub-discriminators."""

    def __init__(self, settings: DiscriminatorSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or DiscriminatorSettings()
        width = self.settings.base_channels
        self.discriminators = nn.ModuleList(
            [
                ScaleDiscriminator(width),
                *(PeriodDiscriminator(period, 2 * width) for period in self.settings.periods),
            ]
        )

    def forward(self, waveform: Tensor) -> DiscriminatorOutput:
        """Score waveforms ``(batch, 1, samples)``."""
        scores, features = zip(*(part(waveform) for part in self.discriminators), strict=True)
        return DiscriminatorOutput(list(scores), list(features))


class ScaleDiscriminator(nn.Module):
    """Grouped, strided convolutions over the raw waveform."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [1, width, 4 * width, 16 * width, 64 * width, 64 * width, 64 * width]
        kernels = [15, 41, 41, 41, 41, 5]
        strides = [1, 4, 4, 4, 4, 1]
        self.convs = nn.ModuleList()
        for i, (kernel, stride) in enumerate(zip(kernels, strides, strict=True)):
            # The strided layers have four input channels in each group.
            groups = max(1, channels[i] // 4) if stride > 1 else 1
            self.convs.append(
                weight_norm(
                    nn.Conv1d(
                        channels[i],
                        channels[i + 1],
                        kernel,
                        stride,
                        padding=kernel // 2,
                        groups=groups,
                    )
                )
            )
        self.conv_post = weight_norm(nn.Conv1d(channels[-1], 1, 3, 1, padding=1))

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return scores ``(batch, positions)`` and the feature maps of every layer."""
        return _score(self.convs, self.conv_post, waveform)


class PeriodDiscriminator(nn.Module):
    """Strided convolutions over every p-th sample.

    The original reshapes to ``(batch, 1, samples / p, p)`` and convolves with ``(5, 1)`` kernels.
    Those kernels never mix columns. Here each column is a batch entry, so that plain 1-d
    convolutions give the same numbers, and faster.
    """

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        channels = [1, width, 4 * width, 16 * width, 32 * width, 32 * width]
        strides = [3, 3, 3, 3, 1]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(channels[i], channels[i + 1], 5, stride, padding=2))
            for i, stride in enumerate(strides)
        )
        self.conv_post = weight_norm(nn.Conv1d(channels[-1], 1, 3, 1, padding=1))

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return scores ``(batch * period, positions)`` and the feature maps of every layer."""
        batch, _, samples = waveform.shape
        missing = -samples % self.period
        if missing:
            waveform = nn.functional.pad(waveform, (0, missing), mode="reflect")
        columns = waveform.view(batch, -1, self.period).transpose(1, 2)
        columns = columns.reshape(batch * self.period, 1, -1)
        return _score(self.convs, self.conv_post, columns)


def _score(convs: nn.ModuleList, conv_post: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    features = []
    for conv in convs:
        x = nn.functional.leaky_relu(conv(x), LEAKY_SLOPE)
        features.append(x)
    x = conv_post(x)
    features.append(x)
    return x.flatten(1), features


def discriminator_width(state: Mapping[str, Tensor]) -> int:
    """Return the `base_channels` of saved weights.

    Raises
    ------
    ValueError
        If the weights are not a discriminator's.
    """
    first = state.get("discriminators.0.convs.0.bias")
    if first is None or not all(name.startswith("discriminators.") for name in state):
        raise ValueError(f"not the weights of a VITS discriminator: {', '.join(list(state)[:3])}")
    return len(first)


def initialise_discriminator(settings: DiscriminatorSettings, seed: int) -> Discriminator:
    """Return a discriminator with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Discriminator(settings)
