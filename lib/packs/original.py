"""A voice in the layout of original VITS and MMS: ``G_*.pth``, ``config.json``, ``vocab.txt``.

It is the inverse of `lib.vits.convert`. Tools that read nothing else take it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import VitsConfig, VitsModel

from lib.files import atomic_directory, read_json, write_json
from lib.synthesis.tokens import TOKENIZER_FILE, CharacterTokenizer
from lib.vits.convert import discriminator_from_original, generator_from_original

NAME = "100000"  # the step in the file names of MMS
LEARNING_RATE = 2e-4
_NORM_NAMES = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}
# Patterns of transformers' names and their replacements, applied in this order.
_RULES: tuple[tuple[str, str], ...] = (
    (r"^text_encoder\.embed_tokens\.", "enc_p.emb."),
    (r"^text_encoder\.project\.", "enc_p.proj."),
    (
        r"^text_encoder\.encoder\.layers\.(\d+)\.attention\.([qkv])_proj\.",
        r"attn_layers.\1.conv_\2.",
    ),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.attention\.out_proj\.", r"attn_layers.\1.conv_o."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.attention\.emb_rel", r"attn_layers.\1.emb_rel"),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.feed_forward\.", r"ffn_layers.\1."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.layer_norm\.", r"norm_layers_1.\1."),
    (r"^text_encoder\.encoder\.layers\.(\d+)\.final_layer_norm\.", r"norm_layers_2.\1."),
    (r"^(attn_layers|ffn_layers|norm_layers_[12])\.", r"enc_p.encoder.\1."),
    (r"(norm_layers_[12]\.\d+|norms_[12]\.\d+|\bnorm_[12])\.weight$", r"\1.gamma"),
    (r"(norm_layers_[12]\.\d+|norms_[12]\.\d+|\bnorm_[12])\.bias$", r"\1.beta"),
    (r"^posterior_encoder\.conv_(pre|proj)\.", r"enc_q.\1."),
    (r"^posterior_encoder\.wavenet\.", "enc_q.enc."),
    (r"^decoder\.upsampler\.", "dec.ups."),
    (r"^decoder\.", "dec."),
    (r"^embed_speaker\.", "emb_g."),
    (r"^duration_predictor\.", "dp."),
    (r"^dp\.(post_)?conv_(pre|proj)\.", r"dp.\1\2."),
    (r"^dp\.(post_)?conv_dds\.", r"dp.\1convs."),
    (r"(flows\.\d+)\.conv_(pre|proj|post)\.", r"\1.\2."),
    (r"(flows\.\d+)\.conv_dds\.", r"\1.convs."),
    (r"(flows\.\d+)\.wavenet\.", r"\1.enc."),
    (r"\.convs_dilated\.", ".convs_sep."),
    (r"\.convs_pointwise\.", ".convs_1x1."),
    (r"(flows\.0)\.translate$", r"\1.m"),
    (r"(flows\.0)\.log_scale$", r"\1.logs"),
)
_FLOW_INDEX = re.compile(r"^(flow|dp)\.((?:post_)?flows)\.(\d+)")
_POINTWISE = re.compile(r"enc_p\.encoder\.attn_layers\.\d+\.conv_[qkvo]\.weight")
_NORMED = re.compile(r"dec\.(?:ups\.\d+|resblocks\.\d+\.convs[12]\.\d+)\.weight")
_COLUMNS = re.compile(r"(?:post_)?flows\.0\.(?:m|logs)$")


def export_original(model: Path, output: Path, discriminator: Path | None = None) -> None:
    """Write a voice in the original layout.

    Parameters
    ----------
    model
        Folder of the voice in transformers' layout, like ``results/model``.
    output
        Folder to write: ``G_100000.pth``, ``config.json``, ``vocab.txt``, and ``D_100000.pth`` if
        there is a discriminator.
    discriminator
        ``discriminator.safetensors`` of a base model.

    Raises
    ------
    ValueError
        If original VITS cannot have such a model: some of its sizes are constants there.
    """
    voice = VitsModel.from_pretrained(model, dtype=torch.float32).eval()
    tokenizer = CharacterTokenizer.read(model)
    romanised = read_json(model / TOKENIZER_FILE).get("is_uroman", False)
    hyperparameters = original_hyperparameters(voice.config, romanised)
    state = generator_to_original(voice)
    _check(voice, state, hyperparameters)
    with atomic_directory(output) as directory:
        torch.save(_as_training_state(state), directory / f"G_{NAME}.pth")
        if discriminator:
            weights = discriminator_to_original(load_file(discriminator))
            torch.save(_as_training_state(weights), directory / f"D_{NAME}.pth")
        write_json(directory / "config.json", hyperparameters)
        symbols = _list_symbols(tokenizer)
        (directory / "vocab.txt").write_text("".join(f"{s}\n" for s in symbols), "utf-8")


def generator_to_original(model: VitsModel) -> dict[str, Tensor]:
    """Return the state of a model in the names and shapes of original VITS.

    The decoder has no weight norm in transformers. Its weights become the direction, and their
    norms the gain, so that their product is the same to the last bit.

    Parameters
    ----------
    model
        With fused weight norm in the decoder, as it comes from disk.
    """
    state: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        name = _original_name(name)
        if _POINTWISE.fullmatch(name):
            value = value.unsqueeze(-1)
        if _COLUMNS.search(name):
            value = value.reshape(-1, 1)
        if _NORMED.fullmatch(name):
            state[f"{name}_g"], state[f"{name}_v"] = _split_norm(value)
        else:
            state[name] = value.clone()
    return state


def discriminator_to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a `Discriminator` state in the names and shapes of original VITS."""
    converted = {}
    for name, value in state.items():
        for ours, theirs in _NORM_NAMES.items():
            name = name.replace(ours, theirs)
        # The original's period discriminators are (k, 1) convolutions; here they are 1-d.
        of_period = not name.startswith("discriminators.0.") and not name.endswith("bias")
        converted[name] = value.unsqueeze(-1) if of_period else value
    discriminator_from_original(converted)
    return converted


