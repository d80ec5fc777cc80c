"""The training step: what flows where, and that accumulation is exact."""

from dataclasses import replace

import pytest
import torch
from transformers import VitsModel

from lib.config.training import LossWeights
from lib.vits.adapt import add_speakers
from lib.vits.model import (
    Batch,
    Counts,
    backward_step,
    forward_step,
    fuse_weight_norm,
    generate,
    prepare_for_training,
    random_starts,
)

STARTS = torch.tensor([3, 11, 40, 0])


def gradients(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


def select(batch: Batch, start: int, stop: int) -> Batch:
    """Some clips of a batch, with no more padding than they need."""
    part = {name: value[start:stop] for name, value in vars(batch).items()}
    part["input_ids"] = part["input_ids"][:, : int(part["num_tokens"].max())]
    part["audio"] = part["audio"][:, : int(part["num_samples"].max())]
    return Batch(**part)


def speak(model: VitsModel, speaker: int | None = None) -> torch.Tensor:
    model.eval()
    model.noise_scale = model.noise_scale_duration = 0.0
    with torch.no_grad():
        return model(torch.tensor([[0, 3, 0, 5, 0, 7, 0]]), speaker_id=speaker).waveform


def test_training_setup_and_back_change_no_output(model, tmp_path):
    before = speak(model)
    prepare_for_training(model)
    torch.testing.assert_close(speak(model), before, rtol=1e-4, atol=1e-5)
    fuse_weight_norm(model).save_pretrained(tmp_path)
    torch.testing.assert_close(
        speak(VitsModel.from_pretrained(tmp_path)), before, rtol=1e-4, atol=1e-5
    )


def test_training_mode_has_no_layerdrop(model):
    assert model.config.layerdrop == 0.1
    prepare_for_training(model)
    assert model.training
    assert model.text_encoder.encoder.layerdrop == model.config.layerdrop == 0.0


def test_every_parameter_of_both_networks_learns(learning, discriminator, batch, spectrogram):
    step = forward_step(learning, discriminator, batch, spectrogram)
    backward_step(step, discriminator, step.counts, LossWeights())
    for network in (learning, discriminator):
        without = [n for n, p in network.named_parameters() if p.grad is None]
        assert without == []


def test_gradients_equal_those_of_separate_generator_and_discriminator_passes(
    learning, discriminator, batch, spectrogram, fixed_noise
):
    """One discriminator forward gives the gradients of two, each with the other network frozen."""
    weights = LossWeights()
    step = forward_step(learning, discriminator, batch, spectrogram, starts=STARTS)
    backward_step(step, discriminator, step.counts, weights)
    ours = gradients(learning), gradients(discriminator)
    learning.zero_grad()
    discriminator.zero_grad()

    generated = generate(learning, batch, spectrogram, 32, STARTS)
    discriminator.requires_grad_(False)
    fake, real = discriminator(generated.waveform), discriminator(generated.target)
    feature = sum(
        (r - f).abs().mean()
        for maps in zip(real.features, fake.features, strict=True)
        for r, f in zip(*maps, strict=True)
    )
    adversarial = sum((1 - f).square().mean() for f in fake.scores)
    loss = weights.mel * (generated.mel - generated.target_mel).abs().mean()
    loss = (
        loss + generated.kl_sum / step.counts.frames + generated.duration_sum / step.counts.tokens
    )
    (loss + 2 * feature + adversarial).backward()
    discriminator.requires_grad_(True)
    assert not gradients(discriminator)
    fake = discriminator(generated.waveform.detach())
    real = discriminator(generated.target)
    sum(
        (1 - r).square().mean() + f.square().mean()
        for r, f in zip(real.scores, fake.scores, strict=True)
    ).backward()

    for mine, textbook in zip(ours, (gradients(learning), gradients(discriminator)), strict=True):
        assert mine.keys() == textbook.keys()
        for name in mine:
            scale = textbook[name].abs().max().clamp(min=1e-6)
            torch.testing.assert_close(
                mine[name] / scale, textbook[name] / scale, rtol=0, atol=2e-3, msg=name
            )


def test_discriminator_alone_learns_in_its_warm_up(learning, discriminator, batch, spectrogram):
    step = forward_step(learning, discriminator, batch, spectrogram)
    backward_step(step, discriminator, step.counts, LossWeights(), generator_learns=False)
    assert not gradients(learning)
    assert gradients(discriminator)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 2), (1, 3)])
