"""Validation on fixed clips with fixed noise, so that the same weights have the same losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from transformers import VitsModel

from lib.config.training import TrainingSettings
from lib.vits.clips import TrainingClip, digest_clips, measure_losses
from lib.vits.model import Generated
from lib.vits.spectrogram import Spectrogram

BATCH_SIZE = 8
"""Number of clips that are validated together. It never changes, because the noise depends on it
and scores are compared over a whole training."""


@dataclass(frozen=True)
class ValidationResult:
    """Losses averaged over all validation clips, and the generator's output for the first."""

    losses: dict[str, float]
    weighted: dict[str, float]
    """Each loss multiplied by its weight."""
    example: Generated | None
    """None in a process that did not compute the first clip."""

    @property
    def score(self) -> float:
        """The sum of the weighted losses, which have no adversarial part; lower is better."""
        return sum(self.weighted.values())


class Validator:
    """Measures weights on held-out clips."""

    def __init__(
        self,
        held_out: Sequence[TrainingClip],
        settings: TrainingSettings,
        accelerator: Accelerator,
    ) -> None:
        self.clips = choose_clips(held_out, settings.max_validation_clips, settings.seed)
        self.settings, self.accelerator = settings, accelerator
        self.comparable = f"{digest_clips(self.clips)} {accelerator.mixed_precision}"
        """Digest of the clips, and precision; only scores with the same can be compared."""

    def measure(self, model: VitsModel, spectrogram: Spectrogram) -> ValidationResult:
        """Measure the present weights of a model."""
        settings = self.settings
        with self.accelerator.autocast():
            losses, example = measure_losses(
                model,
                self.clips,
                spectrogram,
                settings.segment_frames,
                BATCH_SIZE,
                settings.seed,
                self.accelerator,
            )
        weights = settings.loss_weights
        weighted = {name: getattr(weights, name) * value for name, value in losses.items()}
        return ValidationResult(losses, weighted, example)


def choose_clips(clips: Sequence[TrainingClip], limit: int, seed: int) -> list[TrainingClip]:
    """Return at most ``limit`` clips, always the same ones of the same clips."""
    if len(clips) <= limit:
        return list(clips)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(clips), generator=generator)[:limit].tolist()
    return [clips[i] for i in sorted(chosen)]
