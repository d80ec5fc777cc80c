"""Clips in the form that a training step takes, and the losses of a model on clips."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import VitsModel

from lib.mms import HOP_LENGTH
from lib.vits.model import Batch, Generated, forward_step
from lib.vits.spectrogram import Spectrogram


@dataclass(frozen=True)
class TrainingClip:
    """One clip in the form that a batch is made of."""

    id: str
    text: str
    audio: np.ndarray
    """``(samples,)`` int16."""
    input_ids: np.ndarray
    """``(tokens,)`` int64."""
    speaker: int
    """Row of the speaker table."""

    def num_frames(self, hop_length: int = HOP_LENGTH) -> int:
        """Return the number of spectrogram frames."""
        return len(self.audio) // hop_length


def collate(clips: Sequence[TrainingClip]) -> Batch:
    """Pad clips to a batch."""
    tokens = torch.zeros(len(clips), max(len(c.input_ids) for c in clips), dtype=torch.long)
    audio = torch.zeros(len(clips), max(len(c.audio) for c in clips))
    for i, clip in enumerate(clips):
        tokens[i, : len(clip.input_ids)] = torch.from_numpy(clip.input_ids)
        audio[i, : len(clip.audio)] = torch.from_numpy(clip.audio.astype(np.float32) / 32768)
    return Batch(
        input_ids=tokens,
        num_tokens=torch.tensor([len(c.input_ids) for c in clips]),
        audio=audio,
        num_samples=torch.tensor([len(c.audio) for c in clips]),
        speakers=torch.tensor([c.speaker for c in clips]),
    )


def noise_seed(seed: int, step: int, micro_batch: int) -> int:
    """Return the seed of one micro-batch's noise.

    Every micro-batch has a seed of its own. So a resumed training is exact although no state of a
    random generator is stored, and several processes draw the same noise as one.
    """
    return int(np.random.SeedSequence([seed, step, micro_batch]).generate_state(1)[0])


@torch.no_grad()
def measure_losses(
    model: VitsModel,
    clips: Sequence[TrainingClip],
    spectrogram: Spectrogram,
    segment_frames: int,
    batch_size: int,
    seed: int,
    accelerator: Accelerator | None = None,
) -> tuple[dict[str, float], Generated | None]:
    """Measure the losses of a model on clips, without the discriminator.

    Noise and segments depend on the seed, the clips and `batch_size` alone. The random generators
    have the same state afterwards as before.

    Parameters
    ----------
    accelerator
        Its processes share the batches, and each returns the losses of all clips. None means one
        process.

    Returns
    -------
    tuple
        The means of the losses (mel over clips, KL over frames, duration over tokens), and the
        generator's output for the first clip; None in a process that did not compute it.
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
            torch.manual_seed(noise_seed(seed, 0, start))
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
                example = _cut_to_first(generated, batch.num_tokens, batch.num_samples)
    model.train()
    if processes > 1:
        table = torch.tensor([[*sums.values()], [*counts.values()]], device=device).double()
        total = accelerator.reduce(table, reduction="sum").tolist()
        sums, counts = (dict(zip(sums, row, strict=True)) for row in total)
    return {name: sums[name] / counts[name] for name in sums}, example


def _cut_to_first(generated: Generated, num_tokens: Tensor, num_samples: Tensor) -> Generated:
    """Cut the alignment of the first clip to its size."""
    frames = int(num_samples[0]) // HOP_LENGTH
    generated.path = generated.path[:1, :frames, : int(num_tokens[0])]
    return generated


def digest_clips(clips: Iterable[TrainingClip]) -> str:
    """Return a digest of all properties of clips that a training or a measurement uses."""
    digest = hashlib.blake2b(digest_size=16)
    for clip in clips:
        digest.update(f"{clip.id}\0{clip.text}\0{clip.speaker}\0{len(clip.audio)}\0".encode())
        digest.update(clip.audio.tobytes())
    return digest.hexdigest()
