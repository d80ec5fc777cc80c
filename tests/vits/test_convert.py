"""Original MMS generators: a state in the original's names gives the same model back."""

import re

import pytest
import torch
from transformers import VitsConfig, VitsModel

from lib.vits.convert import _config_from_original, generator_from_original

HYPERPARAMETERS = {
    "model": {
        "hidden_channels": 24,
        "inter_channels": 24,
        "filter_channels": 48,
        "n_heads": 2,
        "n_layers": 2,
        "kernel_size": 3,
        "p_dropout": 0.1,
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
        "upsample_rates": [8, 8, 2, 2],
        "upsample_initial_channel": 32,
        "upsample_kernel_sizes": [16, 16, 4, 4],
    },
    "data": {"filter_length": 1024, "sampling_rate": 16_000, "n_speakers": 0, "add_blank": True},
}


def original_state(model: VitsModel) -> dict[str, torch.Tensor]:
    """Write a model in the names and shapes of original VITS, by rules of their own."""
    rules = [
        ("text_encoder.embed_tokens", "enc_p.emb"),
        ("text_encoder.project", "enc_p.proj"),
        (
            r"text_encoder.encoder.layers.(\d+).attention.([qkv])_proj",
            r"enc_p.encoder.attn_layers.\1.conv_\2",
        ),  # noqa: E501
        (
            r"text_encoder.encoder.layers.(\d+).attention.out_proj",
            r"enc_p.encoder.attn_layers.\1.conv_o",
        ),  # noqa: E501
        (
            r"text_encoder.encoder.layers.(\d+).attention.emb_rel",
            r"enc_p.encoder.attn_layers.\1.emb_rel",
        ),  # noqa: E501
        (r"text_encoder.encoder.layers.(\d+).feed_forward", r"enc_p.encoder.ffn_layers.\1"),
        (
            r"text_encoder.encoder.layers.(\d+).layer_norm.weight",
            r"enc_p.encoder.norm_layers_1.\1.gamma",
        ),  # noqa: E501
        (
            r"text_encoder.encoder.layers.(\d+).layer_norm.bias",
            r"enc_p.encoder.norm_layers_1.\1.beta",
        ),  # noqa: E501
        (
            r"text_encoder.encoder.layers.(\d+).final_layer_norm.weight",
            r"enc_p.encoder.norm_layers_2.\1.gamma",
        ),  # noqa: E501
        (
            r"text_encoder.encoder.layers.(\d+).final_layer_norm.bias",
            r"enc_p.encoder.norm_layers_2.\1.beta",
        ),  # noqa: E501
        ("posterior_encoder.conv_pre", "enc_q.pre"),
        ("posterior_encoder.conv_proj", "enc_q.proj"),
        ("posterior_encoder.wavenet", "enc_q.enc"),
        ("decoder.upsampler", "dec.ups"),
        ("decoder", "dec"),
        ("duration_predictor.post_conv_pre", "dp.post_pre"),
        ("duration_predictor.post_conv_proj", "dp.post_proj"),
        ("duration_predictor.post_conv_dds", "dp.post_convs"),
        ("duration_predictor.conv_pre", "dp.pre"),
        ("duration_predictor.conv_proj", "dp.proj"),
        ("duration_predictor.conv_dds", "dp.convs"),
        ("duration_predictor", "dp"),
        ("convs_dilated", "convs_sep"),
        ("convs_pointwise", "convs_1x1"),
        (r"(flows.\d+).conv_pre", r"\1.pre"),
        (r"(flows.\d+).conv_proj", r"\1.proj"),
        (r"(flows.\d+).conv_post", r"\1.post"),
        (r"(flows.\d+).conv_dds", r"\1.convs"),
        (r"(flows.\d+).wavenet", r"\1.enc"),
        (r"flows.0.translate", "flows.0.m"),
        (r"flows.0.log_scale", "flows.0.logs"),
        (r"(dp.*norms_[12]\.\d+)\.weight", r"\1.gamma"),
        (r"(dp.*norms_[12]\.\d+)\.bias", r"\1.beta"),
        ("parametrizations.weight.original0", "weight_g"),
        ("parametrizations.weight.original1", "weight_v"),
    ]
    state = {}
    for name, value in model.state_dict().items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        # The flips between layers are counted in the originals' lists.
        name = re.sub(r"^flow\.flows\.(\d+)", lambda m: f"flow.flows.{2 * int(m[1])}", name)
        name = re.sub(
            r"^dp\.((?:post_)?flows)\.([1-9])",
            lambda m: f"dp.{m[1]}.{2 * int(m[2]) - 1}",
            name,
        )
        if re.search(r"conv_[qkvo]\.weight$", name):
            value = value.unsqueeze(-1)
        normed = re.match(r"dec\.(ups\.\d+|resblocks\.\d+\.convs[12]\.\d+)\.weight$", name)
        if normed:
            dims = tuple(range(1, value.dim()))
            state[f"{name}_g"] = value.norm(dim=dims, keepdim=True)
            state[f"{name}_v"] = value * 3.0
        else:
            state[name] = value
    return state


@pytest.fixture
def small() -> VitsModel:
    torch.manual_seed(3)
    config = VitsConfig(
        vocab_size=9,
        hidden_size=24,
        flow_size=24,
        ffn_dim=48,
        num_hidden_layers=2,
        resblock_kernel_sizes=[3, 5],
        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
        upsample_initial_channel=32,
        spectrogram_bins=513,
        pad_token_id=0,
    )
    return VitsModel(config).eval()


def test_original_generator_gives_the_same_model(small):
    converted = generator_from_original(original_state(small), HYPERPARAMETERS, 9)
    expected = small.state_dict()
    for name, value in converted.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize(("speakers", "rows", "channels"), [(0, 1, 0), (1, 1, 0), (2, 2, 16)])
def test_the_configuration_is_that_of_the_original(small, speakers, rows, channels):
    """A model with one speaker has no conditioning, whatever width is written down for it."""
    model = {**HYPERPARAMETERS["model"], "gin_channels": 16, "use_sdp": False}
    data = {**HYPERPARAMETERS["data"], "n_speakers": speakers}
    config = _config_from_original({"model": model, "data": data}, 9)
    assert (config.num_speakers, config.speaker_embedding_size) == (rows, channels)
    assert (config.vocab_size, config.pad_token_id, config.layerdrop) == (9, 0, 0.0)
    assert config.use_stochastic_duration_prediction is False
    assert (config.spectrogram_bins, config.sampling_rate) == (513, 16_000)
    assert config.hidden_dropout == config.attention_dropout == config.activation_dropout == 0.1
    assert _config_from_original(HYPERPARAMETERS, 9).use_stochastic_duration_prediction is True


def test_another_file_is_refused(small):
    state = original_state(small)
    with pytest.raises(ValueError, match="unexpected discriminators.0"):
        generator_from_original(
            {**state, "discriminators.0.bias": torch.zeros(1)}, HYPERPARAMETERS, 9
        )
    del state["dec.conv_pre.weight"]
    with pytest.raises(ValueError, match=r"missing decoder\.conv_pre\.weight"):
        generator_from_original(state, HYPERPARAMETERS, 9)
