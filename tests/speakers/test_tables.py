"""Tables that must be read as they were written, and the names of speakers."""

import pytest

from lib.files import read_json, write_json
from lib.speakers.overrides import Overrides, ResolvedOverrides
from lib.speakers.tables import DOUBT_COLUMNS, name_speakers, read_excluded, write_excluded
from lib.tables import read_table


@pytest.mark.parametrize("label", ["Ann\tB", "line\nbreak", "back\\slash\\n", "'\"'", "\u2028"])
def test_a_line_with_any_label_is_read_as_it_was_written(tmp_path, label):
    resolved = ResolvedOverrides(
        names={},
        merged={},
        assigned={},
        excluded_speakers={"spk000": f"exclude.speakers: {label}"},
        excluded_clips={"b": f"exclude.clips: {label}*"},
    )
    write_excluded({"a": "spk000", "c": "spk001"}, resolved, tmp_path / "excluded.tsv")
    assert read_excluded(tmp_path / "excluded.tsv") == {
        "a": f"exclude.speakers: {label}",
        "b": f"exclude.clips: {label}*",
    }


def test_names_change_nothing_but_names(tmp_path):
    known = {"spk000": "spk000", "spk001": "spk001", "spk002": "Ann"}
    speakers = {key: {"name": name, "clips": 1} for key, name in known.items()}
    before = {"speakers": speakers, "merged": {}, "excluded": [], "review_suggestions": []}
    write_json(tmp_path / "speakers.json", before)
    name_speakers(
        tmp_path / "speakers.json",
        Overrides(names={"spk000": "Amina", "Ann": "Anna"}),
        tmp_path / "registry.json",
        tmp_path / "doubts.tsv",
    )
    assert read_table(tmp_path / "doubts.tsv", DOUBT_COLUMNS) == []
    named = read_json(tmp_path / "registry.json")
    assert {key: row["name"] for key, row in named["speakers"].items()} == known | {
        "spk000": "Amina",
        "spk002": "Anna",
    }
    for key in known:
        named["speakers"][key]["name"] = known[key]
    assert named == before
