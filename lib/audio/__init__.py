"""Decode any format, measure and normalise loudness, write PCM16 WAV.

Importing this is fast, because only the workers import the large libraries.
"""

from lib.audio.pool import convert_clip
from lib.config.audio import AudioSettings

__all__ = ["AudioSettings", "convert_clip"]
