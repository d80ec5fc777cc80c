"""A small random VITS, made from a seed: the base model of the demo and of tests.

It has the shape of MMS-TTS in small and knows nothing: after a few minutes on a CPU it hums, it
does not speak. It shows that the whole path runs.
"""

import torch
from transformers import VitsConfig, VitsModel

_CHANNELS = 48


def tiny_config(vocab_size: int) -> VitsConfig:
    """Return the configuration of a small single-speaker VITS at 16 kHz with hop 256."""
    return VitsConfig(
        vocab_size=vocab_size,
        hidden_size=_CHANNELS,
        flow_size=_CHANNELS,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=2 * _CHANNELS,
        spectrogram_bins=513,
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
        sampling_rate=16_000,
        layerdrop=0.1,
        pad_token_id=0,
    )


def make_random_model(config: VitsConfig, seed: int) -> VitsModel:
    """Make a model; the same seed gives the same weights, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VitsModel(config)
        _initialise_like_vits(model)
    return model


@torch.no_grad()
def _initialise_like_vits(model: VitsModel) -> None:
    """Start as original VITS does: a quiet decoder, flows that change nothing, even attention."""
    for layer in model.decoder.modules():
        if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            layer.weight.normal_(0.0, 0.01)
    for flow in model.flow.flows:
        flow.conv_post.weight.zero_()
        flow.conv_post.bias.zero_()
    for layer in model.text_encoder.encoder.layers:
        attention = layer.attention
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            torch.nn.init.xavier_uniform_(projection.weight)
