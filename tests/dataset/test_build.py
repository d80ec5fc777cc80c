import logging
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import datasets
import pytest
from records import InvalidRow, Source, read_rows

from lib.text.normalise import hash_text

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def source(tmp_path) -> Source:
    """Twenty sound clips of two speakers, ten characters a second."""
    made = Source(tmp_path)
    for number in range(20):
        speaker = f"spk{number % 2:03d}"
        made.add(f"clip_{number:02d}", f"Sentence  {LETTERS[number]}!", speaker)
    return made


def load(source):
    return datasets.load_from_disk(str(source.root / "dataset"))


def test_the_dataset_has_the_bytes_of_every_clip(source):
    source.build()
    dataset = load(source)
    assert list(dataset) == ["train", "validation"]
    assert dataset["train"].column_names == [
        *("id", "audio", "text", "transcript", "speaker_id", "duration")
    ]
    assert dataset["train"].features["audio"] == datasets.Audio(decode=False)
    rows = [*dataset["train"], *dataset["validation"]]
    assert sorted(row["id"] for row in rows) == sorted(source.clips)
    for row in rows:
        assert row["audio"]["bytes"] == (source.root / f"{row['id']}.wav").read_bytes()
        assert row["audio"]["path"] == f"{row['id']}.wav"
        assert row["duration"] == 1.0
        assert row["speaker_id"] == source.speakers[row["id"]]
    first = dataset["train"][0]
    assert (first["text"], first["transcript"]) == ("sentence a", "Sentence a!")
    assert Counter(row["speaker_id"] for row in dataset["validation"]) == {
        "spk000": 1,
        "spk001": 1,
    }