def test_accumulation_is_exact(learning, discriminator, batch, spectrogram, fixed_noise, sizes):
    """Micro-batches of any sizes give one batch's gradients, to rounding in float64."""
    for network in (learning, discriminator, spectrogram):
        network.double()
    batch = replace(batch, audio=batch.audio.double())
    frames = spectrogram.num_frames(batch.num_samples)
    counts = Counts(clips=4, frames=int(frames.sum()), tokens=int(batch.num_tokens.sum()))

    def run(parts: list[tuple[int, int]]) -> list[dict[str, torch.Tensor]]:
        for network in (learning, discriminator):
            network.zero_grad()
        for start, stop in parts:
            part = select(batch, start, stop)
            step = forward_step(
                learning, discriminator, part, spectrogram, starts=STARTS[start:stop]
            )
            backward_step(step, discriminator, counts, LossWeights())
        return [gradients(learning), gradients(discriminator)]

    stops = torch.tensor(sizes).cumsum(0).tolist()
    whole = run([(0, 4)])
    parts = run(list(zip([0, *stops[:-1]], stops, strict=True)))
    for one, many in zip(whole, parts, strict=True):
        assert one.keys() == many.keys()
        for name in one:
            # A key's bias cannot matter to attention: its gradient is rounding alone, near 1e-17.
            limit = 1e-9 * float(one[name].abs().max()) + 1e-14
            assert float((one[name] - many[name]).abs().max()) < limit, name


def test_losses_do_not_depend_on_padding(learning, batch, spectrogram, fixed_noise):
    with torch.no_grad():
        whole = forward_step(learning, None, batch, spectrogram, starts=STARTS).generated
        alone = [
            forward_step(
                learning, None, select(batch, i, i + 1), spectrogram, starts=STARTS[i : i + 1]
            ).generated
            for i in range(4)
        ]
    for name in ("mel_sum", "kl_sum", "duration_sum"):
        total = sum(getattr(one, name) for one in alone)
        torch.testing.assert_close(getattr(whole, name), total, rtol=1e-4, atol=1e-2, msg=name)


def test_target_is_the_recording_at_the_segment(learning, batch, spectrogram):
    with torch.no_grad():
        generated = generate(learning, batch, spectrogram, 32, STARTS)
    for i, start in enumerate((STARTS * 256).tolist()):
        expected = batch.audio[i, start : start + 8192]
        assert torch.equal(generated.target[i, 0, : len(expected)], expected)
        assert (generated.target[i, 0, len(expected) :] == 0).all()


def test_segments_start_within_the_clip_and_short_clips_at_zero():
    frames = torch.tensor([100, 40, 32, 12])
    starts = torch.stack([random_starts(frames, 32) for _ in range(300)])
    assert (starts >= 0).all()
    assert starts.max(0).values.tolist() == [68, 8, 0, 0]


def test_speakers_condition_the_step(learning, batch, spectrogram, fixed_noise):
    torch.manual_seed(0)
    model = prepare_for_training(add_speakers(fuse_weight_norm(learning), torch.randn(3, 256)))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".cond" in name:
                parameter.add_(0.05)
        model.eval()
        one = generate(model, batch, spectrogram, 32, STARTS).waveform
        other = replace(batch, speakers=torch.tensor([2, 1, 2, 1]))
        two = generate(model, other, spectrogram, 32, STARTS).waveform
    assert not torch.allclose(one[0], two[0])
    assert torch.allclose(one[1:], two[1:], atol=1e-6)
