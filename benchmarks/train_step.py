"""One training step of a full-size VITS, ours and the textbook's.

``python -m benchmarks.train_step``. Random weights (36 M generator, 46.7 M discriminator), a batch
of four clips of 3 s, both networks updated. The textbook's step is what VITS trainers do: the
discriminator's turn, then the generator's with the discriminator run twice more and its weight
gradients thrown away; alignment on the host in one thread; the mel filterbank rebuilt in every
call; transformers' own spline.
"""

import argparse
import time

import numpy as np
import torch
from torch import Tensor, nn
from transformers import VitsConfig, VitsModel
from transformers.audio_utils import mel_filter_bank

from benchmarks.bench import print_table, speechlike
from lib.vits.discriminator import Discriminator
from lib.vits.losses import LossWeights
from lib.vits.model import Batch, backward_step, forward_step, prepare_for_training
from lib.vits.spectrogram import Spectrogram

BATCH, SECONDS, TOKENS, SEGMENT, HOP = 4, 3.0, 81, 32, 256
Networks = tuple[VitsModel, Discriminator]


class Clock:
    """Adds up the seconds of the parts of a step."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, part: str) -> None:
        """Book the time since the last call under a part."""
        now = time.perf_counter()
        self.parts[part] = self.parts.get(part, 0.0) + now - self.last
        self.last = now


def make_batch() -> Batch:
    samples = round(SECONDS * 16_000)
    audio = torch.stack(
        [torch.from_numpy(speechlike(SECONDS, 16_000, seed)).float() for seed in range(BATCH)]
    )
    ids = torch.randint(1, 38, (BATCH, TOKENS))
    sizes = torch.full((BATCH,), samples), torch.full((BATCH,), TOKENS)
    return Batch(ids, sizes[1], audio, sizes[0], torch.zeros(BATCH, dtype=torch.long))


# ---------------------------------------------------------------- ours


def our_step(networks: Networks, optimizers: list, batch: Batch, spectrogram: nn.Module) -> Clock:
    model, discriminator = networks
    clock = Clock()
    step = forward_step(model, discriminator, batch, spectrogram, SEGMENT)
    clock.lap("forward of both networks")
    backward_step(step, discriminator, step.counts, LossWeights())
    clock.lap("backward of both networks")
    update(optimizers)
    clock.lap("optimizers")
    return clock


def update(optimizers: list) -> None:
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


# ---------------------------------------------------------------- the textbook's


def linear_spectrogram(audio: Tensor) -> Tensor:
    window = torch.hann_window(1024)
    padded = nn.functional.pad(audio.unsqueeze(1), (384, 384), mode="reflect").squeeze(1)
    spectrum = torch.stft(padded, 1024, HOP, window=window, center=False, return_complex=True)
    return (spectrum.abs().square() + 1e-6).sqrt()


def mel(linear: Tensor) -> Tensor:
    filters = mel_filter_bank(513, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    return torch.log((torch.from_numpy(filters).float().T @ linear).clamp(min=1e-5))


def align(scores: np.ndarray) -> np.ndarray:
    """Best monotonic path of one clip, frame by frame."""
    frames, tokens = scores.shape
    best = np.full((frames, tokens), -1e9, np.float32)
    best[0, 0] = scores[0, 0]
    for t in range(1, frames):
        moved = np.concatenate([[-1e9], best[t - 1, :-1]])
        best[t] = scores[t] + np.maximum(best[t - 1], moved)
    path = np.zeros_like(scores)
    token = tokens - 1
    for t in range(frames - 1, -1, -1):
        path[t, token] = 1
        if token and (token == t or best[t - 1, token] < best[t - 1, token - 1]):
            token -= 1
    return path


def textbook_generator(model: VitsModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss without the discriminator's part, the waveform and the recording's piece."""
    linear = linear_spectrogram(batch.audio)
    mask = torch.ones(BATCH, 1, linear.shape[2])
    token_mask = torch.ones(BATCH, TOKENS, 1)
    text = model.text_encoder(batch.input_ids, padding_mask=token_mask)
    hidden = text.last_hidden_state.transpose(1, 2)
    means, log_scales = text.prior_means.transpose(1, 2), text.prior_log_variances.transpose(1, 2)
    latents, _, posterior_log_scales = model.posterior_encoder(linear, mask)
    flowed = model.flow(latents, mask)
    with torch.no_grad():
        precision = torch.exp(-2 * log_scales)
        scores = (-0.5 * np.log(2 * np.pi) - log_scales).sum(1, keepdim=True)
        scores = scores - 0.5 * (flowed.square().transpose(1, 2) @ precision)
        scores = scores + flowed.transpose(1, 2) @ (means * precision)
        scores = scores - 0.5 * (means.square() * precision).sum(1, keepdim=True)
        path = torch.from_numpy(np.stack([align(s) for s in scores.cpu().numpy()]))
    durations = path.sum(1).unsqueeze(1)
    nll = model.duration_predictor(
        hidden, token_mask.transpose(1, 2), durations=durations, reverse=False
    )
    mean, log_scale = means @ path.transpose(1, 2), log_scales @ path.transpose(1, 2)
    kl = log_scale - posterior_log_scales - 0.5
    kl = kl + 0.5 * (flowed - mean).square() * torch.exp(-2 * log_scale)
    starts = [int(torch.randint(0, linear.shape[2] - SEGMENT, ())) for _ in range(BATCH)]
    pieces = torch.stack([z[:, s : s + SEGMENT] for z, s in zip(latents, starts, strict=True)])
    target = torch.stack(
        [
            a[s * HOP : (s + SEGMENT) * HOP].unsqueeze(0)
            for a, s in zip(batch.audio, starts, strict=True)
        ]
    )
    waveform = model.decoder(pieces)
    mel_loss = (
        (mel(linear_spectrogram(waveform.squeeze(1))) - mel(linear_spectrogram(target.squeeze(1))))
        .abs()
        .mean()
    )
    loss = 45 * mel_loss + kl.sum() / mask.sum() + nll.sum() / token_mask.sum()
    return loss, waveform, target


