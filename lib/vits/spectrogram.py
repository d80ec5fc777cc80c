"""Linear and mel spectrograms of whole batches, on the model's device.

The computation is that of VITS (Kim et al. 2021, arXiv 2106.06103, section 3): magnitudes of a
Hann-windowed STFT without centring. Each clip is reflected at its own two ends, so that a clip's
frames do not depend on the other clips of its batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.vits.losses import at_least_fp32


@dataclass(frozen=True)
class SpectrogramSettings:
    """Analysis parameters; the defaults are those of every MMS-TTS checkpoint."""

    sample_rate: int = SAMPLE_RATE
    fft_size: int = 1024
    hop_length: int = HOP_LENGTH
    num_mels: int = 80
    mel_floor: float = 1e-5
    magnitude_floor: float = 1e-6


class Spectrogram(nn.Module):
    """Computes linear and mel spectrograms of waveforms; window and filters are made once."""

    def __init__(self, settings: SpectrogramSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or SpectrogramSettings()
        s = self.settings
        filters = mel_filter_bank(
            num_frequency_bins=s.fft_size // 2 + 1,
            num_mel_filters=s.num_mels,
            min_frequency=0.0,
            max_frequency=s.sample_rate / 2,
            sampling_rate=s.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("window", torch.hann_window(s.fft_size), persistent=False)
        self.register_buffer(
            "mel_filters", torch.from_numpy(filters).float().T.contiguous(), persistent=False
        )

    @property
    def padding(self) -> int:
        """Number of samples that are reflected at each end."""
        return (self.settings.fft_size - self.settings.hop_length) // 2

    def num_frames(self, lengths: Tensor) -> Tensor:
        """Return the number of frames of clips with these lengths in samples."""
        return torch.div(lengths, self.settings.hop_length, rounding_mode="floor")

    def linear(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """Compute linear magnitudes.

        Parameters
        ----------
        audio
            ``(batch, samples)`` float in [-1, 1]; values beyond a clip's length are ignored.
        lengths
            ``(batch,)`` number of samples of each clip, each more than the padding (384).

        Returns
        -------
        Tensor
            ``(batch, fft_size // 2 + 1, samples // hop_length)``, zero beyond a clip's last frame.
        """
        num_frames = audio.shape[1] // self.settings.hop_length
        padded = self._reflect(at_least_fp32(audio), lengths)
        # Under autocast the sum of squares would overflow in fp16.
        with torch.autocast(audio.device.type, enabled=False):
            magnitudes = self._magnitudes(padded)[:, :, :num_frames]
        frames = torch.arange(num_frames, device=audio.device)
        mask = frames < self.num_frames(lengths).unsqueeze(1)
        return magnitudes * mask.unsqueeze(1)

    def mel(self, linear: Tensor) -> Tensor:
        """Return log-mels ``(batch, num_mels, frames)`` of magnitudes ``(batch, bins, frames)``."""
        with torch.autocast(linear.device.type, enabled=False):
            mels = self.mel_filters.to(linear.dtype) @ linear
            return torch.log(torch.clamp(mels, min=self.settings.mel_floor))

    def mel_of_segment(self, segment: Tensor) -> Tensor:
        """Return log-mels ``(batch, num_mels, frames)`` of segments ``(batch, samples)``."""
        with torch.autocast(segment.device.type, enabled=False):
            padded = nn.functional.pad(
                at_least_fp32(segment).unsqueeze(1), (self.padding, self.padding), mode="reflect"
            ).squeeze(1)
            return self.mel(self._magnitudes(padded))

    def _magnitudes(self, padded: Tensor) -> Tensor:
        s = self.settings
        spectrum = torch.stft(
            padded,
            s.fft_size,
            hop_length=s.hop_length,
            window=self.window,
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.sqrt(power + s.magnitude_floor)

    def _reflect(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """Reflect every clip at its own end: ``(batch, samples + 2 * padding)``."""
        pad = self.padding
        positions = torch.arange(-pad, audio.shape[1] + pad, device=audio.device).abs()
        last = lengths.unsqueeze(1) - 1
        reflected = torch.where(positions > last, 2 * last - positions, positions)
        # No unmasked frame contains samples beyond the reflection.
        values = audio.gather(1, reflected.clamp(min=0).clamp(max=audio.shape[1] - 1))
        return values * (reflected >= 0)
