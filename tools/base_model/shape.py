"""The shape of a VITS that learns on a CPU: 3 million parameters."""

from transformers import VitsConfig


def small_config(vocab_size: int, stochastic: bool, num_speakers: int = 1) -> VitsConfig:
    """Return the configuration, with the duration predictor and the speaker table asked for."""
    return VitsConfig(
        vocab_size=vocab_size,
        hidden_size=96,
        flow_size=96,
        num_hidden_layers=4,
        num_attention_heads=2,
        ffn_dim=384,
        spectrogram_bins=513,
        prior_encoder_num_flows=4,
        prior_encoder_num_wavenet_layers=2,
        posterior_encoder_num_wavenet_layers=5,
        upsample_initial_channel=128,
        upsample_rates=[8, 8, 4],
        upsample_kernel_sizes=[16, 16, 8],
        resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3], [1, 3]],
        duration_predictor_filter_channels=96,
        use_stochastic_duration_prediction=stochastic,
        num_speakers=num_speakers,
        speaker_embedding_size=64 if num_speakers > 1 else 0,
        sampling_rate=16_000,
        pad_token_id=0,
    )
