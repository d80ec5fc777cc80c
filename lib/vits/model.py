"""The training forward of VITS on transformers' own `VitsModel` modules.

`forward_step` runs one micro-batch through the generator, and through the discriminator if there is
one. It returns every loss as a sum (see `lib.vits.losses`). `backward_step` computes the gradients
of both networks from these sums; neither network's loss adds to the other's gradients. Noise comes
from `torch.randn`, `torch.randn_like` and `torch.rand` alone, in this order: posterior, durations,
segment starts.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm
from transformers import VitsModel

from lib.config.training import LossWeights
from lib.vits.alignment import alignment_scores, maximum_path
from lib.vits.discriminator import Discriminator, DiscriminatorOutput
from lib.vits.duration import deterministic_duration_loss_sum, stochastic_duration_loss_sum
from lib.vits.encoders import encode_speech, encode_text, length_mask, speaker_condition
from lib.vits.losses import (
    adversarial_loss_sum,
    discriminator_loss_sum,
    feature_loss_sum,
    kl_loss_sum,
    mel_loss_sum,
)
from lib.vits.spectrogram import Spectrogram


@dataclass(frozen=True)
class Batch:
    """Clips padded to the same length."""

    input_ids: Tensor
    """``(batch, tokens)`` long, zero beyond a clip's end."""
    num_tokens: Tensor
    """``(batch,)`` long."""
    audio: Tensor
    """``(batch, samples)`` float in [-1, 1]."""
    num_samples: Tensor
    """``(batch,)`` long."""
    speakers: Tensor
    """``(batch,)`` long: index into the speaker table; not used by a model with one speaker."""

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def to(self, device: torch.device) -> "Batch":
        """Return a copy on a device, without waiting for the device."""
        tensors = vars(self)
        if device.type == "cuda":
            # A copy from pageable memory would wait until the device has finished its work.
            tensors = {k: v.pin_memory() for k, v in tensors.items()}
        return replace(self, **{k: v.to(device, non_blocking=True) for k, v in tensors.items()})


@dataclass(frozen=True)
class Counts:
    """Sizes of an optimizer-step batch, by which its sums of losses are divided."""

    clips: Tensor | int
    frames: Tensor | int
    tokens: Tensor | int


@dataclass
class Generated:
    """Output of the generator for a batch in training."""

    waveform: Tensor
    """``(batch, 1, segment)``."""
    target: Tensor
    """``(batch, 1, segment)``: the recording at the same place."""
    mel: Tensor
    """``(batch, mels, segment / hop)`` of the waveform."""
    target_mel: Tensor
    """``(batch, mels, segment / hop)`` of the recording."""
    path: Tensor
    """``(batch, frames, tokens)`` alignment of zeros and ones."""
    mel_sum: Tensor
    kl_sum: Tensor
    duration_sum: Tensor


@dataclass
class StepLosses:
    """All losses of one micro-batch, as sums; divided by `counts` they are the paper's means."""

    generated: Generated
    counts: Counts
    adversarial_sum: Tensor | None = None
    feature_sum: Tensor | None = None
    discriminator_sum: Tensor | None = None
    detached_fake: Tensor | None = None
    """The generated waveform that the discriminator was run on, detached from the generator."""

    def means(self, counts: Counts | None = None) -> dict[str, Tensor]:
        """Return the detached losses as the paper defines them, unweighted."""
        n = counts or self.counts
        g = self.generated
        losses = {
            "mel": g.mel_sum / n.clips,
            "kl": g.kl_sum / n.frames,
            "duration": g.duration_sum / n.tokens,
        }
        if self.detached_fake is not None:
            losses["adversarial"] = self.adversarial_sum / n.clips
            losses["feature"] = self.feature_sum / n.clips
            losses["discriminator"] = self.discriminator_sum / n.clips
        return {name: loss.detach() for name, loss in losses.items()}


def forward_step(
    model: VitsModel,
    discriminator: Discriminator | None,
    batch: Batch,
    spectrogram: Spectrogram,
    segment_frames: int = 32,
    starts: Tensor | None = None,
) -> StepLosses:
    """Run the forward pass of a training step on one micro-batch.

    Parameters
    ----------
    model
        The generator, prepared by `prepare_for_training`.
    discriminator
        None trains without the adversarial and feature losses.
    batch, spectrogram
        On the model's device.
    segment_frames
        Number of frames that the decoder is run on (32 frames are 8,192 samples).
    starts
        ``(batch,)`` first frame of each segment; drawn at random by default.

    Returns
    -------
    StepLosses
        All losses of the micro-batch.
    """
    generated = generate(model, batch, spectrogram, segment_frames, starts)
    counts = Counts(
        clips=len(batch),
        frames=spectrogram.num_frames(batch.num_samples).sum(),
        tokens=batch.num_tokens.sum(),
    )
    step = StepLosses(generated, counts)
    if discriminator is not None:
        step.detached_fake = generated.waveform.detach().requires_grad_(torch.is_grad_enabled())
        # The weights under weight norm are computed once for both calls.
        with parametrize.cached():
            real: DiscriminatorOutput = discriminator(generated.target)
            fake: DiscriminatorOutput = discriminator(step.detached_fake)
        step.adversarial_sum = adversarial_loss_sum(fake, len(batch))
        step.feature_sum = feature_loss_sum(real, fake, len(batch))
        step.discriminator_sum = discriminator_loss_sum(real, fake, len(batch))
    return step


