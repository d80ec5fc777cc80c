"""Speaker embeddings of clips, computed by resemblyzer's encoder and, if asked for, by CAM++.

No other module imports resemblyzer. This one imports it only when there is something to embed: the
import takes two seconds and pulls in librosa and torch.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from lib.audio.wav import read_wav
from lib.speakers.campplus import CampPlusEncoder, choose_samples, describe_campplus
from lib.speakers.shard import Embedding, read_made_with, read_shard, write_shard

logger = logging.getLogger(__name__)

# On two threads a window of 1.6 s costs 7.5 ms alone, 3.0 ms in a batch of 4 and 2.5 ms in one of
# 128 (one thread: 11.6, 5.2, 4.9).
BATCH_WINDOWS = 128

# resemblyzer's own choices in `VoiceEncoder.embed_utterance`: windows a second, and the share of
# a last window that must be filled for it to count.
WINDOW_RATE = 1.3
MIN_COVERAGE = 0.75

# Windows in either part of a clip whose parts are compared.
MIN_PART = 2


@dataclass(frozen=True, slots=True)
class _Windows:
    """The mel windows of one clip, and what is known of it.

    Attributes
    ----------
    mels
        `(num_windows, 160, 40) float32`.
    tiled
        `(1, 160, 40) float32`, a window of the speech repeated, of a clip that is too short to fill
        one; `(0, 160, 40)` of any other clip.
    chosen
        `(num_samples,) float32` at 16 kHz, what CAM++ hears of the clip.
    """

    clip: str
    digest: str
    duration: float
    voiced: float
    mels: np.ndarray
    tiled: np.ndarray
    chosen: np.ndarray


def embed_clips(
    wavs: Mapping[str, Path],
    shard: Path,
    previous: Path | None = None,
    *,
    encoder: str = "resemblyzer",
    sample_rate: int = 16000,
    threads: int = 1,
    device: str | None = None,
    code: str = "",
) -> None:
    """Write the speaker embedding of every clip that has samples into `shard`.

    Parameters
    ----------
    wavs
        PCM16 mono WAV file of each clip, by clip. Clips without samples (rejected ones) are left
        out.
    shard
        Parquet file to write.
    previous
        Earlier version of the shard. Embeddings of WAV files whose bytes did not change are kept,
        if they were computed with the same code, encoder and settings.
    encoder
        With `campplus` every clip has an embedding of CAM++ beside that of resemblyzer.
    sample_rate
        Of the WAV files, in Hz.
    threads
        CPU threads for the encoder.
    device
        `cpu` or `cuda`; None takes a GPU where torch sees one. Where it cannot be used, or has no
        memory left, a warning is logged and the CPU is used.
    code
        Digest of the code that computes embeddings.

    Raises
    ------
    EncoderError
        If CAM++ is asked for and is not installed.
    """
    made_with = describe_making(encoder, sample_rate, code)
    known = _read_previous(previous, made_with)
    kept: list[Embedding] = []
    changed: dict[str, str] = {}
    for clip, wav in wavs.items():
        digest = wav_digest(wav)
        if clip in known and known[clip].digest == digest:
            kept.append(known[clip])
        else:
            changed[clip] = digest
    sounding = _read_sounding(wavs, changed, sample_rate)
    embedded = []
    if changed:
        embedded = list(_embed(sounding, encoder, sample_rate, threads, device))
    write_shard(shard, kept + embedded, made_with)
    logger.info(
        "%s: %d embeddings kept, %d computed, %d clips without samples",
        shard.name,
        len(kept),
        len(embedded),
        len(changed) - len(embedded),
    )


def wav_digest(wav: Path) -> str:
    """Return the hex SHA-256 digest of a file's bytes."""
    with wav.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_making(encoder: str, sample_rate: int, code: str) -> str:
    """Return what an embedding depends on besides its clip."""
    made_with = {
        "code": code,
        "encoder": f"Resemblyzer {version('Resemblyzer')}",
        "sample_rate": sample_rate,
    }
    if encoder == "campplus":
        made_with["campplus"] = describe_campplus()
    return json.dumps(made_with, sort_keys=True)


def _read_previous(previous: Path | None, made_with: str) -> dict[str, Embedding]:
    if previous is None or not previous.is_file():
        return {}
    try:
        if read_made_with(previous) != made_with:
            logger.info("%s was made with other code or settings", previous.name)
            return {}
        return read_shard(previous)
    except ValueError as error:
        # It is only a cache: what cannot be read is computed again.
        logger.warning("earlier embeddings are not used: %s", error)
        return {}


