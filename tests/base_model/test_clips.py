"""Reading the dataset for training, and batches."""

import io

import numpy as np
import pytest
import soundfile
import torch
from transformers import VitsTokenizer

from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.vits.clips import collate
from tests.fixtures.base_model import make_row, write_dataset


@pytest.fixture
def load(base, tmp_path):
    """Load rows as the base model at hand would."""
    opened = BaseModel.open(base)
    tokenizer = VitsTokenizer.from_pretrained(base)

    def run(rows: list[dict], **options):
        dataset = write_dataset(tmp_path / "dataset", rows, [])
        return load_clips(dataset / "train", tokenizer, opened.speakers, **options)

    return run


def test_clips_come_sorted_with_their_bits_ids_and_rows(load):
    rows = [make_row(7, "no", "spk001", 1.0), make_row(3, "yes", "spk000", 0.9)]
    clips = load(rows)
    assert [clip.id for clip in clips] == ["clip03", "clip07"]
    assert [clip.speaker for clip in clips] == [0, 1]
    expected, _ = soundfile.read(io.BytesIO(rows[1]["audio"]["bytes"]), dtype="int16")
    assert np.array_equal(clips[0].audio, expected)
    assert len(clips[0].input_ids) == 7
    assert clips[0].num_frames() == 14_400 // 256


def test_some_clips_alone_can_be_loaded(load):
    rows = [make_row(number, "no", "spk000", 0.5) for number in range(3)]
    assert [clip.id for clip in load(rows, only={"clip00", "clip02"})] == ["clip00", "clip02"]


def test_another_sample_rate_is_refused(load):
    row = make_row(1, "no", "spk000", 1.0)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(8000), 8000, format="WAV", subtype="PCM_16")
    row["audio"]["bytes"] = buffer.getvalue()
    with pytest.raises(ValueError, match=r"clip clip01: .*8000 Hz.*audio\.sample_rate to 16000"):
        load([row])


def test_an_unknown_speaker_is_refused_by_clip(load):
    with pytest.raises(ValueError, match="clip clip01: speaker spk009"):
        load([make_row(1, "no", "spk009", 1.0)])


def test_a_batch_is_padded_with_zeros_and_knows_its_lengths(load):
    clips = load([make_row(1, "no", "spk001", 0.6), make_row(2, "yes no", "spk000", 1.1)])
    batch = collate(clips)
    assert batch.num_samples.tolist() == [9600, 17_600]
    assert batch.num_tokens.tolist() == [5, 13]
    assert batch.speakers.tolist() == [1, 0]
    assert torch.equal(batch.audio[0, :9600] * 32768, torch.from_numpy(clips[0].audio).float())
    assert (batch.audio[0, 9600:] == 0).all()
    assert (batch.input_ids[0, 5:] == 0).all()