def test_it_loads_without_torchcodec(source):
    source.build()
    code = (
        "import sys; sys.modules['torchcodec'] = None; from datasets import load_from_disk; "
        "print(len(load_from_disk(sys.argv[1])['train'][0]['audio']['bytes']))"
    )
    command = [sys.executable, "-c", code, str(source.root / "dataset")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "364", done.stderr


def test_the_manifest_has_every_clip(source):
    source.add("silent", "Nothing", status="rejected", reason="silent", value=-80.5, detail="quiet")
    source.invalid_rows.append(
        InvalidRow(None, "metadata.csv row 99", "missing_file", "x.wav\tis gone")
    )
    source.build()
    rows = {row["clip"]: row for row in read_rows(source.root / "manifest.tsv")}
    assert list(rows) == sorted(source.clips)
    assert rows["silent"]["status"] == "rejected" and rows["silent"]["reason"] == "silent"
    assert rows["silent"]["split"] == rows["silent"]["speaker_id"] == ""
    assert rows["clip_03"] | {"split": ""} == {
        "clip": "clip_03",
        "status": "accepted",
        "split": "",
        "speaker_id": "spk001",
        "confidence": "1.0000",
        "duration": "1.000",
        "transcript_score": "",
        "reason": "",
        "flags": "",
        "transcript": "Sentence d!",
        "text": "sentence d",
        "origin": "metadata.csv row 5",
    }
    in_dataset = {row["id"]: split for split, part in load(source).items() for row in part}
    assert in_dataset == {c: r["split"] for c, r in rows.items() if r["status"] == "accepted"}
    assert read_rows(source.root / "rejected.tsv") == [
        {
            "clip": "",
            "origin": "metadata.csv row 99",
            "stage": "source",
            "reason": "missing_file",
            "value": "",
            "detail": "x.wav is gone",
        },
        {
            "clip": "silent",
            "origin": "metadata.csv row 22",
            "stage": "audio",
            "reason": "silent",
            "value": "-80.5",
            "detail": "quiet",
        },
    ]


def rejected(source):
    return {row["clip"]: row["reason"] for row in read_rows(source.root / "rejected.tsv")}


@pytest.mark.parametrize("text", ["", "  ", "...", "?!"])
def test_a_clip_with_nothing_to_say_is_rejected(source, text):
    source.add("mute", text)
    source.build()
    assert rejected(source) == {"mute": "missing_text"}


def test_implausible_speech_rates_are_rejected(source):
    # Usual are 9 characters a second.
    source.add("fast", "a" * 40, duration=1.4)
    source.add("quick", "b" * 40, duration=1.5)
    source.add("slow", "c" * 9, duration=5.1)
    source.add("pause", "d" * 9, duration=4.9)
    source.build()
    assert rejected(source) == {"fast": "speech_rate", "slow": "speech_rate"}
    values = {row["clip"]: row["value"] for row in read_rows(source.root / "rejected.tsv")}
    assert values == {"fast": "28.57", "slow": "1.76"}


def test_rates_that_vary_widen_the_filter(tmp_path):
    # Half the clips have 1.8 characters a second, half 8: the median is 8, and 30 not yet too far.
    source = Source(tmp_path)
    for number in range(10):
        source.add(f"slow_{number}", LETTERS[number] * 9, duration=5.0)
        source.add(f"fast_{number}", LETTERS[number] * 40, duration=5.0)
    source.add("faster", "z" * 150, duration=5.0)
    source.build()
    assert rejected(source) == {}


def test_a_few_clips_have_no_usual_rate(tmp_path):
    source = Source(tmp_path)
    for number in range(10):
        source.add(f"clip_{number}", LETTERS[number] * 9)
    source.add("fast", "z" * 90, duration=3.0)
    source.build()
    assert rejected(source) == {}


def test_of_equal_recordings_the_first_stays(source):
    source.add("clip_03b", "Another text", content_hash="clip_03")
    source.build()
    assert rejected(source) == {"clip_03b": "duplicate_audio"}
    assert "same recording as clip_03" in (source.root / "rejected.tsv").read_text()


def test_a_copy_that_comes_later_does_not_take_the_place(source):
    source.build()
    source.add("a_copy", "Another text", content_hash="clip_03")
    source.build()
    assert rejected(source) == {"a_copy": "duplicate_audio"}


def test_a_copy_of_a_rejected_clip_stays(source):
    source.add("a_mute", "", content_hash="same")
    source.add("b_said", "Sentence zz", content_hash="same")
    source.build()
    assert rejected(source) == {"a_mute": "missing_text"}


def test_a_gate_can_flag_or_be_off(source):
    source.add("clip_03b", "Sentence zz", content_hash="clip_03")
    source.confidence["clip_05"] = 0.02
    source.build(duplicate_audio="off")
    flags = {row["clip"]: row["flags"] for row in read_rows(source.root / "manifest.tsv")}
    assert {clip: flag for clip, flag in flags.items() if flag} == {"clip_05": "uncertain_speaker"}
    source.build(duplicate_audio="flag", uncertain_speaker="reject")
    flags = {row["clip"]: row["flags"] for row in read_rows(source.root / "manifest.tsv")}
    assert {clip: flag for clip, flag in flags.items() if flag} == {"clip_03b": "duplicate_audio"}
    assert rejected(source) == {"clip_05": "uncertain_speaker"}


def test_adding_audio_moves_no_clip_and_removing_leaves_no_trace(source):
    source.build()
    before = {row["clip"]: row["split"] for row in read_rows(source.root / "manifest.tsv")}
    for number in range(20, 26):
        source.add(f"a_{number}", f"Sentence {LETTERS[number]}", f"spk{number % 2:03d}")
    for part in (source.clips, source.speakers, source.measured):
        del part["clip_07"]
    source.build()
    after = {row["clip"]: row["split"] for row in read_rows(source.root / "manifest.tsv")}
    assert after.items() >= {(c, s) for c, s in before.items() if c != "clip_07"}
    ids = {row["id"] for part in load(source).values() for row in part}
    assert ids == set(source.clips)


def test_a_clip_that_comes_back_is_where_it_was(source):
    source.build()
    held = load(source)["validation"]["id"][0]
    clip = source.clips.pop(held)
    # Meanwhile another text takes its turn.
    source.add("new", "Sentence new", source.speakers[held])
    source.build()
    assert "new" in load(source)["validation"]["id"]
    source.clips[held] = clip
    source.build()
    assert held in load(source)["validation"]["id"]


def test_a_deleted_result_is_built_the_same_way_again(source):
    source.build()
    before = (source.root / "manifest.tsv").read_text()
    (source.root / "manifest.tsv").unlink()
    source.build()
    assert (source.root / "manifest.tsv").read_text() == before


def test_an_edited_transcript_goes_where_its_text_is(source):
    source.build()
    rows = {row["clip"]: row for row in read_rows(source.root / "manifest.tsv")}
    held = next(row for row in rows.values() if row["split"] == "validation")
    other = next(row for row in rows.values() if row["split"] == "train")
    edited = source.clips[other["clip"]]
    source.clips[edited.id] = type(edited)(edited.id, held["text"].upper(), edited.id)
    source.build()
    rows = {row["clip"]: row for row in read_rows(source.root / "manifest.tsv")}
    assert rows[edited.id]["split"] == "validation"
    assert hash_text(rows[edited.id]["transcript"]) == hash_text(held["transcript"])


def test_one_clip_is_a_dataset(tmp_path, caplog):
    source = Source(tmp_path)
    source.add("only", "All there is")
    source.build()
    dataset = load(source)
    assert (len(dataset["train"]), len(dataset["validation"])) == (1, 0)
    assert dataset["validation"].features == dataset["train"].features
    assert "no clip is for validation" in caplog.text


def test_no_clip_left_is_an_error_that_says_why(tmp_path):
    source = Source(tmp_path)
    source.add("a", "Text", status="rejected", reason="silent", detail="-80 LUFS")
    with pytest.raises(ValueError, match=r"no clip is left .* of 1 rows 1 audio/silent .*-80 LUFS"):
        source.build(max_rejected_share=1.0)
    assert not (tmp_path / "dataset").exists()


def test_too_many_rejections_stop_the_run_with_counts(source, caplog):
    for number in range(6):
        source.add(f"bad_{number}", "Text", status="rejected", reason="undecodable", detail="what")
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ValueError, match=r"6 of 26 .*max_rejected_share \(20%\).* 6 audio/undecod"),
    ):
        source.build(max_rejected_share=0.2)
    named = [r for r in caplog.records if r.getMessage().startswith("rejected: ")]
    assert len(named) == 6 and {record.levelname for record in named} == {"INFO"}
    assert all("(bad_" in r.getMessage() and ": undecodable: what" in r.getMessage() for r in named)
    source.build(max_rejected_share=0.25)


