"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_speech() -> Path:
    """Folder of recorded speech with truth.csv; it is not part of the project."""
    folder = Path(os.environ.get("VOICE_SPEECH_DIR", ROOT.parent / "shared/data/speech"))
    if not (folder / "truth.csv").is_file():
        pytest.skip(f"no recorded speech at {folder}: set VOICE_SPEECH_DIR to a copy")
    return folder
