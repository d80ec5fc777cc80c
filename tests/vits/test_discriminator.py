"""The discriminator against the original layout, and its conversion."""

import pytest
import torch
from torch import nn

from lib.packs.original import discriminator_to_original
from lib.vits.convert import discriminator_from_original
from lib.vits.discriminator import (
    Discriminator,
    DiscriminatorSettings,
    initialise_discriminator,
)


def test_full_size_has_the_parameters_of_the_original():
    with torch.device("meta"):
        full = Discriminator()
    assert sum(p.numel() for p in full.parameters()) == 46_747_132


def test_output_equals_that_of_the_original_two_dimensional_layout(discriminator):
    """Run the converted state through (k, 1) convolutions over (samples / p, p) images."""
    torch.manual_seed(0)
    waveform = torch.randn(2, 1, 1000)
    output = discriminator(waveform)
    state = discriminator_to_original(discriminator.state_dict())
    for number, period in enumerate((2, 3, 5, 7, 11), start=1):
        x = waveform
        if 1000 % period:
            x = nn.functional.pad(x, (0, period - 1000 % period), mode="reflect")
        x = x.view(2, 1, -1, period)
        for layer in range(6):
            name = f"discriminators.{number}." + (f"convs.{layer}" if layer < 5 else "conv_post")
            v, g = state[f"{name}.weight_v"], state[f"{name}.weight_g"]
            weight = v * (g / v.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
            stride, padding = (3 if layer < 4 else 1), (2 if layer < 5 else 1)
            x = nn.functional.conv2d(
                x, weight, state[f"{name}.bias"], stride=(stride, 1), padding=(padding, 0)
            )
            x = nn.functional.leaky_relu(x, 0.1) if layer < 5 else x
            ours = output.features[number][layer]
            ours = ours.view(2, period, *ours.shape[1:]).permute(0, 2, 3, 1)
            torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-5)


def test_original_weights_convert_to_the_same_discriminator(discriminator, tmp_path):
    state = discriminator_to_original(discriminator.state_dict())
    assert state["discriminators.1.convs.0.weight_v"].shape == (4, 1, 5, 1)
    assert state["discriminators.0.convs.0.weight_v"].shape == (2, 1, 15)
    saved = {"model": state, "iteration": 1, "optimizer": {}, "learning_rate": 1e-4}
    torch.save(saved, tmp_path / "D_100000.pth")
    loaded = torch.load(tmp_path / "D_100000.pth", weights_only=True)["model"]
    other = Discriminator(DiscriminatorSettings(base_channels=2))
    other.load_state_dict(discriminator_from_original(loaded))
    for name, value in discriminator.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_a_generator_in_the_discriminator_s_file_is_refused_by_name():
    with pytest.raises(ValueError, match=r"D_100000\.pth is not a VITS discriminator.*enc_p\.emb"):
        discriminator_from_original({"enc_p.emb.weight": torch.zeros(1)}, "D_100000.pth")
    with pytest.raises(ValueError, match="holds nothing"):
        discriminator_from_original({})


def test_a_fresh_one_depends_on_its_seed_alone():
    settings = DiscriminatorSettings(base_channels=2)
    torch.manual_seed(5)
    one = initialise_discriminator(settings, 3)
    two = initialise_discriminator(settings, 3)
    other = initialise_discriminator(settings, 4)
    first = next(iter(one.parameters()))
    assert torch.equal(first, next(iter(two.parameters())))
    assert not torch.equal(first, next(iter(other.parameters())))
