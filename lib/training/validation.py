"""Validation on fixed clips with fixed noise: the same numbers for the same weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import VitsModel

from lib.training.batching import step_seed
from lib.training.data import TrainingClip, collate
from lib.vits.losses import LossWeights
from lib.vits.model import Generated, forward_step
from lib.vits.spectrogram import Spectrogram

BATCH = 8
"""Clips that are validated together. Always so many: their noise depends on it, and scores are
compared over a whole training."""


@dataclass(frozen=True)
class ValidationResult:
    """Losses averaged over the whole set, and the first clip's pictures."""

    losses: dict[str, float]
    weighted: dict[str, float]
    """Each loss by its weight."""
    example: Generated | None
    """None in a process that did not see the first clip."""

    @property
    def score(self) -> float:
        """The generator's own objective without its adversarial parts; lower is better."""
        return sum(self.weighted.values())


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
    accelerator: Accelerator | None = None,
) -> ValidationResult:
    """Compute the losses of clips: mel by clips, KL by frames, duration by tokens.

    Noise and segments depend on the seed, the clips and `batch_size` alone. The state of the random
    generators is left as it was.

    Parameters
    ----------
    accelerator
        Whose processes share the batches; each returns the losses of all. None has one process.
    """
    model.eval()
    device = model.device
    rank, processes = 0, 1
    if accelerator:
        rank, processes = accelerator.process_index, accelerator.num_processes
    sums = {"mel": 0.0, "kl": 0.0, "duration": 0.0}
    counts = dict.fromkeys(sums, 0)
    example = None
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        for start in range(rank * batch_size, len(clips), batch_size * processes):
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
            if start == 0:
                example = _first(generated, batch.num_tokens, batch.num_samples)
    model.train()
    if processes > 1:
        table = torch.tensor([[*sums.values()], [*counts.values()]], device=device).double()
        total = accelerator.reduce(table, reduction="sum").tolist()
        sums, counts = (dict(zip(sums, row, strict=True)) for row in total)
    losses = {name: sums[name] / counts[name] for name in sums}
    weighted = {name: getattr(weights, name) * value for name, value in losses.items()}
    return ValidationResult(losses, weighted, example)


def _first(generated: Generated, num_tokens: Tensor, num_samples: Tensor) -> Generated:
    """Cut the alignment of the first clip to its size."""
    frames = int(num_samples[0]) // 256
    generated.path = generated.path[:1, :frames, : int(num_tokens[0])]
    return generated
