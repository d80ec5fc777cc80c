"""A voice in transformers' layout, run by torch."""

from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from transformers import VitsModel

from lib.base_model.weights import describe_fault
from lib.synthesis.sound import Sound
from lib.vits.synthesis import synthesize


class TorchModel:
    """A `VitsModel`, like that in ``results/model``.

    Parameters
    ----------
    directory
        Folder of the model.

    Raises
    ------
    ValueError
        If its file of weights holds more than weights.
    """

    is_thread_safe = False

    def __init__(self, directory: Path) -> None:
        try:
            self.model = VitsModel.from_pretrained(directory, dtype=torch.float32).eval()
        except UnpicklingError as error:
            raise ValueError(f"{directory} cannot be loaded: {describe_fault(error)}") from error
        self.sample_rate = self.model.config.sampling_rate
        self.num_speakers = self.model.config.num_speakers

    def generate(self, ids: list[int], speaker: int, sound: Sound) -> np.ndarray:
        """Return the waveform of one sentence, see `lib.synthesis.sound.SpeechModel`."""
        config = self.model.config
        self.model.speaking_rate = config.speaking_rate * sound.speed
        self.model.noise_scale = config.noise_scale if sound.noise is None else sound.noise
        self.model.noise_scale_duration = (
            config.noise_scale_duration if sound.duration_noise is None else sound.duration_noise
        )
        return synthesize(self.model, ids, speaker, sound.seed).numpy()