def _read_sounding(
    wavs: Mapping[str, Path], digests: Mapping[str, str], sample_rate: int
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield clip, digest and `(num_samples,) int16` of the clips that have samples."""
    for clip, digest in digests.items():
        samples = read_wav(wavs[clip])
        if len(samples):
            yield clip, digest, samples


def _embed(
    clips: Iterable[tuple[str, str, np.ndarray]],
    encoder: str,
    sample_rate: int,
    threads: int,
    device: str | None,
) -> Iterator[Embedding]:
    """Embed clips, the windows of many in one forward pass."""
    import torch

    torch.set_num_threads(threads)
    resemblyzer = _load_encoder(device)
    campplus = CampPlusEncoder(device) if encoder == "campplus" else None
    waiting: list[_Windows] = []
    for clip, digest, samples in clips:
        waiting.append(_cut_windows(clip, digest, samples, sample_rate))
        if sum(len(item.mels) for item in waiting) >= BATCH_WINDOWS:
            yield from _encode(resemblyzer, campplus, waiting)
            waiting = []
    if waiting:
        yield from _encode(resemblyzer, campplus, waiting)


def _load_encoder(device: str | None):
    import torch

    with warnings.catch_warnings():
        # webrtcvad asks for pkg_resources, which announces its end at every import.
        warnings.simplefilter("ignore")
        from resemblyzer import VoiceEncoder
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        try:
            encoder = VoiceEncoder("cuda", verbose=False).eval()
            logger.info("speaker embeddings are computed on the GPU")
            return encoder
        # torch without CUDA says so with an AssertionError.
        except (RuntimeError, AssertionError) as error:
            logger.warning("no usable GPU (%s): speaker embeddings are computed on the CPU", error)
    return VoiceEncoder("cpu", verbose=False).eval()


def _cut_windows(clip: str, digest: str, samples: np.ndarray, sample_rate: int) -> _Windows:
    """Prepare a clip as resemblyzer does and cut it into windows of 1.6 s."""
    from resemblyzer import VoiceEncoder, sampling_rate, wav_to_mel_spectrogram

    speech, voiced = find_speech(samples, sample_rate)
    wav_slices, mel_slices = VoiceEncoder.compute_partial_slices(
        len(speech), WINDOW_RATE, MIN_COVERAGE
    )
    # The last window may reach past the end.
    missing = max(0, wav_slices[-1].stop - len(speech))
    mel = wav_to_mel_spectrogram(np.pad(speech, (0, missing)))
    mels = np.stack([mel[window] for window in mel_slices])
    tiled = mels[:0]
    if len(speech) < wav_slices[0].stop:
        repeated = np.resize(speech, wav_slices[0].stop)
        tiled = wav_to_mel_spectrogram(repeated)[None, : mels.shape[1]]
    duration = len(samples) / sample_rate
    chosen = choose_samples(samples, sample_rate, speech)
    return _Windows(clip, digest, duration, voiced / sampling_rate, mels, tiled, chosen)


def find_speech(samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, int]:
    """Return the speech in a clip at 16 kHz, `float32`, and how many samples of it were found.

    Where the voice activity detector finds nothing, the whole clip is returned: a whisper or a very
    short clip still gets an embedding, and its zero seconds of speech tell how far to trust it.
    """
    from resemblyzer import preprocess_wav, sampling_rate

    samples = samples.astype(np.float32) / 32768
    if not samples.any():
        return samples, 0
    source_rate = None if sample_rate == sampling_rate else sample_rate
    # preprocess_wav cannot take less than one of its 30 ms frames.
    if len(samples) < 0.03 * sample_rate:
        return samples, 0
    speech = preprocess_wav(samples, source_sr=source_rate)
    return (speech, len(speech)) if len(speech) else (samples, 0)


def _encode(
    encoder, campplus: CampPlusEncoder | None, clips: list[_Windows]
) -> Iterator[Embedding]:
    """Run one batch through the encoders; for resemblyzer's, a clip is the mean of its windows."""
    import torch

    stacks = [stack for item in clips for stack in (item.mels, item.tiled)]
    mels = torch.from_numpy(np.concatenate(stacks))
    with torch.inference_mode():
        chunks = [encoder(part.to(encoder.device)).cpu() for part in mels.split(2 * BATCH_WINDOWS)]
    ends = np.cumsum([len(stack) for stack in stacks])
    parts = iter(np.split(torch.cat(chunks).numpy(), ends[:-1]))
    second = campplus.embed([item.chosen for item in clips]) if campplus else [None] * len(clips)
    for item, other in zip(clips, second, strict=True):
        windows, tiled = next(parts), next(parts)
        vector = _average(windows)
        yield Embedding(
            item.clip,
            item.digest,
            item.duration,
            item.voiced,
            vector,
            _average(tiled) if len(tiled) else vector,
            measure_intra_clip_similarity(windows),
            other,
        )


def measure_intra_clip_similarity(windows: np.ndarray) -> float | None:
    """Return the similarity of a clip's two parts, split where they differ most.

    It is the cosine of the mean embeddings of the parts. Either part has two windows or more: a
    single window of one speaker can be as far from the rest as another speaker is.

    Parameters
    ----------
    windows
        `(num_windows, 256) float32`, the embeddings of the clip's windows in order.

    Returns
    -------
    float or None
        From -1 to 1; None for a clip of less than four windows, which are 3.5 s of speech.
    """
    splits = range(MIN_PART, len(windows) - MIN_PART + 1)
    pairs = ((_average(windows[:at]), _average(windows[at:])) for at in splits)
    return min((float(before @ after) for before, after in pairs), default=None)


def _average(windows: np.ndarray) -> np.ndarray:
    mean = windows.mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)
