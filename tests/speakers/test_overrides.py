"""What the overrides come to for the speakers and clips that there are, and what is refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.speakers.overrides import Overrides, OverridesError, resolve_overrides
from lib.speakers.overrides_file import read_overrides

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/speakers.schema.yaml").read_text("utf-8"))
CLIPS = {"001": None, "002": None, "monday_1": None, "monday_2": None, "tuesday_1": "Ann"}
KNOWN = {"spk000": "spk000", "spk001": "spk001", "spk002": "Ann", "spk004": "spk004"}


def parse(tmp_path, text: str) -> Overrides:
    path = tmp_path / "speakers.yaml"
    path.write_text(text, "utf-8")
    return read_overrides(str(path), SCHEMA)


def refuse(tmp_path, text: str, known=KNOWN) -> str:
    with pytest.raises(OverridesError) as caught:
        resolve_overrides(parse(tmp_path, text), CLIPS, {"Ann"}, known)
    return str(caught.value)


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
            "names.spk001: spk000 is called 'A' already; if they are one speaker, write "
            "merge: [[spk000, spk001]]",
        ),
        ("names: {spk000: Ann}", "spk002 is called 'Ann' already"),
        ("split: {spk009: [001]}", "split.spk009: a new speaker takes a name of yours"),
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
    overrides = parse(tmp_path, "merge:\n  - [spk001, spk004]\nmerge:\n  - [spk000, spk001]\n")
    assert resolve_overrides(overrides, CLIPS, (), KNOWN).merged == {
        "spk001": "spk000",
        "spk004": "spk000",
    }


def test_a_clip_that_is_named_wins_over_a_pattern(tmp_path):
    text = "assign: {spk000: ['*']}\nsplit: {New: [monday_1]}\nexclude: {clips: [monday_2]}"
    resolved = resolve_overrides(parse(tmp_path, text), CLIPS, {"Ann"}, KNOWN | {"spk005": "New"})
    assert resolved.assigned == {"001": "spk000", "002": "spk000", "tuesday_1": "spk000"} | {
        "monday_1": "spk005"
    }
    assert resolved.excluded_clips == {"monday_2": "exclude.clips: monday_2"}


def test_before_there_is_a_record_ids_are_taken_on_trust(tmp_path):
    overrides = parse(tmp_path, "merge: [[spk000, spk007]]\nnames: {spk000: A}")
    assert resolve_overrides(overrides, CLIPS, (), {}).merged == {"spk007": "spk000"}
    assert "there is no speaker 'Anna'" in refuse(tmp_path, "names: {Anna: A}", known={})


@given(st.lists(st.sampled_from(["001", "002", "monday_1", "*_1", "*"]), min_size=1))
def test_every_clip_has_one_place_whatever_the_patterns(patterns):
    overrides = Overrides(assign={"spk000": patterns})
    resolved = resolve_overrides(overrides, CLIPS, (), KNOWN)
    assert set(resolved.assigned.values()) == {"spk000"}
    assert ("*" in patterns) == (len(resolved.assigned) == len(CLIPS))
