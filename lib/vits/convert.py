"""Convert original VITS / MMS checkpoints to the layouts used here.

Original MMS training states are ``{"model", "iteration", "optimizer", "learning_rate"}`` in
``G_100000.pth`` (generator) and ``D_100000.pth`` (discriminator), with the old weight-norm names
``weight_g`` and ``weight_v``.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import VitsConfig, VitsModel

_DISCRIMINATOR_KEY = re.compile(
    r"discriminators\.(\d+)\.(convs\.\d+|conv_post)\.(weight_g|weight_v|bias)"
)
_NORM_NAMES = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}

# Patterns of original names and their replacements in transformers, applied in this order.
_GENERATOR_RULES: tuple[tuple[str, str], ...] = (
    (r"^enc_p\.emb\.", "text_encoder.embed_tokens."),
    (r"^enc_p\.proj\.", "text_encoder.project."),
    (
        r"^enc_p\.encoder\.attn_layers\.(\d+)\.conv_([qkv])\.",
        r"text_encoder.encoder.layers.\1.attention.\2_proj.",
    ),
    (
        r"^enc_p\.encoder\.attn_layers\.(\d+)\.conv_o\.",
        r"text_encoder.encoder.layers.\1.attention.out_proj.",
    ),
    (
        r"^enc_p\.encoder\.attn_layers\.(\d+)\.emb_rel",
        r"text_encoder.encoder.layers.\1.attention.emb_rel",
    ),
    (
        r"^enc_p\.encoder\.ffn_layers\.(\d+)\.",
        r"text_encoder.encoder.layers.\1.feed_forward.",
    ),
    (r"^enc_p\.encoder\.norm_layers_1\.(\d+)\.", r"text_encoder.encoder.layers.\1.layer_norm."),
    (
        r"^enc_p\.encoder\.norm_layers_2\.(\d+)\.",
        r"text_encoder.encoder.layers.\1.final_layer_norm.",
    ),
    (r"^enc_q\.pre\.", "posterior_encoder.conv_pre."),
    (r"^enc_q\.enc\.", "posterior_encoder.wavenet."),
    (r"^enc_q\.proj\.", "posterior_encoder.conv_proj."),
    (r"^dec\.ups\.", "decoder.upsampler."),
    (r"^dec\.", "decoder."),
    (r"^emb_g\.", "embed_speaker."),
    (r"^dp\.", "duration_predictor."),
    (r"^duration_predictor\.(post_)?(pre|proj)\.", r"duration_predictor.\1conv_\2."),
    (r"^duration_predictor\.(post_)?convs\.", r"duration_predictor.\1conv_dds."),
    (r"(flows\.\d+)\.(pre|proj|post)\.", r"\1.conv_\2."),
    (r"(flows\.\d+)\.convs\.", r"\1.conv_dds."),
    (r"(flows\.\d+)\.enc\.", r"\1.wavenet."),
    (r"\.convs_sep\.", ".convs_dilated."),
    (r"\.convs_1x1\.", ".convs_pointwise."),
    (r"(flows\.0)\.m$", r"\1.translate"),
    (r"(flows\.0)\.logs$", r"\1.log_scale"),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
)
_FLOW_INDEX = re.compile(r"^(flow|duration_predictor)\.((?:post_)?flows)\.(\d+)")


def discriminator_from_original(
    state: Mapping[str, Tensor], name: str = "checkpoint"
) -> dict[str, Tensor]:
    """Convert the ``model`` entry of an original ``D_*.pth`` to a `Discriminator` state.

    Raises
    ------
    ValueError
        If the keys are not a discriminator's. At least one published file has a generator's.
    """
    strange = [key for key in state if not _DISCRIMINATOR_KEY.fullmatch(key)]
    if strange or not state:
        found = ", ".join(strange[:3]) or "nothing"
        raise ValueError(
            f"{name} is not a VITS discriminator: it holds {found}; expected "
            "discriminators.*.convs.*"
        )
    converted = {}
    for key, value in state.items():
        number, layer, kind = _DISCRIMINATOR_KEY.fullmatch(key).groups()
        # The original's period discriminators are (k, 1) convolutions; here they are 1-d.
        squeeze = int(number) > 0 and kind != "bias"
        ours = f"discriminators.{number}.{layer}.{_NORM_NAMES.get(kind, kind)}"
        converted[ours] = value.squeeze(-1) if squeeze else value
    return converted


def generator_from_original(
    state: Mapping[str, Tensor], hyperparameters: Mapping[str, Any], vocab_size: int
) -> VitsModel:
    """Build a `VitsModel` from the ``model`` entry of an original ``G_*.pth``.

    Parameters
    ----------
    hyperparameters
        The original ``config.json``.

    Raises
    ------
    ValueError
        If the state is not that of a generator of this configuration.
    """
    model = VitsModel(_config_from_original(hyperparameters, vocab_size))
    layout = model.state_dict()
    converted: dict[str, Tensor] = {}
    stochastic = model.config.use_stochastic_duration_prediction
    for key, value in state.items():
        name = _generator_name(key, stochastic)
        if name.endswith("weight_g"):
            direction = state[key[:-1] + "v"]
            plain = name.removesuffix("_g")
            if plain in layout:
                converted[plain] = torch._weight_norm(direction, value, 0)
                continue
        for old, new in _NORM_NAMES.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        if name in layout:
            converted[name] = value.reshape(layout[name].shape)
        elif not name.endswith("original1"):
            raise ValueError(f"not a generator of this configuration: unexpected {key}")
    missing = sorted(set(layout) - set(converted))
    if missing:
        raise ValueError(
            f"not a generator of this configuration: missing {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        )
    model.load_state_dict(converted)
    return model.eval()


def _generator_name(key: str, stochastic: bool) -> str:
    for pattern, replacement in _GENERATOR_RULES:
        key = re.sub(pattern, replacement, key)
    if not stochastic:
        # The predictor of one duration a token has another layer of that name.
        key = key.replace("duration_predictor.conv_proj.", "duration_predictor.proj.")
    # The original counts the flips between coupling layers as layers, transformers does not.
    match = _FLOW_INDEX.match(key)
    if match:
        kind, flows, number = match.group(1), match.group(2), int(match.group(3))
        index = number // 2 if kind == "flow" else (number + 1) // 2
        key = f"{kind}.{flows}.{index}{key[match.end() :]}"
    return key


def _config_from_original(hyperparameters: Mapping[str, Any], vocab_size: int) -> VitsConfig:
    model, data = hyperparameters["model"], hyperparameters["data"]
    speakers = int(data.get("n_speakers", 0))
    return VitsConfig(
        vocab_size=vocab_size,
        hidden_size=model["hidden_channels"],
        flow_size=model["inter_channels"],
        ffn_dim=model["filter_channels"],
        num_attention_heads=model["n_heads"],
        num_hidden_layers=model["n_layers"],
        ffn_kernel_size=model["kernel_size"],
        hidden_dropout=model["p_dropout"],
        attention_dropout=model["p_dropout"],
        activation_dropout=model["p_dropout"],
        resblock_kernel_sizes=model["resblock_kernel_sizes"],
        resblock_dilation_sizes=model["resblock_dilation_sizes"],
        upsample_rates=model["upsample_rates"],
        upsample_initial_channel=model["upsample_initial_channel"],
        upsample_kernel_sizes=model["upsample_kernel_sizes"],
        use_stochastic_duration_prediction=model.get("use_sdp", True),
        num_speakers=max(1, speakers),
        speaker_embedding_size=model.get("gin_channels", 0) if speakers > 1 else 0,
        spectrogram_bins=data["filter_length"] // 2 + 1,
        sampling_rate=data["sampling_rate"],
        layerdrop=0.0,
        pad_token_id=0,
    )
