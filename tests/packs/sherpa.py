"""Speaks packs with sherpa-onnx, as the programs built on it do."""

from pathlib import Path

import numpy as np
import sherpa_onnx


def load_pack(
    folder: Path, noise: float = 0.0, duration_noise: float = 0.0
) -> sherpa_onnx.OfflineTts:
    vits = sherpa_onnx.OfflineTtsVitsModelConfig(
        model=str(folder / "model.onnx"),
        lexicon="",
        tokens=str(folder / "tokens.txt"),
        noise_scale=noise,
        noise_scale_w=duration_noise,
    )
    model = sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=1)
    config = sherpa_onnx.OfflineTtsConfig(model=model)
    assert config.validate()
    return sherpa_onnx.OfflineTts(config)


def speak(
    pack: sherpa_onnx.OfflineTts, text: str, speaker: int = 0, speed: float = 1.0
) -> np.ndarray:
    """Return the waveform, without the shortening of pauses."""
    settings = sherpa_onnx.GenerationConfig()
    settings.sid, settings.speed, settings.silence_scale = speaker, speed, 1.0
    return np.array(pack.generate(text, settings).samples, np.float32)
