"""A voice as an ONNX file, run by onnxruntime: nothing of torch is loaded."""

from pathlib import Path

import numpy as np
import onnxruntime

from lib.synthesis.sound import Sound

MODEL_FILE = "model.onnx"
NOISE, DURATION_NOISE = "noise", "noise_w"
"""Inputs that may be left out: then the graph draws random numbers."""
# Frames of a token at the voice's own speed, of which few have more; noise is made for so many.
_FRAMES_PER_TOKEN = 4
_METADATA = {"sample_rate", "n_speakers", "hop_length", "speaking_rate", "noise_scale"}
_METADATA |= {"noise_scale_duration"}
ERRORS_ALONE = 3
"""Level of onnxruntime's log: it warns of every input that may be left out."""


class OnnxModel:
    """A model that `lib.packs` exported.

    Parameters
    ----------
    directory
        Folder with the model.
    threads
        CPU threads; 0 takes one for every core.

    Raises
    ------
    ValueError
        If the file cannot be loaded, or is no voice of this project.
    """

    is_thread_safe = True

    def __init__(self, directory: Path, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS_ALONE
        # The other optimizations take longer at every start than they save in minutes of speech.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        # Numbers next to zero, as in silence, take a processor many times as long.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        self.session = _open_session(directory / MODEL_FILE, options)
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        if missing := _METADATA - self.metadata.keys():
            raise ValueError(
                f"{directory / MODEL_FILE} does not say {', '.join(sorted(missing))}, expected a "
                "voice that `python -m lib.packs` wrote"
            )
        self.sample_rate = int(self.metadata["sample_rate"])
        self.num_speakers = int(self.metadata["n_speakers"])
        self._hop_length = int(self.metadata["hop_length"])
        self._inputs = {value.name for value in self.session.get_inputs()}
        optional = self.session.get_overridable_initializers()
        self._channels = {value.name: value.shape[1] for value in optional}

    def generate(self, ids: list[int], speaker: int, sound: Sound) -> np.ndarray:
        """Return the waveform of one sentence, see `lib.synthesis.sound.SpeechModel`.

        The noise of a seed is another than torch's. The same seed gives the same waveform, whatever
        was spoken before.
        """
        speed = float(self.metadata["speaking_rate"]) * sound.speed
        scales = {
            "noise_scale": self._scale(sound.noise, "noise_scale"),
            "length_scale": 1 / speed,
            "noise_scale_w": self._scale(sound.duration_noise, "noise_scale_duration"),
        }
        feed = {name: np.array([value], np.float32) for name, value in scales.items()}
        feed |= {"x": np.array([ids], np.int64), "x_length": np.array([len(ids)], np.int64)}
        if "sid" in self._inputs:
            feed["sid"] = np.array([speaker], np.int64)
        feed[DURATION_NOISE] = self._draw(DURATION_NOISE, sound.seed, len(ids))
        frames = int(_FRAMES_PER_TOKEN * len(ids) / speed) + 1
        while True:
            feed[NOISE] = self._draw(NOISE, sound.seed, frames)
            (waveform,) = self.session.run(["y"], feed)[0]
            needed = len(waveform) // self._hop_length
            if needed <= frames:
                return waveform
            # What was beyond the noise was random: again, with enough of it.
            frames = needed

    def _scale(self, given: float | None, name: str) -> float:
        return float(self.metadata[name]) if given is None else given

    def _draw(self, name: str, seed: int, count: int) -> np.ndarray:
        """Return noise ``(1, channels, count)``; more of it begins with the same."""
        random = np.random.default_rng([seed, name == NOISE])
        values = random.standard_normal((count, self._channels[name]), np.float32)
        return np.ascontiguousarray(values.T)[None]


def _open_session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Load a file; onnxruntime refuses one that reads others outside of its folder."""
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for every kind, with no base of their own
        raise ValueError(f"{path} cannot be loaded: {error}") from error