def test_a_killed_build_leaves_the_old_dataset(source, monkeypatch):
    source.build()
    before = load(source)["train"]["id"]

    def fail(self, *args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.DatasetDict, "save_to_disk", fail)
    source.add("later", "One more")
    with pytest.raises(KeyboardInterrupt):
        source.build()
    assert load(source)["train"]["id"] == before
    leftovers = [p.name for p in source.root.iterdir() if p.name.startswith(".")]
    assert leftovers == []


def test_what_the_user_leaves_out_is_listed_and_is_no_reason_to_stop(tmp_path):
    source = Source(tmp_path)
    for number in range(10):
        source.add(f"c{number}", text=f"text number {number}")
    source.excluded = {f"c{n}": "exclude.clips: c*" for n in range(6)}
    source.build(max_rejected_share=0.0)
    rejected = read_rows(source.root / "rejected.tsv")
    assert [row["clip"] for row in rejected] == [f"c{n}" for n in range(6)]
    assert {(r["stage"], r["reason"], r["detail"]) for r in rejected} == {
        ("user", "excluded_by_user", "exclude.clips: c*")
    }
    manifest = {row["clip"]: row for row in read_rows(source.root / "manifest.tsv")}
    assert manifest["c0"]["reason"] == "excluded_by_user"
    assert [c for c, row in manifest.items() if row["status"] == "accepted"] == [
        "c6",
        "c7",
        "c8",
        "c9",
    ]


def test_a_bad_clip_that_the_user_leaves_out_does_not_count(tmp_path):
    source = Source(tmp_path)
    for number in range(4):
        source.add(f"c{number}", text=f"text number {number}")
    source.add("bad", status="rejected", reason="silent", detail="silent", text="a text")
    with pytest.raises(ValueError, match="max_rejected_share"):
        source.build(max_rejected_share=0.0)
    source.excluded = {"bad": "exclude.clips: bad"}
    source.build(max_rejected_share=0.0)


def test_a_copy_of_a_clip_that_is_left_out_stays(tmp_path):
    source = Source(tmp_path)
    source.add("one", text="first text", content_hash="same")
    source.add("two", text="other text", content_hash="same")
    source.excluded = {"one": "exclude.clips: one"}
    source.build()
    assert {row["clip"]: row["status"] for row in read_rows(source.root / "manifest.tsv")} == {
        "one": "rejected",
        "two": "accepted",
    }


def test_leaving_everything_out_is_an_error(tmp_path):
    source = Source(tmp_path)
    source.add("one", text="first text")
    source.excluded = {"one": "exclude.clips: '*'"}
    with pytest.raises(ValueError, match="no clip is left .* 1 user/excluded_by_user"):
        source.build()


def test_what_an_earlier_run_found_is_forgotten_once_a_transcript_is_corrected(source):
    wrong, *others = source.clips
    source.scores = {wrong: 0.1} | dict.fromkeys(others, 4.0)
    source.write_scores()
    source.build(wrong_transcript="reject")
    (row,) = read_rows(source.root / "rejected.tsv")
    assert (row["clip"], row["reason"]) == (wrong, "wrong_transcript")
    manifest = {row["clip"]: row for row in read_rows(source.root / "manifest.tsv")}
    assert manifest[others[0]]["transcript_score"] == "4.0"
    for change in ({"text": "what was really said"}, {}):
        source.clips[wrong] = replace(source.clips[wrong], **change)
        # A recording of another length is another one.
        source.measured[wrong]["duration"] = 1.0 if change else 1.5
        source.build(wrong_transcript="reject")
        manifest = {row["clip"]: row for row in read_rows(source.root / "manifest.tsv")}
        assert manifest[wrong]["status"] == "accepted"
        assert manifest[wrong]["transcript_score"] == ""
