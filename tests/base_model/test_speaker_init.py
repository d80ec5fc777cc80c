"""Which voice of the base a new speaker starts from."""

from dataclasses import replace

import pytest
import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.clips import load_clips
from lib.base_model.speaker_init import CLIPS, _best, _choose_clips, _spread, nearest_rows
from lib.vits.adapt import copy_speakers
from lib.vits.clips import measure_losses
from lib.vits.spectrogram import Spectrogram
from tests.fixtures.base_model import make_row, write_dataset


@pytest.fixture
def dataset(tmp_path):
    """Six clips by two speakers, and one that was held out."""
    rows = [make_row(n, "hello there", f"new{n % 2}", 1.0) for n in range(7)]
    return write_dataset(tmp_path / "dataset", rows[:6], rows[6:])


@pytest.fixture
def base(prepared):
    """A model with three voices that sound different, and its tokenizer."""
    model = VitsModel.from_pretrained(prepared.directory)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".cond" in name and not name.endswith("original1"):
                parameter.add_(0.3 * torch.randn_like(parameter))
    model = copy_speakers(model, [0])
    with torch.no_grad():
        model.embed_speaker.weight.copy_(torch.randn(3, model.config.speaker_embedding_size))
    return model, VitsTokenizer.from_pretrained(prepared.directory)


def test_it_is_the_row_with_the_lowest_losses(base, dataset):
    """Against a search by hand."""
    model, tokenizer = base
    speakers = {"new0": 0, "new1": 0}
    clips = load_clips(dataset / "train", tokenizer, speakers)
    expected = {}
    for speaker in speakers:
        own = [clip for clip in clips if int(clip.id[4:]) % 2 == int(speaker[3:])]
        losses = [
            measure_losses(
                model,
                [replace(clip, speaker=row) for clip in own],
                Spectrogram(),
                32,
                len(own),
                0,
            )[0]
            for row in range(3)
        ]
        assert len({found["mel"] for found in losses}) == 3
        expected[speaker] = _best(losses)
    assert nearest_rows(model, tokenizer, dataset, list(speakers)) == expected


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        # Best in two of three: 1 + 1 + 0, 0 + 0 + 1 and 2 + 2 + 2 are better.
        ([(0.9, 3.0, 0.30), (0.8, 2.0, 0.50), (1.0, 4.0, 0.60)], 1),
        # 2, 2 and 2: the sound decides.
        ([(0.9, 3.0, 0.2), (0.8, 4.0, 0.2), (1.0, 2.0, 0.2)], 1),
        # A stochastic duration predictor's loss may be below zero.
        ([(0.9, 3.0, -1.0), (0.8, 4.0, -2.0)], 1),
        ([(0.9, 3.0, -3.0), (0.8, 4.0, -2.0)], 0),
    ],
)
def test_ranks_decide_then_the_sound(losses, best):
    assert _best([dict(zip(("mel", "kl", "duration"), row, strict=True)) for row in losses]) == best


def test_a_better_voice_is_found_wherever_it_stands(base, dataset):
    model, tokenizer = base
    best = nearest_rows(model, tokenizer, dataset, ["new0"])["new0"]
    order = [row for row in range(3) if row != best]
    with torch.no_grad():
        table = model.embed_speaker.weight.clone()
        model.embed_speaker.weight.copy_(table[[*order, best]])
    assert nearest_rows(model, tokenizer, dataset, ["new0"])["new0"] == 2


def test_a_speaker_with_nothing_to_learn_from_gets_the_first(base, dataset):
    model, tokenizer = base
    assert nearest_rows(model, tokenizer, dataset, ["nobody"]) == {"nobody": 0}


def test_clips_of_a_usual_length_are_tried():
    rows = [
        {"id": f"c{n}", "speaker_id": "s" if n < 7 else "t", "duration": seconds}
        for n, seconds in enumerate((9.0, 3.5, 0.6, 2.9, 3.0, 3.1, 12.0, 3.0))
    ]
    assert _choose_clips(rows, "s") == ["c4", "c3", "c5", "c1"]
    assert CLIPS == 4


@pytest.mark.parametrize(
    ("total", "limit", "expected"),
    [(3, 10, [0, 1, 2]), (10, 5, [0, 2, 4, 6, 8]), (109, 2, [0, 54]), (4, 0, [0])],
)
def test_many_voices_are_tried_in_samples(total, limit, expected):
    assert _spread(total, limit) == expected
