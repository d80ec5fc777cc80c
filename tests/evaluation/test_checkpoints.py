"""Figures of kept checkpoints, the composite, and the choice."""

import dataclasses
import shutil

import numpy as np
import pytest

from lib.audio.wav import write_wav
from lib.base_model.export import export_trained, find_checkpoint
from lib.evaluation.checkpoints import (
    MAX_SENTENCES,
    limit_sentences,
    list_checkpoints,
    measure_checkpoints,
)
from lib.evaluation.composite import (
    CheckpointFigures,
    choose_best,
    compose,
    share_understood,
    summarise,
)
from lib.evaluation.quality import Quality, Sentence, choose_sentences
from lib.files import read_json, write_json
from lib.tables import read_table

QUALITY = Quality(
    sentences=4,
    sentences_tested=4,
    sentences_understood=4,
    words_understood=2,
    own_similarity=0.8,
    other_similarity=None,
    distortion=5.0,
    length_ratio=1.1,
    pitch_ratio=None,
    naturalness=3.0,
)


def test_the_composite_by_hand():
    # (1 + 0.5) / 2 understood, 0.8 alike, 5 of 10 dB, 3 of 1 to 5: (0.75 + 0.8 + 0.5 + 0.5) / 4.
    assert compose(1.0, 0.5, 0.8, 5.0, 3.0) == 0.6375
    # What was not measured is left out: (0.8 + 0.5) / 2.
    assert compose(None, None, 0.8, 5.0, None) == 0.65
    assert compose(0.0, 0.0, -0.2, 14.0, 1.0) == 0.0


def test_every_speaker_counts_the_same():
    other = dataclasses.replace(
        QUALITY,
        sentences=1,
        sentences_tested=1,
        sentences_understood=0,
        words_understood=0,
        own_similarity=0.4,
        pitch_ratio=1.2,
        naturalness=None,
    )
    found = summarise("epoch 3", 3, [QUALITY, other], "base model", likelihood_train=-0.25)
    assert (found.sentences, found.words) == (0.5, 0.25)
    assert found.own_similarity == pytest.approx(0.6)
    assert found.pitch_ratio == 1.2, "only one was measured"
    assert found.naturalness == 3.0 and found.other_similarity is None
    assert found.likelihood_train == -0.25 and found.likelihood_validation is None
    assert found.composite == compose(0.5, 0.25, 0.6, 5.0, 3.0)


def test_a_recogniser_stands_beside_the_listener_and_has_no_part_in_the_choice():
    counts = [
        {"sentences_tested": 4, "sentences_understood": 1, "words_understood": 4},
        {"sentences_tested": 2, "sentences_understood": 1, "words_understood": 0},
        {"sentences_tested": 0, "sentences_understood": None, "words_understood": None},
    ]
    shares = share_understood(counts)
    assert shares == {"sentences": 0.375, "words": 0.5}
    assert share_understood(counts[2:]) == {"sentences": None, "words": None}
    without = summarise("epoch 3", 3, [QUALITY], "base model")
    found = summarise("epoch 3", 3, [QUALITY], "base model", recogniser_sentences=0.375)
    assert (found.recogniser_sentences, found.recogniser_words) == (0.375, None)
    assert found.composite == without.composite


def figures(epoch: int | None, composite: float | None) -> CheckpointFigures:
    row = summarise(f"epoch {epoch}", epoch, [QUALITY], "")
    return dataclasses.replace(row, composite=composite)


def test_the_highest_composite_is_chosen_and_of_equal_ones_the_earliest():
    rows = [figures(None, 0.9), figures(25, 0.6), figures(50, 0.7), figures(75, 0.7)]
    epoch, reason = choose_best(rows)
    assert epoch == 50 and "0.700" in reason and "3 checkpoints" in reason
    assert choose_best([figures(None, 0.9)])[0] is None
    assert choose_best([])[0] is None


