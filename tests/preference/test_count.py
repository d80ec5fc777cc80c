"""From a training and votes to the voice: speaking, counting, choosing."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lib.audio.loudness import measure_level
from lib.base_model.export import find_checkpoint
from lib.evaluation.checkpoints import KeptCheckpoint, list_checkpoints
from lib.files import read_json
from lib.preference.__main__ import main
from lib.preference.count import count_votes, name_checkpoints
from lib.preference.speech import MAX_CHECKPOINTS, choose_checkpoints, speak_preference_test
from lib.preference.standings import rank_checkpoints
from lib.preference.trials import read_spoken
from lib.preference.vote_file import Vote, VotesError


@pytest.fixture(scope="module")
def named(undisturbed):
    return name_checkpoints(list_checkpoints(undisturbed.summary))


def write_votes(folder: Path, *rows: tuple[str, ...]) -> Path:
    path = folder / "votes.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    return path


def test_checkpoints_are_named_by_their_weights(named, undisturbed):
    assert [name.split("-")[0] for name in named] == [f"epoch000{n}" for n in (1, 2, 3, 4)]
    digests = {name.split("-")[1] for name in named}
    assert len(digests) == 4 and all(len(digest) == 8 for digest in digests)
    assert all(name_checkpoints([kept]).keys() == {name} for name, kept in named.items())


def test_the_votes_choose_the_voice(named, undisturbed, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    one, two, three, four = named
    rows = [("x", f"c{n}", two, four, "a") for n in range(6)]
    rows += [("y", f"c{n}", one, two, "b") for n in range(5)]
    rows += [("y", "c7", three, four, "same"), ("z", "c8", "epoch0002-00000000", one, "b")]
    votes, output = write_votes(tmp_path, *rows), tmp_path / "standings.json"
    count_votes(votes, undisturbed.summary, output)
    found = read_json(output)
    assert (found["epoch"], found["counted"], found["left_out"]) == (2, 12, 1)
    assert found["listeners"] == ["x", "y"]
    assert found["first_share"] == round(6 / 11, 3)
    standings = {row["checkpoint"]: row for row in found["standings"]}
    assert [row["epoch"] for row in found["standings"]][0] == 2
    assert [(standings[n]["won"], standings[n]["lost"], standings[n]["same"]) for n in named] == [
        (0, 5, 0),
        (11, 0, 0),
        (0, 0, 1),
        (0, 6, 1),
    ]
    assert "1 of 13 votes are of weights that are not kept" in caplog.text
    chosen = find_checkpoint(undisturbed.summary, "votes", [output])
    assert read_json(chosen / "state.json")["state"]["epoch"] == 2
    # A choice by speech stands behind it, and alone counts for nothing else than best and votes.
    assert find_checkpoint(undisturbed.summary, "last", [output]).name == "epoch0004"


def test_without_votes_the_choice_is_that_by_speech(undisturbed, tmp_path):
    count_votes(None, undisturbed.summary, tmp_path / "standings.json")
    found = read_json(tmp_path / "standings.json")
    assert (found["checkpoint"], found["reason"]) == (None, "there are no votes")
    assert found["first_share"] is None and len(found["standings"]) == 4
    (tmp_path / "choice.json").write_text('{"checkpoint": "checkpoints/epoch0003"}')
    files = [tmp_path / "standings.json", tmp_path / "choice.json"]
    assert find_checkpoint(undisturbed.summary, "votes", files).name == "epoch0003"
    assert find_checkpoint(undisturbed.summary, "votes", files[:1]).name == "best"


def test_few_votes_are_told_as_unsure(named, undisturbed, tmp_path, caplog):
    votes = write_votes(tmp_path, ("x", "c1", *list(named)[:2], "b"))
    count_votes(votes, undisturbed.summary, tmp_path / "standings.json")
    assert "not sure yet: epoch 2 is the best with a probability of" in caplog.text
    caplog.clear()
    rows = [("x", f"c{n}", name, list(named)[3], "b") for n in range(40) for name in [*named][:3]]
    count_votes(write_votes(tmp_path, *rows), undisturbed.summary, tmp_path / "standings.json")
    assert "not sure" not in caplog.text
    assert read_json(tmp_path / "standings.json")["epoch"] == 4


def test_the_command_counts_too(named, undisturbed, tmp_path):
    votes = write_votes(tmp_path, ("x", "c1", *list(named)[:2], "b"))
    main([str(undisturbed.summary), str(votes), "--output", str(tmp_path / "found.json")])
    assert read_json(tmp_path / "found.json")["epoch"] == 2
    votes.write_text("nonsense\n")
    with pytest.raises(SystemExit, match="line 1: 1 cells"):
        main([str(undisturbed.summary), str(votes)])
    with pytest.raises(VotesError):
        count_votes(votes, undisturbed.summary, tmp_path / "no.json")
    assert not (tmp_path / "no.json").exists()


def test_of_equally_strong_ones_the_earliest_is_first():
    epochs = {"late": 9, "early": 3}
    votes = [Vote("x", "c", "late", "early", "same")]
    assert [row.checkpoint for row in rank_checkpoints(epochs, votes)] == ["early", "late"]


def test_all_say_the_same_sentences_at_one_loudness(undisturbed, named, tmp_path):
    output = tmp_path / "speech"
    speak_preference_test(
        undisturbed.summary, undisturbed.base_model, undisturbed.dataset, -23.0, output
    )
    texts, epochs = read_spoken(output)
    assert list(epochs) == list(named) and texts
    sounds = {}
    for name in epochs:
        for clip in texts:
            samples, rate = soundfile.read(output / name / f"{clip}.wav")
            level = measure_level(samples, rate)
            assert level.loudness() == pytest.approx(-23.0, abs=0.2) or level.peak() > -1.2
            sounds[name, clip] = samples
    first, *_, last = epochs
    clip = next(iter(texts))
    assert not np.array_equal(sounds[first, clip], sounds[last, clip])


def test_one_checkpoint_cannot_be_compared(undisturbed, tmp_path, monkeypatch):
    kept = list_checkpoints(undisturbed.summary)[-1:]
    monkeypatch.setattr("lib.preference.speech.list_checkpoints", lambda training: kept)
    with pytest.raises(ValueError, match="keeps 1: lower training.checkpoint_every"):
        speak_preference_test(
            undisturbed.summary, undisturbed.base_model, undisturbed.dataset, -23.0, tmp_path / "s"
        )


@pytest.mark.parametrize("number", [2, 8, 9, 16, 40])
def test_at_most_eight_are_compared_those_wanted_among_them(number):
    kept = [KeptCheckpoint(n, Path(f"epoch{n:04d}")) for n in range(1, number + 1)]
    chosen = choose_checkpoints(kept, {1, number})
    assert len(chosen) == min(number, MAX_CHECKPOINTS)
    assert {kept[0], kept[-1]} <= set(chosen)
    epochs = [row.epoch for row in chosen]
    assert epochs == sorted(set(epochs))
    gaps = np.diff(epochs)
    assert gaps.max() <= 2 * number / len(chosen) + 1
