"""Spectrograms against numpy and librosa."""

import librosa
import numpy as np
import torch

from lib.vits.spectrogram import Spectrogram


def one_clip(audio: np.ndarray) -> np.ndarray:
    """Linear magnitudes by the definition: reflect, window, FFT, frame by frame."""
    padded = np.pad(audio, 384, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    starts = range(0, len(padded) - 1024 + 1, 256)
    frames = [np.fft.rfft(padded[start : start + 1024] * window) for start in starts]
    return np.sqrt(np.abs(np.array(frames).T) ** 2 + 1e-6)


def test_linear_magnitudes_by_definition(batch, spectrogram):
    linear = spectrogram.linear(batch.audio, batch.num_samples)
    for i, length in enumerate(batch.num_samples.tolist()):
        expected = one_clip(batch.audio[i, :length].double().numpy())
        frames = length // 256
        assert expected.shape[1] == frames
        np.testing.assert_allclose(linear[i, :, :frames], expected, rtol=1e-3, atol=1e-3)
        assert (linear[i, :, frames:] == 0).all()


def test_frames_do_not_depend_on_the_batch(batch, spectrogram):
    together = spectrogram.linear(batch.audio, batch.num_samples)
    for i, length in enumerate(batch.num_samples.tolist()):
        alone = spectrogram.linear(batch.audio[i : i + 1, :length], batch.num_samples[i : i + 1])
        assert torch.equal(alone[0], together[i, :, : length // 256])


def test_what_lies_beyond_a_clip_does_not_matter(batch, spectrogram):
    noisy = batch.audio.clone()
    for i, length in enumerate(batch.num_samples.tolist()):
        noisy[i, length:] = 0.9
    assert torch.equal(
        spectrogram.linear(batch.audio, batch.num_samples),
        spectrogram.linear(noisy, batch.num_samples),
    )


def test_filterbank_is_that_of_librosa(spectrogram):
    expected = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=80)
    np.testing.assert_allclose(spectrogram.mel_filters.numpy(), expected, atol=1e-6)


def test_mel_of_a_segment_equals_that_of_the_same_clip(spectrogram):
    torch.manual_seed(0)
    audio = torch.randn(1, 8192) * 0.1
    linear = spectrogram.linear(audio, torch.tensor([8192]))
    torch.testing.assert_close(spectrogram.mel_of_segment(audio), spectrogram.mel(linear))


def test_silence_is_the_floor():
    spectrogram = Spectrogram()
    mel = spectrogram.mel(torch.zeros(1, 513, 2))
    torch.testing.assert_close(mel, torch.full_like(mel, np.log(1e-5)))
