"""Decode whatever FFmpeg's libraries know, from memory, to mono float samples."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import av
import numpy as np
import soxr
from av.stream import Disposition

from lib import lfs
from lib.audio.clipping import count_clipped
from lib.audio.measurement import Source
from lib.audio.timeline import Gaps, fill_gaps

# Float files can hold anything; beyond 180 dB above full scale it is damage, not sound.
LARGEST_AMPLITUDE = 1e9
MIN_SOURCE_RATE, MAX_SOURCE_RATE = 1_000, 1_000_000
LOW_FREQUENCY_CHANNELS = {"LFE", "LFE2"}
# A text file can be a playlist: without protocols it cannot make FFmpeg open what it names.
NO_PROTOCOLS = {"protocol_whitelist": "none"}
MAX_PLANES = 8
UNKNOWN_SIZE = 0x7FFF0000
SILENT_AMPLITUDE = 0.001  # -60 dBFS: a track below it has no speech
SHORTEST_SOUND = 0.01  # share of a track: less is a click
INTEGER_BITS = {"u8": 8, "s16": 16, "s32": 32, "s64": 64}


class DecodeError(ValueError):
    """The bytes hold no audio that could be used; `reason` is the one for the sidecar."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded clip: (num_samples,) float32 at the sample rate that was asked for."""

    samples: np.ndarray
    source: Source
    warnings: tuple[str, ...]
    filled: float = 0.0  # s of silence put into gaps of the time stamps; part of the samples


def decode(audio: bytes, sample_rate: int, max_duration: float) -> Recording:
    """Return the audio track of a file that has sound, mixed to mono and resampled.

    Of several tracks the default one is taken, or the next if that is silent. Gaps in the time
    stamps are filled with silence. What can be decoded of a damaged file is returned. Warnings
    tell of all that. Decoding stops soon after `max_duration` seconds, so that a file cannot fill
    the memory.
    """
    if not audio:
        raise DecodeError("empty", "the file has no content")
    if lfs.is_pointer(audio):
        raise DecodeError("undecodable", f"this {lfs.ADVICE}")
    try:
        recording = _decode_tracks(audio, sample_rate, max_duration)
    except (DecodeError, MemoryError):
        raise
    except Exception as error:
        # There is nothing but the bytes here, so whatever goes wrong is the bytes' fault.
        message = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DecodeError("undecodable", f"FFmpeg cannot read it: {message}") from error
    missing = _stated_size(audio) - len(audio)
    if missing > 0 and not recording.warnings and recording.source.duration <= max_duration:
        warning = f"truncated: {missing} bytes are missing of those that the header announces"
        return replace(recording, warnings=(warning,))
    return recording


def _stated_size(audio: bytes) -> int:
    """Return how long a WAV or AIFF file says it is, which FFmpeg takes no notice of; else 0."""
    order = {b"RIFF": "little", b"FORM": "big"}.get(audio[:4])
    stated = int.from_bytes(audio[4:8], order) + 8 if order else 0
    # What is recorded to a pipe cannot know its length, and announces the largest there is.
    return stated if stated < UNKNOWN_SIZE else 0


def _open(audio: bytes) -> av.container.InputContainer:
    # "replace": tags in an unknown encoding are no reason to refuse the audio.
    return av.open(io.BytesIO(audio), options=NO_PROTOCOLS, metadata_errors="replace")


def _decode_tracks(audio: bytes, sample_rate: int, max_duration: float) -> Recording:
    """Return the first track with sound, the default one first; a warning tells of the others."""
    with _open(audio) as file:
        if not file.streams.audio:
            name = file.format.name
            raise DecodeError("no_audio", f"there is no audio track in this {name} file")
        defaults = [bool(track.disposition & Disposition.default) for track in file.streams.audio]
    order = sorted(range(len(defaults)), key=lambda track: not defaults[track])
    faults: list[str] = []
    silent: Recording | None = None
    for track in order:
        try:
            with _open(audio) as file:
                recording = _decode_track(file, track, sample_rate, max_duration)
        except DecodeError as error:
            if len(order) == 1:
                raise
            faults.append(f"track {track + 1} cannot be used ({error})")
            continue
        if len(order) == 1:
            return recording
        if _has_sound(recording.samples):
            return _tell_track(recording, track, len(order), faults)
        silent = silent or _tell_track(recording, track, len(order), faults)
        faults.append(f"track {track + 1} is silent")
    if silent is None:
        raise DecodeError("undecodable", "; ".join(faults))
    return silent


def _has_sound(samples: np.ndarray) -> bool:
    """Whether a track holds more than silence, an offset of its zero line or a click."""
    if not samples.size:
        return False
    amplitudes = np.abs(samples - np.median(samples))
    return bool(np.quantile(amplitudes, 1 - SHORTEST_SOUND) > SILENT_AMPLITUDE)


def _tell_track(recording: Recording, track: int, count: int, faults: list[str]) -> Recording:
    because = f", since {' and '.join(faults)}" if faults else ", the default one"
    warning = f"tracks: of {count} audio tracks number {track + 1} was taken{because}"
    return replace(recording, warnings=(warning, *recording.warnings))


