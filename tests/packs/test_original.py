"""The layout of original VITS: there and back, to the last bit."""

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import VitsConfig, VitsModel, VitsTokenizer

from lib.base_model.fetch import fetch_base_model
from lib.base_model.tiny import make_random_model, write_tiny_model
from lib.packs.original import (
    discriminator_to_original,
    export_original,
    generator_to_original,
    original_hyperparameters,
)
from lib.vits.convert import discriminator_from_original, generator_from_original
from lib.vits.discriminator import Discriminator, DiscriminatorSettings
from tests.vits.test_convert import original_state

SHAPES = {
    "one speaker": {},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 16},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
}


def shape(vocab_size: int, **changes) -> VitsConfig:
    """A voice with the sizes that are constants in original VITS, and small otherwise."""
    small = {"hidden_size": 24, "flow_size": 24, "ffn_dim": 48, "num_hidden_layers": 2}
    small |= {"resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3, 5]] * 2}
    small |= {"upsample_initial_channel": 32, "spectrogram_bins": 513, "pad_token_id": 0}
    small |= {"layerdrop": 0.0}
    return VitsConfig(vocab_size=vocab_size, **{**small, **changes})


@pytest.fixture(params=SHAPES)
def model(request) -> VitsModel:
    model = make_random_model(shape(9, **SHAPES[request.param]), seed=5).eval()
    with torch.no_grad():
        model.decoder.upsampler[0].weight[3] = 0  # a filter that has no direction
    return model


def test_there_and_back_every_bit_is_the_same(model):
    state = generator_to_original(model)
    back = generator_from_original(state, original_hyperparameters(model.config), 9)
    expected = model.state_dict()
    assert back.state_dict().keys() == expected.keys()
    for name, value in back.state_dict().items():
        assert torch.equal(value, expected[name]), name
    again = generator_to_original(back)
    assert again.keys() == state.keys()
    for name, value in again.items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize("name", ["one speaker"])
def test_names_and_shapes_are_those_of_the_original(name):
    """By the rules of another hand, see tests/vits/test_convert.py."""
    model = make_random_model(shape(9, **SHAPES[name]), seed=5).eval()
    ours, theirs = generator_to_original(model), original_state(model)
    assert ours.keys() == theirs.keys()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    assert {"enc_p.emb.weight", "dp.flows.7.convs.norms_1.2.gamma", "dec.ups.0.weight_g"} <= (
        ours.keys()
    )
    assert ours["enc_p.encoder.attn_layers.0.conv_q.weight"].dim() == 3


def test_a_discriminator_comes_back_too():
    torch.manual_seed(1)
    expected = Discriminator(DiscriminatorSettings(base_channels=2)).state_dict()
    there = discriminator_to_original(expected)
    assert there["discriminators.1.convs.0.weight_v"].dim() == 4
    assert there["discriminators.0.convs.0.weight_v"].dim() == 3
    back = discriminator_from_original(there)
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[name], value) for name, value in expected.items())


def test_the_folder_is_read_as_a_base_model(tmp_path):
    """What we write is what we read from MMS: the same weights, letters and speech."""
    write_tiny_model(tmp_path / "model", shape=shape)
    discriminator = Discriminator(DiscriminatorSettings(base_channels=2)).state_dict()
    save_file(discriminator, tmp_path / "discriminator.safetensors")
    export_original(tmp_path / "model", tmp_path / "vits", tmp_path / "discriminator.safetensors")
    names = {path.name for path in (tmp_path / "vits").iterdir()}
    assert names == {"G_100000.pth", "D_100000.pth", "config.json", "vocab.txt"}
    fetch_base_model(str(tmp_path / "vits"), "auto", tmp_path / "back")
    one, other = (VitsModel.from_pretrained(tmp_path / name) for name in ("model", "back"))
    for name, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    ids = [
        VitsTokenizer.from_pretrained(tmp_path / name)("Hello, it's me").input_ids
        for name in ("model", "back")
    ]
    assert ids[0] == ids[1]
    assert (tmp_path / "back/discriminator.safetensors").is_file()


def test_romanised_text_is_said_where_readers_look_for_it(tmp_path):
    write_tiny_model(tmp_path / "model", shape=shape)
    path = tmp_path / "model/tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "is_uroman": True}))
    export_original(tmp_path / "model", tmp_path / "vits")
    files = json.loads((tmp_path / "vits/config.json").read_text())["data"]["training_files"]
    assert files.endswith(".uroman")


def test_a_model_that_the_original_cannot_have_is_refused(tmp_path):
    write_tiny_model(tmp_path / "model")
    with pytest.raises(ValueError, match="original VITS cannot have this model.*sherpa-onnx"):
        export_original(tmp_path / "model", tmp_path / "vits")
    assert not (tmp_path / "vits").exists()


def test_a_size_without_weights_is_seen_too(tmp_path):
    write_tiny_model(
        tmp_path / "model", shape=lambda size: shape(size, duration_predictor_tail_bound=4.0)
    )
    with pytest.raises(ValueError, match="its duration_predictor_tail_bound is 4.0"):
        export_original(tmp_path / "model", tmp_path / "vits")
