"""Small models and batches."""

import pytest
import torch
from transformers import VitsModel

from lib.base_model.tiny import tiny_config
from lib.vits.discriminator import Discriminator, DiscriminatorSettings
from lib.vits.model import Batch, prepare_for_training
from lib.vits.spectrogram import Spectrogram


@pytest.fixture
def model() -> VitsModel:
    """A random single-speaker model with 12 characters, as a base comes from disk."""
    torch.manual_seed(0)
    return VitsModel(tiny_config(12)).eval()


@pytest.fixture
def learning(model: VitsModel) -> VitsModel:
    """The same in training, without dropout: its output depends on weights and noise alone."""
    prepare_for_training(model)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in model.text_encoder.encoder.layers:
        layer.attention.dropout = 0.0
    return model


@pytest.fixture
def discriminator() -> Discriminator:
    torch.manual_seed(1)
    return Discriminator(DiscriminatorSettings(base_channels=2))


@pytest.fixture
def spectrogram() -> Spectrogram:
    return Spectrogram()


@pytest.fixture
def batch() -> Batch:
    """Four clips of very different lengths, one shorter than a segment of 32 frames."""
    torch.manual_seed(2)
    num_samples = torch.tensor([16_000, 12_345, 30_000, 7_000])
    num_tokens = torch.tensor([21, 11, 31, 7])
    audio = torch.zeros(4, 30_000)
    input_ids = torch.zeros(4, 31, dtype=torch.long)
    for i in range(4):
        time = torch.arange(num_samples[i]) / 16_000
        audio[i, : num_samples[i]] = 0.3 * torch.sin(440 * (i + 1) * time) + 0.05 * torch.randn(
            num_samples[i]
        )
        input_ids[i, : num_tokens[i]] = torch.randint(1, 12, (int(num_tokens[i]),))
    return Batch(input_ids, num_tokens, audio, num_samples, torch.tensor([0, 1, 2, 1]))


def _wave(shape: torch.Size, like: torch.Tensor | None = None, **options) -> torch.Tensor:
    """'Noise' that depends on channel and place alone, not on what else is in the batch."""
    size = shape[-1]
    channels = torch.arange(shape[-2] if len(shape) > 1 else 1).unsqueeze(1)
    values = torch.cos(0.7 * torch.arange(size) + 1.3 * channels)
    values = values if len(shape) > 1 else torch.full((size,), 0.37)
    reference = like if like is not None else torch.zeros((), dtype=options.get("dtype"))
    return values.to(reference.dtype).expand(shape).clone()


@pytest.fixture
def fixed_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace all noise by a fixed pattern, the same for every clip."""
    monkeypatch.setattr(torch, "randn", lambda *shape, **o: _wave(torch.Size(shape), **o))
    monkeypatch.setattr(torch, "randn_like", lambda x: _wave(x.shape, x))
    monkeypatch.setattr(torch, "rand", lambda *shape, **o: _wave(torch.Size(shape), **o))