def original_hyperparameters(config: VitsConfig, romanised: bool = False) -> dict[str, Any]:
    """Return the content of an original ``config.json``."""
    speakers = config.num_speakers if config.num_speakers > 1 else 0
    return {
        "train": {
            "learning_rate": LEARNING_RATE,
            "betas": [0.8, 0.99],
            "eps": 1e-9,
            "segment_size": 8192,
        },
        "data": {
            # Readers learn from this name whether text is romanised.
            "training_files": "train.ltr.uroman" if romanised else "train.ltr",
            "text_cleaners": ["transliteration_cleaners"],
            "cleaned_text": True,
            "max_wav_value": 32768.0,
            "sampling_rate": config.sampling_rate,
            "filter_length": 2 * (config.spectrogram_bins - 1),
            "hop_length": int(torch.tensor(config.upsample_rates).prod()),
            "win_length": 2 * (config.spectrogram_bins - 1),
            "n_mel_channels": 80,
            "mel_fmin": 0.0,
            "mel_fmax": None,
            "add_blank": True,
            "n_speakers": speakers,
        },
        "model": {
            "inter_channels": config.flow_size,
            "hidden_channels": config.hidden_size,
            "filter_channels": config.ffn_dim,
            "n_heads": config.num_attention_heads,
            "n_layers": config.num_hidden_layers,
            "kernel_size": config.ffn_kernel_size,
            "p_dropout": config.hidden_dropout,
            "resblock": "1",
            "resblock_kernel_sizes": config.resblock_kernel_sizes,
            "resblock_dilation_sizes": config.resblock_dilation_sizes,
            "upsample_rates": config.upsample_rates,
            "upsample_initial_channel": config.upsample_initial_channel,
            "upsample_kernel_sizes": config.upsample_kernel_sizes,
            "n_layers_q": 3,
            "use_spectral_norm": False,
            "use_sdp": config.use_stochastic_duration_prediction,
            **({"gin_channels": config.speaker_embedding_size} if speakers else {}),
        },
    }


def _check(
    voice: VitsModel, state: Mapping[str, Tensor], hyperparameters: Mapping[str, Any]
) -> None:
    """Refuse a model that is another one when it is read back."""
    found = voice.config.vocab_size
    try:
        back = generator_from_original(state, hyperparameters, found)
    except (ValueError, RuntimeError) as error:
        raise ValueError(_explain(str(error).splitlines()[0])) from None
    expected = voice.state_dict()
    differing = [k for k, value in back.state_dict().items() if not _is_close(value, expected[k])]
    if differing:
        raise ValueError(_explain(f"{differing[0]} would be another"))
    sizes = ("window_size", "wavenet_dilation_rate", "duration_predictor_tail_bound")
    for size in sizes:
        if getattr(back.config, size) != getattr(voice.config, size):
            raise ValueError(_explain(f"its {size} is {getattr(voice.config, size)}"))


def _is_close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-7)


def _explain(what: str) -> str:
    return (
        "original VITS cannot have this model, because many sizes are constants there, those of "
        f"every MMS-TTS voice ({what}). sherpa-onnx speaks it"
    )


def _as_training_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the content of a file; readers that go on training ask for all four."""
    return {
        "model": dict(state),
        "iteration": 0,
        "optimizer": None,
        "learning_rate": LEARNING_RATE,
    }


def _original_name(name: str) -> str:
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    for ours, theirs in _NORM_NAMES.items():
        name = name.replace(ours, theirs)
    # The original counts the flips between coupling layers as layers, transformers does not.
    if match := _FLOW_INDEX.match(name):
        kind, flows, number = match[1], match[2], int(match[3])
        index = 2 * number if kind == "flow" else max(2 * number - 1, 0)
        name = f"{kind}.{flows}.{index}{name[match.end() :]}"
    return name


def _split_norm(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return gain and direction of a weight, whose product is the weight to the last bit."""
    shape = (-1, *[1] * (weight.dim() - 1))
    direction = weight.clone()
    # A filter of zeros has no direction: any will do.
    empty = (weight.flatten(1) == 0).all(1)
    direction[empty] = 1.0
    # The norm as the product computes it: other sums differ in the last bit.
    _, norm = torch._weight_norm_interface(direction, torch.ones(len(weight)).view(shape), 0)
    gain = norm.view(shape).clone()
    gain[empty] = 0.0
    return gain, direction


def _list_symbols(tokenizer: CharacterTokenizer) -> list[str]:
    """Return the characters in the order of their ids."""
    symbols = {id_: character for character, id_ in tokenizer.vocabulary.items()}
    if sorted(symbols) != list(range(len(symbols))):
        raise ValueError("vocab.txt has a letter a line: the ids of the vocabulary have gaps")
    return [symbols[id_] for id_ in range(len(symbols))]
