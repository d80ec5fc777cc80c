"""A small dataset and a base model fitted to it; recordings that the embedded base knows."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lib.audio.decode import decode
from lib.evaluation.comparison import Judge
from lib.text.frontend import TextFrontend
from lib.vits.clips import TrainingClip
from tests.fixtures.base_model import *  # noqa: F403 - fixtures
from tests.fixtures.training import *  # noqa: F403 - fixtures

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "resources/base_model"


@pytest.fixture(scope="session")
def judge() -> Judge:
    """The embedded base model, which knows English."""
    return Judge.read(BASE)


@pytest.fixture(scope="session")
def demo_clips(judge) -> list[TrainingClip]:
    """Forty recordings of voices that the base has never heard, in the order of their table."""
    frontend, tokenizer = TextFrontend.read(BASE), judge.tokenizer
    clips = []
    with (ROOT / "resources/demo/corpus/metadata.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = ROOT / "resources/demo/corpus" / row["file_name"]
            written, lost = frontend.write(row["text"], tokenizer.get_vocab(), tokenizer.normalize)
            if lost or not path.is_file():
                continue
            recording = decode(path.read_bytes(), 16_000, 30.0)
            samples = np.round(np.clip(recording.samples, -1, 1) * 32767).astype(np.int16)
            ids = np.asarray(tokenizer(written).input_ids, dtype=np.int64)
            clips.append(TrainingClip(path.stem, written, samples, ids, 0))
            if len(clips) == 40:
                return clips
    raise AssertionError("the demo's corpus has fewer clips than these tests need")
