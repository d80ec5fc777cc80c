"""Clusters and the speakers of earlier runs: ids never move."""

from lib.speakers.matching import _warn_of_spellings


def test_labels_that_differ_in_case_only_are_named(caplog):
    _warn_of_spellings(["Anna", "ANNA", "Bob", "anna "])
    assert "'ANNA', 'Anna', 'anna '" in caplog.text
    assert "Bob" not in caplog.text
