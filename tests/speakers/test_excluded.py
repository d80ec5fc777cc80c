"""The table of the clips that the user leaves out."""

import pytest

from lib.speakers.ruling import Ruling
from lib.speakers.tables import read_excluded, write_excluded


@pytest.mark.parametrize("label", ["Ann\tB", "line\nbreak", "back\\slash\\n", "'\"'", "\u2028"])
def test_a_line_with_any_label_is_read_as_it_was_written(tmp_path, label):
    ruling = Ruling(
        excluded_speakers={"spk000": f"exclude.speakers: {label}"},
        excluded_clips={"b": f"exclude.clips: {label}*"},
    )
    write_excluded({"a": "spk000", "c": "spk001"}, ruling, tmp_path / "excluded.tsv")
    assert read_excluded(tmp_path / "excluded.tsv") == {
        "a": f"exclude.speakers: {label}",
        "b": f"exclude.clips: {label}*",
    }
