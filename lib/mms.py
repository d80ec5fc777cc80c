"""What every MMS-TTS voice has in common."""

SAMPLE_RATE = 16_000
"""Hz."""
HOP_LENGTH = 256
"""Samples from one frame of the spectrogram to the next."""
SPECTROGRAM_BINS = 513