def textbook_step(networks: Networks, optimizers: list, batch: Batch) -> Clock:
    model, discriminator = networks
    clock = Clock()
    loss, waveform, target = textbook_generator(model, batch)
    clock.lap("generator forward")
    real, fake = discriminator(target), discriminator(waveform.detach())
    judged = sum(
        (1 - r).square().mean() + f.square().mean()
        for r, f in zip(real.scores, fake.scores, strict=True)
    )
    judged.backward()
    clock.lap("discriminator's turn")
    update(optimizers[1:])
    clock.lap("optimizers")
    real, fake = discriminator(target), discriminator(waveform)
    loss = loss + sum((1 - f).square().mean() for f in fake.scores)
    for maps_real, maps_fake in zip(real.features, fake.features, strict=True):
        for r, f in zip(maps_real, maps_fake, strict=True):
            loss = loss + 2 * (r.detach() - f).abs().mean()
    loss.backward()
    clock.lap("generator's turn")
    optimizers[1].zero_grad(set_to_none=True)
    update(optimizers[:1])
    clock.lap("optimizers")
    return clock


# ---------------------------------------------------------------- both


def make_networks() -> tuple[Networks, list]:
    torch.manual_seed(0)
    model = prepare_for_training(VitsModel(VitsConfig()))
    discriminator = Discriminator()
    options = {"lr": 1e-5, "betas": (0.8, 0.99), "eps": 1e-9}
    networks = (model, discriminator)
    return networks, [torch.optim.AdamW(n.parameters(), **options) for n in networks]


def measure(repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of every part and of the whole, textbook's and ours, each at its fastest.

    In turns, so that whatever else the machine does meets both.
    """
    batch, spectrogram = make_batch(), Spectrogram()
    theirs, ours = make_networks(), make_networks()
    clocks: list[tuple[Clock, Clock]] = []
    for _ in range(repeats + 1):
        textbook = textbook_step(*theirs, batch)
        clocks.append((textbook, our_step(*ours, batch, spectrogram)))
    return tuple(fastest([pair[side].parts for pair in clocks[1:]]) for side in (0, 1))


def fastest(clocks: list[dict[str, float]]) -> dict[str, float]:
    best = min(clocks, key=lambda parts: sum(parts.values()))
    return {**best, "a whole step": sum(best.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    theirs, ours = measure(arguments.repeats)
    rows = [("textbook", part, f"{seconds:.2f}") for part, seconds in theirs.items()]
    rows += [("ours", part, f"{seconds:.2f}") for part, seconds in ours.items()]
    ratio = ours["a whole step"] / theirs["a whole step"]
    print_table(("step", "part", "seconds"), [*rows, ("", "ours / textbook", f"{ratio:.2f}")])


if __name__ == "__main__":
    main()
