"""The user's file about speakers: what is understood, and what is refused with which words."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.speakers.naming import name_speakers
from lib.speakers.overrides import USUAL_PLACE, parse_overrides, read_overrides
from lib.speakers.registry import Registry, RegistryError, Speaker, save_registry
from lib.speakers.ruling import Overrides, OverridesError, judge

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/speakers.schema.yaml").read_text("utf-8"))
CLIPS = {"001": None, "002": None, "monday_1": None, "monday_2": None, "tuesday_1": "Ann"}
KNOWN = {"spk000": "spk000", "spk001": "spk001", "spk002": "Ann", "spk004": "spk004"}


def parse(tmp_path, text: str) -> Overrides:
    path = tmp_path / "speakers.yaml"
    path.write_text(text, "utf-8")
    return parse_overrides(str(path), SCHEMA)


def refuse(tmp_path, text: str, known=KNOWN) -> str:
    with pytest.raises(OverridesError) as caught:
        judge(parse(tmp_path, text), CLIPS, known, {"Ann"})
    return str(caught.value)


def test_the_example_of_the_module_is_understood(tmp_path):
    from lib.speakers import overrides

    lines = [line[4:] for line in overrides.__doc__.splitlines() if line.startswith("    ")]
    word = parse(tmp_path, "\n".join(lines))
    assert word.names == {"spk000": "Amina"}
    assert word.merge == [["spk001", "spk004"]]
    assert word.assign == {"spk002": ["monday_017", "tuesday_*"]}
    assert word.split == {"Bintu": ["monday_003", "monday_009"]}
    assert word.exclude == {"speakers": ["spk003"], "clips": ["noisy_*"]}


def test_no_file_an_empty_one_and_empty_sections_say_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    silent = parse_overrides(None, SCHEMA)
    assert parse_overrides(USUAL_PLACE, SCHEMA) == silent
    for text in ("", "# nothing yet\n", "names:\nmerge:\nexclude:\n  clips:\n"):
        assert parse(tmp_path, text) == silent


def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(OverridesError, match=r"speakers\.overrides: .*mine\.yaml cannot be read"):
        parse_overrides(str(tmp_path / "mine.yaml"), SCHEMA)


def test_numbers_and_dates_are_ids(tmp_path):
    word = parse(tmp_path, "exclude:\n  clips: [001, 2021-05-01, 1e5, on]\nnames: {spk000: 007}")
    assert word.exclude["clips"] == ["001", "1e5", "2021-05-01", "on"]
    assert word.names == {"spk000": "007"}


def test_what_is_pasted_at_the_end_counts_too(tmp_path):
    first = "assign:\n  spk001: [a]\nmerge:\n  - [spk001, spk002]\nexclude: {clips: [x]}\n"
    second = (
        "assign:\n  spk001: b\n  spk003: [c]\nmerge:\n  - [spk004, spk005]\nexclude: {clips: [y]}\n"
    )
    word = parse(tmp_path, first + second)
    assert word.assign == {"spk001": ["a", "b"], "spk003": ["c"]}
    assert word.merge == [["spk001", "spk002"], ["spk004", "spk005"]]
    assert word.exclude["clips"] == ["x", "y"]
    assert parse(tmp_path, second + first) == word


def test_order_and_comments_change_nothing_that_jobs_see(tmp_path):
    one = "assign:\n  spk001: [b, a]\nexclude: {speakers: [spk002], clips: [d, c]}\n"
    other = "# why\nexclude:\n  clips: [c, d]\n  speakers: spk002\nassign: {spk001: [a, b]}\n"
    assert asdict(parse(tmp_path, one)) == asdict(parse(tmp_path, other))


def test_a_name_stands_for_its_speaker(tmp_path):
    text = "names: {spk000: Amina}\nmerge: [[Amina, spk001]]\nassign: {Amina: [001]}\n"
    word = parse(tmp_path, text)
    assert word.merge == [["spk000", "spk001"]]
    assert word.assign == {"spk000": ["001"]}
    assert parse(tmp_path, text.replace("Amina", "Amy")).merge == word.merge


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: {spk000: A}", "unknown key 'name': did you mean 'names'?"),
        ("exclude: {clip: [a]}", "unknown key 'exclude.clip': did you mean 'clips'?"),
        ("merge: [spk000, spk001]", "merge.0: got 'spk000', expected a list"),
        ("merge: [[spk000]]", "expected a list of at least 2"),
        ("names: {spk000: [a]}", "names.spk000: got ['a'], expected a text"),
        ("- spk000", "expected a section with keys"),
        ("names: {spk000: A}\nnames: {spk000: B}", "'spk000' is given twice, as 'A' and 'B'"),
        ("exclude:\n  clips:\n    - *monday", "put patterns that begin with * in quotes"),
        ("names: {spk000: A", "not valid YAML"),
        ("names: {[a, b]: c}", "cannot be a name here"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, text, said):
    with pytest.raises(OverridesError) as caught:
        parse(tmp_path, text)
    assert said in str(caught.value) and "speakers.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: {spk00: A}", "names.spk00: there is no speaker 'spk00'; did you mean 'spk00"),
        ("merge: [[spk000, spk009]]", "merge [spk000, spk009]: there is no speaker 'spk009'"),
        ("assign: {Anne: [001]}", "assign.Anne: there is no speaker 'Anne'; did you mean 'Ann'?"),
        ("exclude: {speakers: [nobody]}", "there is no speaker 'nobody'; there are Ann, spk000,"),
        (
            "exclude: {clips: [monday_3]}",
            "exclude.clips: the source has no clip 'monday_3'; did you mean 'monday_",
        ),
        ("exclude: {clips: [001.webm]}", "no clip '001.webm'; did you mean '001'?"),
        ("split: {New: ['friday_*']}", "split.New: the source has no clip 'friday_*'"),
        ("assign: {001: [spk001]}", "that is a clip; the speaker comes first"),
        (
            "assign: {spk000: [001]}\nexclude: {clips: [001]}",
            "clip '001' stands in assign.spk000 and in exclude.clips",
        ),
        (
            "assign: {spk000: ['mon*']}\nsplit: {New: ['*_1', '*_2']}",
            "clip 'monday_1' and 1 more stands in assign.spk000 and in split.New",
        ),
        (
            "merge: [[spk000, spk001], [spk004, spk001]]",
            "merge [spk004, spk001]: spk001 is merged into spk000 already",
        ),
        ("merge: [[spk000, spk000]]", "spk000 stands there twice"),
        (
            "merge: [[spk000, spk001], [spk001, spk000]]",
            "spk000, spk001 are merged into each other",
        ),
        (
            "merge: [[spk000, spk001]]\nnames: {spk001: A}",
            "names.spk001: spk001 is merged into spk000: write spk000 here",
        ),
        (
            "merge: [[spk000, Ann]]\nassign: {Ann: [001]}",
            "assign.Ann: Ann is merged into spk000: write spk000 here",
        ),
        (
            "merge: [[spk000, spk001]]\nexclude: {speakers: [spk001]}",
            "exclude.speakers: spk001 is merged into spk000",
        ),
        (
            "names: {spk000: A, spk001: A}",
            "names.spk001: spk000 is called 'A' already; if they are one voice, write "
            "merge: [[spk000, spk001]]",
        ),
        ("names: {spk000: Ann}", "spk002 is called 'Ann' already"),
        ("split: {spk009: [001]}", "split.spk009: a new voice takes a name of yours"),
        ("split: {Ann: [001]}", "split.Ann: 'Ann' is a speaker already"),
        ("names: {spk000: New}\nsplit: {New: [001]}", "split.New: 'New' is a speaker already"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, text, said):
    assert said in refuse(tmp_path, text)


def test_all_faults_are_said_at_once(tmp_path):
    said = refuse(tmp_path, "names: {spk00: A}\nexclude: {clips: [nothing], speakers: [spk77]}")
    assert said.count("\n  - ") == 3


def test_merges_that_follow_from_one_another_are_one(tmp_path):
    """What is pasted later may merge on."""
    word = parse(tmp_path, "merge:\n  - [spk001, spk004]\nmerge:\n  - [spk000, spk001]\n")
    assert judge(word, CLIPS, KNOWN).merged == {"spk001": "spk000", "spk004": "spk000"}


def test_a_clip_that_is_named_wins_over_a_pattern(tmp_path):
    text = "assign: {spk000: ['*']}\nsplit: {New: [monday_1]}\nexclude: {clips: [monday_2]}"
    ruling = judge(parse(tmp_path, text), CLIPS, KNOWN | {"spk005": "New"}, {"Ann"})
    assert ruling.moved == {"001": "spk000", "002": "spk000", "tuesday_1": "spk000"} | {
        "monday_1": "spk005"
    }
    assert ruling.excluded_clips == {"monday_2": "exclude.clips: monday_2"}


def test_before_there_is_a_record_ids_are_taken_on_trust(tmp_path):
    word = parse(tmp_path, "merge: [[spk000, spk007]]\nnames: {spk000: A}")
    assert judge(word, CLIPS, {}).merged == {"spk007": "spk000"}
    assert "there is no speaker 'Anna'" in refuse(tmp_path, "names: {Anna: A}", known={})


def test_a_damaged_record_is_found_without_any_word(tmp_path):
    record = tmp_path / "state.json"
    record.write_text('{"format": 1, "next_')
    with pytest.raises(RegistryError, match=r"state\.json: .* damaged"):
        read_overrides(None, SCHEMA, CLIPS, record)


def test_a_voice_that_is_no_longer_split_off_is_not_there(tmp_path):
    record = tmp_path / "state.json"
    speakers = {
        "spk000": Speaker("spk000", None, 2, ()),
        "spk001": Speaker("Bin", None, 1, (), "Bin"),
    }
    save_registry(record, Registry(2, {}, speakers))
    path = tmp_path / "speakers.yaml"
    path.write_text("split: {Bin: [001]}\nmerge: [[spk000, spk001]]")
    assert read_overrides(str(path), SCHEMA, CLIPS, record).merge == [["spk000", "spk001"]]
    path.write_text("merge: [[spk000, spk001]]")
    with pytest.raises(OverridesError, match="there is no speaker 'spk001'"):
        read_overrides(str(path), SCHEMA, CLIPS, record)


def test_names_change_nothing_but_names(tmp_path):
    from lib.files import read_json, write_json

    speakers = {key: {"name": name, "clips": 1} for key, name in KNOWN.items()}
    voices = {"speakers": speakers, "merged": {}, "excluded": [], "doubts": []}
    write_json(tmp_path / "voices.json", voices)
    name_speakers(
        tmp_path / "voices.json", {"spk000": "Amina", "Ann": "Anna"}, tmp_path / "registry.json"
    )
    named = read_json(tmp_path / "registry.json")
    assert {key: row["name"] for key, row in named["speakers"].items()} == KNOWN | {
        "spk000": "Amina",
        "spk002": "Anna",
    }
    for key in KNOWN:
        named["speakers"][key]["name"] = KNOWN[key]
    assert named == voices


@given(st.lists(st.sampled_from(["001", "002", "monday_1", "*_1", "*"]), min_size=1))
def test_every_clip_has_one_place_whatever_the_patterns(patterns):
    word = Overrides(assign={"spk000": patterns})
    ruling = judge(word, CLIPS, KNOWN)
    assert set(ruling.moved.values()) == {"spk000"}
    assert ("*" in patterns) == (len(ruling.moved) == len(CLIPS))
