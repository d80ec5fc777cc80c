"""One training step of a full-size VITS, ours and the textbook's.

``python -m benchmarks.train_step``. Random weights (36 M generator, 46.7 M discriminator), a batch
of four clips of 3 s, both networks updated. `textbook_step.py` has the other side. Needs torch,
transformers, accelerate and numpy alone.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import nn
from transformers import VitsConfig, VitsModel

from benchmarks.basics import print_table, speechlike
from benchmarks.textbook_step import (
    SEGMENT,
    Clock,
    TextbookDiscriminator,
    textbook_step,
    update,
)
from lib.config.training import LossWeights
from lib.vits.discriminator import Discriminator
from lib.vits.model import Batch, backward_step, forward_step, prepare_for_training
from lib.vits.spectrogram import Spectrogram

BATCH, SECONDS, TOKENS_PER_SECOND = 4, 3.0, 27
Networks = tuple[VitsModel, nn.Module]


def make_batch(seconds: Sequence[float], device: torch.device) -> Batch:
    """Clips of speech-like sound and random tokens."""
    samples = [round(s * 16_000) for s in seconds]
    tokens = [round(s * TOKENS_PER_SECOND) for s in seconds]
    audio = torch.zeros(len(seconds), max(samples))
    for seed, (row, length) in enumerate(zip(audio, samples, strict=True)):
        row[:length] = torch.from_numpy(speechlike(length / 16_000, 16_000, seed))[:length]
    return Batch(
        torch.randint(1, 38, (len(seconds), max(tokens))),
        torch.tensor(tokens),
        audio,
        torch.tensor(samples),
        torch.zeros(len(seconds), dtype=torch.long),
    ).to(device)


def make_networks(device: torch.device, textbook: bool) -> tuple[Networks, list]:
    """Both networks with the same random weights for both sides, and their optimizers."""
    torch.manual_seed(0)
    model = prepare_for_training(VitsModel(VitsConfig())).to(device)
    discriminator = Discriminator()
    discriminator = TextbookDiscriminator(discriminator) if textbook else discriminator
    options = {"lr": 1e-5, "betas": (0.8, 0.99), "eps": 1e-9, "fused": None if textbook else True}
    networks = (model, discriminator.to(device))
    return networks, [torch.optim.AdamW(n.parameters(), **options) for n in networks]


def our_step(networks: Networks, optimizers: list, batch: Batch, spectrogram: nn.Module) -> Clock:
    """Run the step of this project's trainer."""
    model, discriminator = networks
    clock = Clock()
    step = forward_step(model, discriminator, batch, spectrogram, SEGMENT)
    clock.lap("forward of both networks")
    backward_step(step, discriminator, step.counts, LossWeights())
    clock.lap("backward of both networks")
    update(optimizers)
    clock.lap("optimizers")
    return clock


def measure(
    repeats: int, device: torch.device, precision: torch.dtype | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of every part and of the whole, textbook's and ours, each at its fastest.

    In turns, so that whatever else the machine does meets both. A half precision is used by
    autocast, in both alike.
    """
    batch, spectrogram = make_batch([SECONDS] * BATCH, device), Spectrogram().to(device)
    theirs, ours = make_networks(device, textbook=True), make_networks(device, textbook=False)
    clocks: list[tuple[Clock, Clock]] = []
    for _ in range(repeats + 1):
        with torch.autocast(device.type, precision, enabled=precision is not None):
            textbook = textbook_step(*theirs, batch)
            clocks.append((textbook, our_step(*ours, batch, spectrogram)))
    return tuple(fastest([pair[side].parts for pair in clocks[1:]]) for side in (0, 1))


def fastest(clocks: list[dict[str, float]]) -> dict[str, float]:
    """Return the parts of the fastest step, with their sum."""
    best = min(clocks, key=lambda parts: sum(parts.values()))
    return {**best, "a whole step": sum(best.values())}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    theirs, ours = measure(arguments.repeats, device)
    rows = [("textbook", part, f"{seconds:.3f}") for part, seconds in theirs.items()]
    rows += [("ours", part, f"{seconds:.3f}") for part, seconds in ours.items()]
    ratio = ours["a whole step"] / theirs["a whole step"]
    print_table(("step", "part", "seconds"), [*rows, ("", "ours / textbook", f"{ratio:.2f}")])


if __name__ == "__main__":
    main()
