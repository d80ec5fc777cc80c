"""A training step of VITS as trainers write it: the baseline of `train_step.py`.

The discriminator's losses come first, then the generator's, for which the discriminator is run
twice more and its weight gradients are thrown away. Period discriminators are two-dimensional
convolutions, the alignment runs on the host in one thread, window and mel filterbank are made in
every call, and the spline is that of transformers.
"""

import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from transformers import VitsModel
from transformers.audio_utils import mel_filter_bank

from lib.vits.discriminator import LEAKY_SLOPE, Discriminator, DiscriminatorOutput
from lib.vits.model import Batch

SEGMENT, HOP = 32, 256


class Clock:
    """Adds up the seconds of the parts of a step."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, part: str) -> None:
        """Book the time since the last call under a part."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.parts[part] = self.parts.get(part, 0.0) + now - self.last
        self.last = now


def update(optimizers: list) -> None:
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


class TextbookDiscriminator(nn.Module):
    """The same discriminator, its columns of samples as pictures (HiFi-GAN, section 2.3)."""

    def __init__(self, ours: Discriminator) -> None:
        super().__init__()
        self.scale = ours.discriminators[0]
        self.periods = ours.settings.periods
        self.stacks = nn.ModuleList(
            nn.ModuleList(_as_picture(conv) for conv in (*part.convs, part.conv_post))
            for part in ours.discriminators[1:]
        )

    def forward(self, waveform: Tensor) -> DiscriminatorOutput:
        """Score waveforms ``(batch, 1, samples)``."""
        scores, features = map(list, zip(self.scale(waveform), strict=True))
        for period, stack in zip(self.periods, self.stacks, strict=True):
            x = nn.functional.pad(waveform, (0, -waveform.shape[2] % period), mode="reflect")
            x = x.view(len(x), 1, -1, period)
            maps = []
            for conv in stack[:-1]:
                x = nn.functional.leaky_relu(conv(x), LEAKY_SLOPE)
                maps.append(x)
            maps.append(stack[-1](x))
            scores.append(maps[-1].flatten(1))
            features.append(maps)
        return DiscriminatorOutput(scores, features)


def _as_picture(conv: nn.Conv1d) -> nn.Module:
    flat = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (*conv.kernel_size, 1),
        (*conv.stride, 1),
        padding=(*conv.padding, 0),
    )
    with torch.no_grad():
        flat.weight.copy_(conv.weight.unsqueeze(-1))
        flat.bias.copy_(conv.bias)
    return weight_norm(flat)


def linear_spectrogram(audio: Tensor) -> Tensor:
    window = torch.hann_window(1024, device=audio.device)
    padded = nn.functional.pad(audio.unsqueeze(1), (384, 384), mode="reflect").squeeze(1)
    spectrum = torch.stft(padded, 1024, HOP, window=window, center=False, return_complex=True)
    return (spectrum.abs().square() + 1e-6).sqrt()


def mel(linear: Tensor) -> Tensor:
    filters = mel_filter_bank(513, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    filters = torch.from_numpy(filters).float().to(linear.device)
    return torch.log((filters.T @ linear).clamp(min=1e-5))


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
    batch_size, tokens = batch.input_ids.shape
    mask = torch.ones(batch_size, 1, linear.shape[2], device=linear.device)
    token_mask = torch.ones(batch_size, tokens, 1, device=linear.device)
    text = model.text_encoder(batch.input_ids, padding_mask=token_mask)
    hidden = text.last_hidden_state.transpose(1, 2)
    means, log_scales = text.prior_means.transpose(1, 2), text.prior_log_variances.transpose(1, 2)
    latents, _, posterior_log_scales = model.posterior_encoder(linear, mask)
    flowed = model.flow(latents, mask)
    # The alignment and the durations in fp32 also where the rest is in fp16, which overflows there.
    with torch.no_grad(), torch.autocast(mask.device.type, enabled=False):
        log_scales, means, flowed = log_scales.float(), means.float(), flowed.float()
        precision = torch.exp(-2 * log_scales)
        scores = (-0.5 * np.log(2 * np.pi) - log_scales).sum(1, keepdim=True)
        scores = scores - 0.5 * (flowed.square().transpose(1, 2) @ precision)
        scores = scores + flowed.transpose(1, 2) @ (means * precision)
        scores = scores - 0.5 * (means.square() * precision).sum(1, keepdim=True)
        path = torch.from_numpy(np.stack([align(s) for s in scores.cpu().numpy()])).to(mask.device)
    durations = path.sum(1).unsqueeze(1)
    with torch.autocast(mask.device.type, enabled=False):
        nll = model.duration_predictor(
            hidden.float(), token_mask.transpose(1, 2), durations=durations, reverse=False
        )
    mean, log_scale = means @ path.transpose(1, 2), log_scales @ path.transpose(1, 2)
    kl = log_scale - posterior_log_scales - 0.5
    kl = kl + 0.5 * (flowed - mean).square() * torch.exp(-2 * log_scale)
    starts = [int(torch.randint(0, linear.shape[2] - SEGMENT, ())) for _ in range(batch_size)]
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


def textbook_step(networks: tuple[VitsModel, nn.Module], optimizers: list, batch: Batch) -> Clock:
    model, discriminator = networks
    clock = Clock()
    loss, waveform, target = textbook_generator(model, batch)
    clock.lap("generator forward")
    real, fake = discriminator(target), discriminator(waveform.detach())
    discriminator_loss = sum(
        (1 - r).square().mean() + f.square().mean()
        for r, f in zip(real.scores, fake.scores, strict=True)
    )
    discriminator_loss.backward()
    clock.lap("discriminator")
    update(optimizers[1:])
    clock.lap("optimizers")
    real, fake = discriminator(target), discriminator(waveform)
    loss = loss + sum((1 - f).square().mean() for f in fake.scores)
    for maps_real, maps_fake in zip(real.features, fake.features, strict=True):
        for r, f in zip(maps_real, maps_fake, strict=True):
            loss = loss + 2 * (r.detach() - f).abs().mean()
    loss.backward()
    clock.lap("generator backward")
    optimizers[1].zero_grad(set_to_none=True)
    update(optimizers[:1])
    clock.lap("optimizers")
    return clock
