"""Exponential moving average of a model's weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averages the weights of a model over its steps; starts fast, so that early steps count."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(model.named_parameters())
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after optimizer step ``step`` (from 0) into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = [p.detach() for p in self.parameters.values()]
        torch._foreach_lerp_(list(self.average.values()), current, 1 - decay)

    @contextmanager
    def applied(self, weights: Mapping[str, Tensor] | None = None) -> Iterator[None]:
        """Put the average, or an earlier one, into the model for the time of the block."""
        average = self.average
        if weights is not None:
            average = {name: weights[name].to(own.device) for name, own in average.items()}
        self._swap(average)
        try:
            yield
        finally:
            self._swap(average)

    def load(self, average: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, value in average.items():
            self.average[name].copy_(value)

    def _swap(self, weights: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.data, weights[name] = weights[name], parameter.data
