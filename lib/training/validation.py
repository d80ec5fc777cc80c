"""Validation on fixed clips with fixed noise: the same numbers for the same weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import VitsModel

from lib.training.batching import step_seed
from lib.training.data import TrainingClip, collate
from lib.vits.losses import LossWeights
from lib.vits.model import Generated, forward_step
from lib.vits.spectrogram import Spectrogram


@dataclass(frozen=True)
class ValidationResult:
    """Losses averaged over the whole set, and the first clip's pictures."""

    losses: dict[str, float]
    score: float
    """The generator's own objective without its adversarial parts; lower is better."""
    example: Generated


def choose_clips(clips: Sequence[TrainingClip], limit: int, seed: int) -> list[TrainingClip]:
    """At most ``limit`` clips, the same ones for the same set."""
    if len(clips) <= limit:
        return list(clips)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(clips), generator=generator)[:limit].tolist()
    return [clips[i] for i in sorted(chosen)]


@torch.no_grad()
def validate(
    model: VitsModel,
    clips: Sequence[TrainingClip],
    spectrogram: Spectrogram,
    weights: LossWeights,
    segment_frames: int,
    batch_size: int,
    seed: int,
    device: torch.device,
) -> ValidationResult:
    """Compute the losses of clips: mel by clips, KL by frames, duration by tokens.

    Noise and segments depend on the seed and the clip's place alone. The state of the random
    generators is left as it was.
    """
    model.eval()
    sums = {"mel": 0.0, "kl": 0.0, "duration": 0.0}
    counts = dict.fromkeys(sums, 0)
    example = None
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        for start in range(0, len(clips), batch_size):
            torch.manual_seed(step_seed(seed, 0, start))
            batch = collate(clips[start : start + batch_size]).to(device)
            step = forward_step(model, None, batch, spectrogram, segment_frames)
            generated, size = step.generated, step.counts
            for name, value, count in (
                ("mel", generated.mel_sum, size.clips),
                ("kl", generated.kl_sum, size.frames),
                ("duration", generated.duration_sum, size.tokens),
            ):
                sums[name] += float(value)
                counts[name] += int(count)
            example = example or _first(generated, batch.num_tokens, batch.num_samples)
    model.train()
    losses = {name: sums[name] / counts[name] for name in sums}
    score = sum(getattr(weights, name) * value for name, value in losses.items())
    return ValidationResult(losses, score, example)


def _first(generated: Generated, num_tokens: Tensor, num_samples: Tensor) -> Generated:
    """Cut the alignment of the first clip to its size."""
    frames = int(num_samples[0]) // 256
    generated.path = generated.path[:1, :frames, : int(num_tokens[0])]
    return generated
