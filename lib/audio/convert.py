"""Convert one clip of any format to PCM16 at one loudness, with its measurements."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from lib.audio.audio_fingerprint import make_fingerprint
from lib.audio.decode import DecodeError, Recording, decode
from lib.audio.loudness import Level, gain_to, measure_level
from lib.audio.measurement import Measurement
from lib.audio.noise import estimate_snr
from lib.audio.silence import find_speech
from lib.audio.spectrum import Spectrogram, make_spectrogram
from lib.audio.wav import write_wav
from lib.config.audio import AudioSettings
from lib.files import write_json

REASONS = ("undecodable", "empty", "no_audio", "too_short", "too_long", "silent")
NO_SAMPLES = np.zeros(0, np.int16)
FULL_SCALE = 32768
# Codecs add up to so many seconds of padding, which must not put a clip beyond the limit.
TOLERANCE = 0.05


def convert(
    clip_id: str, audio: bytes, wav: Path, sidecar: Path, settings: AudioSettings
) -> Measurement:
    """Write a clip's WAV file and sidecar; a clip that cannot be used gets an empty WAV file.

    A fault of the audio raises no error, but is written to the sidecar. Only faults of the machine
    raise, like a full disk or a missing permission.
    """
    try:
        recording = decode(audio, settings.sample_rate, settings.max_duration + TOLERANCE)
    except DecodeError as error:
        return reject(Measurement(clip_id), error.reason, str(error), None, wav, sidecar, settings)
    measured = Measurement(clip_id, source=recording.source, warnings=recording.warnings)
    if fault := _duration_fault(recording, settings):
        return reject(measured, *fault, wav, sidecar, settings)
    level = measure_level(recording.samples, settings.sample_rate)
    if level.loudest() <= settings.silence_threshold:
        detail = f"audio.silence_threshold is {settings.silence_threshold} LUFS"
        loudest = level.loudest() if np.isfinite(level.loudest()) else None
        return reject(measured, "silent", detail, loudest, wav, sidecar, settings)
    spectrogram = make_spectrogram(recording.samples, settings.sample_rate)
    snr = estimate_snr(spectrogram)
    measured = replace(
        measured, snr=snr and round(snr, 2), audio_fingerprint=make_fingerprint(spectrogram)
    )
    samples = recording.samples
    if settings.trim_silence:
        samples, measured = _trim(samples, spectrogram, measured, settings)
        if samples.size < (settings.min_duration - TOLERANCE) * settings.sample_rate:
            detail = f"audio.min_duration is {settings.min_duration} s, silence not counted"
            left = samples.size / settings.sample_rate
            return reject(measured, "too_short", detail, left, wav, sidecar, settings)
        level = measure_level(samples, settings.sample_rate)
    samples, measured = _normalise(samples, level, measured, settings)
    _write(measured, samples, wav, sidecar, settings)
    return measured


def _trim(
    samples: np.ndarray, spectrogram: Spectrogram, measured: Measurement, settings: AudioSettings
) -> tuple[np.ndarray, Measurement]:
    """Cut off the silence at both ends."""
    rate = settings.sample_rate
    begin, end = (
        int(np.clip(seconds * rate, 0, samples.size))
        for seconds in find_speech(spectrogram, settings.trim_margin)
    )
    trimmed = {"trimmed_start": begin / rate, "trimmed_end": (samples.size - end) / rate}
    return samples[begin:end], replace(measured, **trimmed)


def _normalise(
    samples: np.ndarray, level: Level, measured: Measurement, settings: AudioSettings
) -> tuple[np.ndarray, Measurement]:
    """Bring the samples to the wanted loudness by one gain, and return them as int16."""
    wanted_db = gain_to(level, settings.loudness)
    gain_db = min(wanted_db, settings.peak_ceiling - level.peak())
    scaled = np.rint(samples * (FULL_SCALE * 10 ** (gain_db / 20)))
    # Only a ceiling of 0 dBTP needs this; others are below full scale.
    scaled = scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return scaled, replace(
        measured,
        duration=scaled.size / settings.sample_rate,
        num_samples=scaled.size,
        loudness_before=_rounded(level.loudness()),
        loudness_after=_rounded(level.loudness(gain_db)),
        peak_before=_rounded(level.peak()),
        peak_after=_rounded(level.peak(gain_db)),
        gain_db=_rounded(gain_db),
        peak_bound=gain_db < wanted_db,
    )


def reject(
    measured: Measurement,
    reason: str,
    detail: str,
    value: float | None,
    wav: Path,
    sidecar: Path,
    settings: AudioSettings,
) -> Measurement:
    """Write the outputs of a clip that cannot be used."""
    rejected = replace(measured, status="rejected", reason=reason, detail=detail, value=value)
    _write(rejected, NO_SAMPLES, wav, sidecar, settings)
    return rejected


def _duration_fault(recording: Recording, settings: AudioSettings) -> tuple[str, str, float] | None:
    """Return reason, detail and value if the clip is too short or too long."""
    duration = recording.source.duration
    if duration < settings.min_duration - TOLERANCE:
        return "too_short", f"audio.min_duration is {settings.min_duration} s", duration
    if duration > settings.max_duration + TOLERANCE:
        return "too_long", f"audio.max_duration is {settings.max_duration} s", duration
    return None


def _write(
    measured: Measurement, samples: np.ndarray, wav: Path, sidecar: Path, settings: AudioSettings
) -> None:
    write_wav(wav, samples, settings.sample_rate)
    write_json(sidecar, asdict(measured))


def _rounded(decibels: float) -> float:
    return round(decibels, 3)