def _decode_track(
    file: av.container.InputContainer, track: int, sample_rate: int, max_duration: float
) -> Recording:
    stream = file.streams.audio[track]
    warnings: list[str] = []
    gaps = Gaps()
    parts, duration, first, clipped, decoded = [], 0.0, None, 0, 0
    whole = fill_gaps(_packed(_frames(file, stream, warnings)), gaps)
    frames = _limit(whole, max_duration)
    # Almost always one group; some files change their format on the way.
    for key, group in groupby(frames, key=lambda f: (f.sample_rate, f.format.name, f.layout.name)):
        members = list(group)
        first = first or members[0]
        rate = _checked_rate(key[0])
        samples = np.concatenate([frame.to_ndarray() for frame in members], axis=1)
        channels = _to_float(samples, members[0])
        clipped, decoded = clipped + count_clipped(channels), decoded + channels.size
        mono = _mix(channels, members[0], warnings)
        duration += mono.size / rate
        parts.append(_resample(mono, rate, sample_rate))
    if first is None:
        reason = "undecodable" if warnings else "empty"
        raise DecodeError(reason, "; ".join(["there is not one sample to decode", *warnings]))
    if gaps.count:
        warnings.append(gaps.describe())
    if stated := _stated_duration(file, stream):
        stated -= gaps.length - gaps.filled
        if duration < 0.95 * stated - 0.1 and duration <= max_duration:
            warnings.append(f"truncated: {duration:.2f} s decoded, the header says {stated:.2f} s")
    source = Source(
        container=file.format.name,
        codec=stream.codec_context.name,
        sample_rate=first.sample_rate,
        channels=first.layout.nb_channels,
        duration=duration,
        clipped_share=round(clipped / decoded, 6) if decoded else 0.0,
    )
    return Recording(np.concatenate(parts), source, tuple(warnings), gaps.filled)


def _frames(
    file: av.container.InputContainer, stream: av.AudioStream, warnings: list[str]
) -> Iterator[av.AudioFrame]:
    """Yield the frames that can be decoded, and note what could not."""
    packets, damaged = file.demux(stream), 0
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            warnings.append(f"truncated: reading stopped with '{error.strerror}'")
            break
        if packet is None:
            break
        try:
            yield from packet.decode()
        except av.FFmpegError:
            damaged += 1
    if damaged:
        warnings.append(f"damaged: {damaged} packets could not be decoded and were left out")


def _limit(frames: Iterator[av.AudioFrame], max_duration: float) -> Iterator[av.AudioFrame]:
    """Yield frames until they last longer than `max_duration` seconds."""
    duration = 0.0
    for frame in frames:
        yield frame
        duration += frame.samples / _checked_rate(frame.sample_rate)
        if duration > max_duration:
            return


def _packed(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Interleave frames of more planes than PyAV can address.

    `to_ndarray` of a planar frame with 8 channels reads past the end of its table of planes and
    crashes the process (PyAV 18.1, 7.1 opus).
    """
    packer = None
    for frame in frames:
        if frame.format.is_planar and frame.layout.nb_channels >= MAX_PLANES:
            packer = packer or av.AudioResampler(format="flt")
            yield from packer.resample(frame)
        else:
            yield frame


def _checked_rate(sample_rate: int) -> int:
    if MIN_SOURCE_RATE <= sample_rate <= MAX_SOURCE_RATE:
        return sample_rate
    raise DecodeError("undecodable", f"a sample rate of {sample_rate} Hz is not credible")


def _stated_duration(file: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    """Return the duration in seconds that the file claims to have, if it does."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return file.duration / av.time_base if file.duration else None


def _to_float(samples: np.ndarray, frame: av.AudioFrame) -> np.ndarray:
    """Return decoded samples as (num_channels, num_samples) float32, full scale 1."""
    num_channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        samples = samples.reshape(-1, num_channels).T
    bits = INTEGER_BITS.get(frame.format.name.removesuffix("p"))
    if bits is None:
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    floats = samples.astype(np.float32)
    if frame.format.name.startswith("u8"):
        floats -= 128
    return floats / np.float32(2 ** (bits - 1))


def _mix(channels: np.ndarray, frame: av.AudioFrame, warnings: list[str]) -> np.ndarray:
    """Return the mean of the channels, (num_samples,) float32.

    The mean keeps what all channels share, which is the voice, and cannot clip. The subwoofer
    channel is left out. Where the channels cancel each other (one wired with reversed polarity),
    the strongest stands for all.
    """
    broken = ~(np.abs(channels) <= LARGEST_AMPLITUDE)
    if broken.any():
        warnings.append(f"damaged: {int(broken.sum())} samples are not finite and became zero")
        channels = np.where(broken, np.float32(0), channels)
    if len(channels) == 1:
        return channels[0]
    names = [channel.name for channel in frame.layout.channels]
    voiced = [i for i, name in enumerate(names) if name not in LOW_FREQUENCY_CHANNELS]
    channels = channels[voiced or slice(None)]
    mono = channels.mean(axis=0)
    powers = np.square(channels, dtype=np.float64).mean(axis=1)
    # Unrelated channels leave 1/n of their mean power, one silent channel of two leaves half.
    if np.square(mono, dtype=np.float64).mean() < 0.1 * powers.mean() / len(channels):
        warnings.append("the channels cancel each other: the strongest one was used alone")
        return np.ascontiguousarray(channels[powers.argmax()])
    return mono


def _resample(mono: np.ndarray, source_rate: int, sample_rate: int) -> np.ndarray:
    if source_rate == sample_rate:
        return mono
    return soxr.resample(mono, source_rate, sample_rate, quality="VHQ")
