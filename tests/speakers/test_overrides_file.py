"""The user's file about speakers: what is understood, and what is no such file."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from lib.speakers.overrides import Overrides, OverridesError
from lib.speakers.overrides_file import USUAL_PLACE, check_overrides, read_overrides
from lib.speakers.registry import Registry, RegistryError, Speaker, save_registry

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/speakers.schema.yaml").read_text("utf-8"))
CLIPS = {"001": None, "002": None, "monday_1": None, "monday_2": None, "tuesday_1": "Ann"}


def parse(tmp_path, text: str) -> Overrides:
    path = tmp_path / "speakers.yaml"
    path.write_text(text, "utf-8")
    return read_overrides(str(path), SCHEMA)


def test_the_example_of_the_module_is_understood(tmp_path):
    from lib.speakers import overrides_file

    lines = [line[4:] for line in overrides_file.__doc__.splitlines() if line.startswith("    ")]
    overrides = parse(tmp_path, "\n".join(lines))
    assert overrides.names == {"spk000": "Amina"}
    assert overrides.merge == [["spk001", "spk004"]]
    assert overrides.assign == {"spk002": ["monday_017", "tuesday_*"]}
    assert overrides.split == {"Bintu": ["monday_003", "monday_009"]}
    assert overrides.exclude == {"speakers": ["spk003"], "clips": ["noisy_*"]}


def test_no_file_an_empty_one_and_empty_sections_say_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    silent = read_overrides(None, SCHEMA)
    assert read_overrides(USUAL_PLACE, SCHEMA) == silent
    for text in ("", "# nothing yet\n", "names:\nmerge:\nexclude:\n  clips:\n"):
        assert parse(tmp_path, text) == silent


def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(OverridesError, match=r"speakers\.overrides: .*mine\.yaml cannot be read"):
        read_overrides(str(tmp_path / "mine.yaml"), SCHEMA)


def test_numbers_and_dates_are_ids(tmp_path):
    overrides = parse(
        tmp_path, "exclude:\n  clips: [001, 2021-05-01, 1e5, on]\nnames: {spk000: 007}"
    )
    assert overrides.exclude["clips"] == ["001", "1e5", "2021-05-01", "on"]
    assert overrides.names == {"spk000": "007"}


def test_what_is_pasted_at_the_end_counts_too(tmp_path):
    first = "assign:\n  spk001: [a]\nmerge:\n  - [spk001, spk002]\nexclude: {clips: [x]}\n"
    second = (
        "assign:\n  spk001: b\n  spk003: [c]\nmerge:\n  - [spk004, spk005]\nexclude: {clips: [y]}\n"
    )
    overrides = parse(tmp_path, first + second)
    assert overrides.assign == {"spk001": ["a", "b"], "spk003": ["c"]}
    assert overrides.merge == [["spk001", "spk002"], ["spk004", "spk005"]]
    assert overrides.exclude["clips"] == ["x", "y"]
    assert parse(tmp_path, second + first) == overrides


def test_order_and_comments_change_nothing_that_jobs_see(tmp_path):
    one = "assign:\n  spk001: [b, a]\nexclude: {speakers: [spk002], clips: [d, c]}\n"
    other = "# why\nexclude:\n  clips: [c, d]\n  speakers: spk002\nassign: {spk001: [a, b]}\n"
    assert asdict(parse(tmp_path, one)) == asdict(parse(tmp_path, other))


def test_a_name_stands_for_its_speaker(tmp_path):
    text = "names: {spk000: Amina}\nmerge: [[Amina, spk001]]\nassign: {Amina: [001]}\n"
    overrides = parse(tmp_path, text)
    assert overrides.merge == [["spk000", "spk001"]]
    assert overrides.assign == {"spk000": ["001"]}
    assert parse(tmp_path, text.replace("Amina", "Amy")).merge == overrides.merge


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


def test_a_damaged_record_is_found_without_any_overrides(tmp_path):
    record = tmp_path / "state.json"
    record.write_text('{"format": 1, "next_')
    with pytest.raises(RegistryError, match=r"state\.json: .* damaged"):
        check_overrides(Overrides(), CLIPS, record, None)


def test_a_speaker_that_is_no_longer_split_off_is_not_there(tmp_path):
    record = tmp_path / "state.json"
    speakers = {
        "spk000": Speaker("spk000", None, 2, ()),
        "spk001": Speaker("Bin", None, 1, (), "Bin"),
    }
    save_registry(record, Registry(2, {}, speakers))
    split = parse(tmp_path, "split: {Bin: [001]}\nmerge: [[spk000, spk001]]")
    check_overrides(split, CLIPS, record, "mine.yaml")
    abandoned = parse(tmp_path, "merge: [[spk000, spk001]]")
    with pytest.raises(OverridesError, match=r"mine\.yaml has faults:\n.* no speaker 'spk001'"):
        check_overrides(abandoned, CLIPS, record, "mine.yaml")