def test_few_sentences_of_many_speakers():
    many = [Sentence(f"{s}-{n}", "text", f"spk{s:03d}") for s in range(60) for n in range(5)]
    kept = limit_sentences(many)
    assert len(kept) == 60 and len({s.speaker for s in kept}) == 60
    few = [Sentence(f"{s}-{n}", "text", f"spk{s:03d}") for s in range(3) for n in range(30)]
    assert len(limit_sentences(few)) == 3 * (MAX_SENTENCES // 3)


def test_kept_checkpoints_are_listed_once_an_epoch_without_damaged_ones(undisturbed, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(undisturbed.summary.parent, run)
    summary = run / "training.json"
    assert [found.epoch for found in list_checkpoints(summary)] == [1, 2, 3, 4]
    (run / "weights/epoch0002/state.json").write_text("{")
    record = read_json(run / "weights/epoch0003/state.json")
    record["signature"]["speakers"] = {"somebody else": 0}
    write_json(run / "weights/epoch0003/state.json", record)
    assert [found.epoch for found in list_checkpoints(summary) if found.folder.name != "best"] == [
        1,
        4,
    ]


class Believer:
    """A recogniser that believes to hear the spoken sentence in the recordings alone."""

    def normalise(self, text):
        return text

    def knows(self, word):
        return True

    def choose(self, samples, candidates, speaker=None):
        # Speech has whole frames of 256 samples, of which a second has none.
        return 0 if len(samples) == 16_000 else 1


@pytest.fixture(scope="module")
def measured(undisturbed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    time = np.arange(16_000) / 16_000
    for sentence in choose_sentences(undisturbed.dataset, 1):
        wave = np.round(9000 * np.sin(2 * np.pi * 150 * time) ** 3).astype(np.int16)
        write_wav(folder / f"clips/{sentence.clip}.wav", wave, 16_000)
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors = {f"spk{n:03d}": [1.0 * (n == i) for i in range(256)] for n in range(2)}
    table = pa.table({"speaker_id": list(vectors), "vector": list(vectors.values())})
    pq.write_table(table, folder / "centroids.parquet")
    patch = pytest.MonkeyPatch()
    patch.setattr("lib.evaluation.checkpoints.Recogniser", Believer)
    patch.setattr("lib.evaluation.intelligibility.CANDIDATES", 2)
    patch.setattr("lib.evaluation.intelligibility._SHORT", 0)
    measure_checkpoints(
        undisturbed.summary,
        undisturbed.base_model,
        undisturbed.dataset,
        folder / "clips",
        folder / "centroids.parquet",
        1,
        False,
        "english",
        folder / "checkpoints.tsv",
        folder / "choice.json",
        folder / "letters.tsv",
        folder / "speed.tsv",
    )
    patch.undo()
    return folder


def test_recordings_base_and_checkpoints_are_measured(measured):
    rows = {row["what"]: row for row in read_table(measured / "checkpoints.tsv")}
    speed = {row["what"]: row["real_time_factor"] for row in read_table(measured / "speed.tsv")}
    assert list(rows) == ["recordings", "base model", "epoch 1", "epoch 2", "epoch 3", "epoch 4"]
    assert float(rows["recordings"]["distortion"]) == 0
    assert rows["recordings"]["likelihood_train"] == ""
    for name in ("base model", "epoch 1", "epoch 4"):
        assert float(rows[name]["distortion"]) > 1
        assert float(speed[name]) > 0
        assert np.isfinite(float(rows[name]["likelihood_validation"]))
        # Nobody knows the language of humming.
        assert rows[name]["sentences"] == rows[name]["judge"] == ""
        assert float(rows[name]["recogniser_sentences"]) == 0
    for name in ("recogniser_sentences", "recogniser_words"):
        assert float(rows["recordings"][name]) == 1


def test_the_choice_becomes_the_voice(measured, undisturbed, tmp_path):
    choice = read_json(measured / "choice.json")
    rows = {row["epoch"]: row for row in read_table(measured / "checkpoints.tsv") if row["epoch"]}
    best = max(float(row["composite"]) for row in rows.values())
    assert float(rows[str(choice["epoch"])]["composite"]) == best
    summary = undisturbed.summary
    chosen = find_checkpoint(summary, "best", [measured / "choice.json"])
    assert read_json(chosen / "state.json")["state"]["epoch"] == choice["epoch"]
    # Another choice gives other weights, and the other keys do not look at it.
    write_json(tmp_path / "first.json", {"checkpoint": "checkpoints/epoch0001", "epoch": 1})
    first = find_checkpoint(summary, "best", [tmp_path / "first.json"])
    assert first.name == "epoch0001"
    assert find_checkpoint(summary, "last", [tmp_path / "first.json"]).name == "epoch0004"
    assert find_checkpoint(summary, "lowest_loss", [tmp_path / "first.json"]).name == "best"
    write_json(tmp_path / "none.json", {"checkpoint": None, "epoch": None})
    assert find_checkpoint(summary, "best", [tmp_path / "none.json"]).name == "best"
    export_trained(
        summary,
        "best",
        undisturbed.base_model,
        tmp_path / "m",
        "eng",
        None,
        [tmp_path / "first.json"],
    )
    assert "Epoch 1;" in (tmp_path / "m/README.md").read_text()
