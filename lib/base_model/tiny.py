"""A small random VITS, made from a seed: the base model `tiny`, which tests use too.

It has the architecture of MMS-TTS with smaller layers. After a few minutes of training on a CPU it
gives a hum and no speech. It only shows that the whole workflow runs.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import VitsConfig, VitsModel, VitsTokenizer
from transformers.models.vits.modeling_vits import VitsConvFlow

from lib.mms import SAMPLE_RATE, SPECTROGRAM_BINS

SEED = 7
_CHANNELS = 48
_LETTERS = " abcdefghijklmnopqrstuvwxyz'-"


def tiny_config(vocab_size: int) -> VitsConfig:
    """Return the configuration of a small single-speaker VITS at 16 kHz with hop 256."""
    return VitsConfig(
        vocab_size=vocab_size,
        hidden_size=_CHANNELS,
        flow_size=_CHANNELS,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=2 * _CHANNELS,
        spectrogram_bins=SPECTROGRAM_BINS,
        prior_encoder_num_flows=2,
        prior_encoder_num_wavenet_layers=2,
        posterior_encoder_num_wavenet_layers=4,
        upsample_initial_channel=64,
        upsample_rates=[8, 8, 4],
        upsample_kernel_sizes=[16, 16, 8],
        resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3], [1, 3]],
        duration_predictor_num_flows=2,
        duration_predictor_filter_channels=_CHANNELS,
        depth_separable_num_layers=2,
        num_speakers=1,
        speaker_embedding_size=0,
        sampling_rate=SAMPLE_RATE,
        layerdrop=0.1,
        pad_token_id=0,
    )


def write_tiny_model(
    directory: Path, seed: int = SEED, shape: Callable[[int], VitsConfig] = tiny_config
) -> None:
    """Write model and tokenizer; the same seed gives the same bytes.

    Parameters
    ----------
    shape
        Returns the configuration for a size of the vocabulary.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # As in MMS vocabularies, id 0 is the blank, the padding and a character.
    vocabulary = {letter: i for i, letter in enumerate("_" + _LETTERS)}
    vocab_file = directory / "vocab.json"
    vocab_file.write_text(json.dumps(vocabulary), "utf-8")
    tokenizer = VitsTokenizer(
        str(vocab_file), pad_token="_", unk_token="_", language="eng", phonemize=False
    )
    tokenizer.save_pretrained(directory)
    make_random_model(shape(len(vocabulary)), seed).save_pretrained(directory)


def make_random_model(config: VitsConfig, seed: int) -> VitsModel:
    """Return a model with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VitsModel(config)
        _initialise_like_vits(model)
    return model


@torch.no_grad()
def _initialise_like_vits(model: VitsModel) -> None:
    """Initialise the weights as original VITS does, not as transformers does.

    transformers initialises token embeddings five times smaller and convolutions two and a half
    times larger. That matters only for a training from random weights.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
            _reset(layer)
    encoder = model.text_encoder
    nn.init.normal_(encoder.embed_tokens.weight, std=model.config.hidden_size**-0.5)
    for block in encoder.encoder.layers:
        for projection in (block.attention.q_proj, block.attention.k_proj, block.attention.v_proj):
            nn.init.xavier_uniform_(projection.weight)
    # The decoder starts quiet, and the flows start as identities.
    for part in (model.decoder.upsampler, model.decoder.resblocks):
        for layer in part.modules():
            if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
                nn.init.normal_(layer.weight, std=0.01)
    zeroed = [flow.conv_post for flow in model.flow.flows]
    zeroed += [
        m.conv_proj for m in model.duration_predictor.modules() if isinstance(m, VitsConvFlow)
    ]
    for layer in zeroed:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def _reset(layer: nn.Module) -> None:
    """Initialise a layer's weights as PyTorch does by default, also under weight norm."""
    if not parametrize.is_parametrized(layer):
        layer.reset_parameters()
        return
    weight = torch.empty_like(layer.weight)
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    layer.weight = weight
    bound = 1 / math.sqrt(weight[0].numel())
    nn.init.uniform_(layer.bias, -bound, bound)
