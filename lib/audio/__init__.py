"""Decode any format, measure and normalise loudness, write PCM16 WAV.

Importing this costs next to nothing: the heavy libraries are loaded by the workers.
"""

from lib.audio.pool import convert_clip
from lib.config.audio import AudioSettings

__all__ = ["AudioSettings", "convert_clip"]
