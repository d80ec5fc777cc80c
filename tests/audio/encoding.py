"""Make real files of every kind with PyAV: no ffmpeg program is needed."""

import io

import av
import numpy as np


def tone(
    seconds: float = 2.0, rate: int = 48_000, frequency: float = 440.0, amplitude: float = 0.25
) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def speechlike(seconds: float = 2.0, rate: int = 16_000, level: float = 0.1) -> np.ndarray:
    """Noise in syllables with pauses: uneven in time, as the loudness gate expects."""
    random = np.random.default_rng(7)
    noise = random.standard_normal(round(seconds * rate))
    times = np.arange(noise.size) / rate
    syllables = np.clip(np.sin(2 * np.pi * 3 * times), 0, 1) * (
        np.sin(2 * np.pi * 0.7 * times) > -0.5
    )
    return (level * noise * syllables).clip(-1, 1).astype(np.float32)


def encode(
    samples: np.ndarray,
    container: str,
    codec: str,
    rate: int = 48_000,
    layout: str = "mono",
    sample_format: str | None = None,
    options: dict[str, str] | None = None,
    video: bool = False,
) -> bytes:
    """Return a file with `samples`, (num_samples,) or (num_channels, num_samples) float."""
    channels = av.AudioLayout(layout).nb_channels
    planes = np.broadcast_to(np.atleast_2d(samples), (channels, samples.shape[-1]))
    packed = planes.T.astype(np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = rate
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        stream.codec_context.options = {"strict": "experimental"}
        if sample_format:
            stream.codec_context.format = sample_format
        if video:
            pictures = file.add_stream("libvpx", rate=10)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for _ in range(10):
                picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
                file.mux(pictures.encode(picture))
            file.mux(pictures.encode(None))
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def wav(samples: np.ndarray, rate: int = 16_000, codec: str = "pcm_s16le", **kwargs) -> bytes:
    return encode(samples, "wav", codec, rate, **kwargs)