def backward_step(
    step: StepLosses,
    discriminator: Discriminator | None,
    counts: Counts,
    weights: LossWeights,
    scale: float | Tensor = 1.0,
    generator_learns: bool = True,
) -> None:
    """Add this micro-batch's gradients to both networks.

    One forward pass of the discriminator serves the losses of both networks, because both use the
    same discriminator weights. The generator's losses need only the gradient at the generated
    waveform. The discriminator's loss needs only the gradients of its own parameters.

    Parameters
    ----------
    step
        From `forward_step`.
    counts
        Of the whole optimizer-step batch, over all processes.
    weights
        Weights of the generator's losses.
    scale
        Loss scale for fp16.
    generator_learns
        False trains the discriminator alone (warm-up of a fresh one).
    """
    g = step.generated
    if generator_learns:
        loss = weights.mel * g.mel_sum / counts.clips + weights.kl * g.kl_sum / counts.frames
        loss = scale * (loss + weights.duration * g.duration_sum / counts.tokens)
        if step.detached_fake is None:
            loss.backward()
        else:
            adversarial = weights.adversarial * step.adversarial_sum
            adversarial = adversarial + weights.feature * step.feature_sum
            (at_waveform,) = torch.autograd.grad(
                scale * adversarial / counts.clips, step.detached_fake, retain_graph=True
            )
            torch.autograd.backward([loss, g.waveform], [None, at_waveform.to(g.waveform.dtype)])
    if step.detached_fake is not None:
        loss = scale * step.discriminator_sum / counts.clips
        loss.backward(inputs=list(discriminator.parameters()))


def generate(
    model: VitsModel,
    batch: Batch,
    spectrogram: Spectrogram,
    segment_frames: int,
    starts: Tensor | None = None,
) -> Generated:
    """Run the generator in its training direction (section 2 of the paper)."""
    num_frames = spectrogram.num_frames(batch.num_samples)
    linear = spectrogram.linear(batch.audio, batch.num_samples)
    frame_mask = length_mask(num_frames, linear.shape[2]).to(linear.dtype).unsqueeze(1)
    condition = speaker_condition(model, batch.speakers)
    text = encode_text(model, batch.input_ids, batch.num_tokens, linear.dtype)

    mean, posterior_log_scales = encode_speech(model, linear, frame_mask, condition)
    noise = torch.randn_like(mean)
    latents = (mean + noise * torch.exp(posterior_log_scales)) * frame_mask
    flowed = model.flow(latents, frame_mask, condition)
    with torch.no_grad():
        scores = alignment_scores(flowed, text.prior_means, text.prior_log_scales)
        path = maximum_path(scores, num_frames, batch.num_tokens)
    durations = path.sum(1).unsqueeze(1)
    duration_loss = (
        stochastic_duration_loss_sum
        if model.config.use_stochastic_duration_prediction
        else deterministic_duration_loss_sum
    )
    duration_sum = duration_loss(
        model.duration_predictor, text.hidden, text.mask, durations, condition
    )
    with torch.autocast(linear.device.type, enabled=False):
        tokens_by_frames = path.transpose(1, 2)
        kl_sum = kl_loss_sum(
            flowed,
            posterior_log_scales,
            torch.matmul(text.prior_means.to(path.dtype), tokens_by_frames),
            torch.matmul(text.prior_log_scales.to(path.dtype), tokens_by_frames),
            frame_mask,
        )

    if starts is None:
        starts = random_starts(num_frames, segment_frames)
    hop = spectrogram.settings.hop_length
    waveform = model.decoder(_slices(latents, starts, segment_frames), condition)
    target = _slices(batch.audio.unsqueeze(1), starts * hop, segment_frames * hop)
    mel = spectrogram.mel_of_segment(waveform.squeeze(1))
    target_mel = spectrogram.mel(_slices(linear, starts, segment_frames))
    return Generated(
        waveform=waveform,
        target=target,
        mel=mel,
        target_mel=target_mel,
        path=path,
        mel_sum=mel_loss_sum(mel, target_mel),
        kl_sum=kl_sum,
        duration_sum=duration_sum,
    )


def random_starts(num_frames: Tensor, segment_frames: int) -> Tensor:
    """Draw uniform segment starts ``(batch,)``; zero for clips shorter than a segment."""
    choices = (num_frames - segment_frames + 1).clamp(min=1)
    return (torch.rand(len(num_frames), device=num_frames.device) * choices).long()


def _slices(x: Tensor, starts: Tensor, size: int) -> Tensor:
    """Cut ``(batch, channels, size)`` out of ``(batch, channels, length)``; zero beyond the end."""
    x = nn.functional.pad(x, (0, max(0, size - x.shape[2])))
    index = starts.view(-1, 1, 1) + torch.arange(size, device=x.device)
    return x.gather(2, index.expand(-1, x.shape[1], -1))


def prepare_for_training(model: VitsModel) -> VitsModel:
    """Switch a model to training: weight norm on the decoder, no layerdrop.

    The model's output does not change. Checkpoints store the decoder with its weight norm fused.
    MMS configurations have a layerdrop that the original VITS does not have.
    """
    model.config.layerdrop = 0.0
    model.text_encoder.encoder.layerdrop = 0.0
    for layer in _decoder_convolutions(model):
        if not parametrize.is_parametrized(layer):
            weight_norm(layer)
    return model.train()


def fuse_weight_norm(model: VitsModel) -> VitsModel:
    """Remove the decoder's weight norm in place, which gives the layout of plain transformers."""
    for layer in _decoder_convolutions(model):
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return model.eval()


def _decoder_convolutions(model: VitsModel) -> list[nn.Module]:
    """List the decoder's layers that original VITS trains under weight norm."""
    inner = [conv for block in model.decoder.resblocks for conv in (*block.convs1, *block.convs2)]
    return [*model.decoder.upsampler, *inner]
