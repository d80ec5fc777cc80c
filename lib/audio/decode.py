"""Decode any format that FFmpeg's libraries read, from memory, to mono float samples.

Recorders in browsers send nothing while nobody speaks or the microphone is muted. Such gaps in the
time stamps are filled with silence, because otherwise the speaker's pauses would be lost.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import av
import numpy as np
import soxr
from av.stream import Disposition

from lib import lfs
from lib.audio.loudness import count_clipped
from lib.audio.measurement import Source

# Float files can have any value. Values of more than 180 dB above full scale are damage.
LARGEST_AMPLITUDE = 1e9
MIN_SOURCE_RATE, MAX_SOURCE_RATE = 1_000, 1_000_000
LOW_FREQUENCY_CHANNELS = {"LFE", "LFE2"}
# A text file can be a playlist. Without protocols FFmpeg cannot open the files that it names.
NO_PROTOCOLS = {"protocol_whitelist": "none"}
MAX_PLANES = 8
UNKNOWN_SIZE = 0x7FFF0000
SILENT_AMPLITUDE = 0.001  # -60 dBFS: a track below it has no speech
SHORTEST_SOUND = 0.01  # share of a track; a shorter sound is a click
INTEGER_BITS = {"u8": 8, "s16": 16, "s32": 32, "s64": 64}
# A shorter gap is jitter of the recorder's clock. Sound systems usually have the same limit.
SHORTEST_GAP = 0.1  # s
# No more of a gap is filled with silence, because the recording was paused in a longer one.
LONGEST_SILENCE = 5.0  # s


class DecodeError(ValueError):
    """A file has no audio that could be used; `reason` is written to the sidecar."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded clip: (num_samples,) float32 at the sample rate that was asked for."""

    samples: np.ndarray
    source: Source
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Gaps:
    """Gaps in the time stamps: their number, their length, and the silence put in their place."""

    count: int = 0
    length: float = 0.0  # s
    filled: float = 0.0  # s

    def describe(self) -> str:
        """Return a warning about the gaps."""
        return (
            f"gaps: {self.length:.2f} s are missing in {self.count} places of the time stamps; "
            f"{self.filled:.2f} s of silence were put there"
        )


def decode(audio: bytes, sample_rate: int, max_duration: float) -> Recording:
    """Return the audio track of a file that has sound, mixed to mono and resampled.

    Of several tracks the default one is taken, or the next one if that is silent. Gaps in the time
    stamps are filled with silence. Of a damaged file the intact part is returned. Warnings say so.

    Parameters
    ----------
    audio
        Content of the file.
    sample_rate
        Of the samples that are returned, in Hz.
    max_duration
        Seconds after which decoding stops, so that a file cannot fill the memory.

    Raises
    ------
    DecodeError
        If the file has no audio that could be used.
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
        # Decoding depends on the bytes alone, so that every error is a fault of the file.
        message = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DecodeError("undecodable", f"FFmpeg cannot read it: {message}") from error
    missing = _stated_size(audio) - len(audio)
    if missing > 0 and not recording.warnings and recording.source.duration <= max_duration:
        warning = f"truncated: {missing} bytes are missing of those that the header announces"
        return replace(recording, warnings=(warning,))
    return recording


def _stated_size(audio: bytes) -> int:
    """Return the size in bytes by a WAV or AIFF header, which FFmpeg ignores; 0 for other files."""
    order = {b"RIFF": "little", b"FORM": "big"}.get(audio[:4])
    stated = int.from_bytes(audio[4:8], order) + 8 if order else 0
    # A file that was recorded to a pipe states the largest possible size.
    return stated if stated < UNKNOWN_SIZE else 0


def _open(audio: bytes) -> av.container.InputContainer:
    # Tags in an unknown encoding are replaced and do not reject the file.
    return av.open(io.BytesIO(audio), options=NO_PROTOCOLS, metadata_errors="replace")


def _decode_tracks(audio: bytes, sample_rate: int, max_duration: float) -> Recording:
    """Return the first track with sound, beginning with the default one."""
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
            return _add_warning(recording, track, len(order), faults)
        silent = silent or _add_warning(recording, track, len(order), faults)
        faults.append(f"track {track + 1} is silent")
    if silent is None:
        raise DecodeError("undecodable", "; ".join(faults))
    return silent


def _has_sound(samples: np.ndarray) -> bool:
    """Return whether a track has more than silence, a constant offset or a click."""
    if not samples.size:
        return False
    amplitudes = np.abs(samples - np.median(samples))
    return bool(np.quantile(amplitudes, 1 - SHORTEST_SOUND) > SILENT_AMPLITUDE)


def _add_warning(recording: Recording, track: int, count: int, faults: list[str]) -> Recording:
    """Add a warning that says which track was taken and why."""
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
    # There is nearly always one group. Some files change their format within a track.
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
    return Recording(np.concatenate(parts), source, tuple(warnings))


def _frames(
    file: av.container.InputContainer, stream: av.AudioStream, warnings: list[str]
) -> Iterator[av.AudioFrame]:
    """Yield the frames that can be decoded, and add warnings about the others."""
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


def fill_gaps(frames: Iterator[av.AudioFrame], gaps: Gaps) -> Iterator[av.AudioFrame]:
    """Yield frames, and a silent frame before each one that is late by its time stamp.

    Gaps that are too short to be filled add up until together they are long enough. `gaps` counts
    those that are filled.
    """
    end: float | None = None  # of the frames yielded so far, by the time stamps
    for frame in frames:
        start = end if frame.pts is None else float(frame.pts * frame.time_base)
        late = 0.0 if start is None or end is None else start - end
        if late > SHORTEST_GAP:
            silence = min(late, LONGEST_SILENCE)
            gaps.count += 1
            gaps.length += late
            gaps.filled += silence
            yield _make_silence(frame, round(silence * frame.sample_rate))
        yield frame
        if end is None or abs(late) > SHORTEST_GAP:
            end = start
        if end is not None and frame.sample_rate:
            end += frame.samples / frame.sample_rate


def _make_silence(like: av.AudioFrame, num_samples: int) -> av.AudioFrame:
    """Return a silent frame of the same format."""
    name = like.format.name
    planes = like.layout.nb_channels if like.format.is_planar else 1
    width = num_samples if like.format.is_planar else num_samples * like.layout.nb_channels
    middle = 128 if name.startswith("u8") else 0
    samples = np.full((planes, width), middle, dtype=like.to_ndarray().dtype)
    silence = av.AudioFrame.from_ndarray(samples, format=name, layout=like.layout.name)
    silence.sample_rate = like.sample_rate
    return silence


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
    """Return the duration in seconds by the file's header; None if it states none."""
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

    The mean cannot clip, and it keeps the voice, which all channels have in common. The subwoofer
    channel is left out. If the channels cancel each other, because one was wired with reversed
    polarity, the strongest one is returned.
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
    # The mean of n unrelated channels has 1/n of their mean power; half is left if one of two
    # channels is silent.
    if np.square(mono, dtype=np.float64).mean() < 0.1 * powers.mean() / len(channels):
        warnings.append("the channels cancel each other: the strongest one was used alone")
        return np.ascontiguousarray(channels[powers.argmax()])
    return mono


def _resample(mono: np.ndarray, source_rate: int, sample_rate: int) -> np.ndarray:
    if source_rate == sample_rate:
        return mono
    return soxr.resample(mono, source_rate, sample_rate, quality="VHQ")
