"""The table of threats is true: every test that it names is there, and collected."""

import re

import pytest

from tests.test_documents import list_definitions
from tests.test_layout import ROOT

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
THREATS = re.findall(r"^\| (.+?) \| .+ \| `(tests/[\w/]+\.py)`, `(\w+)` \|$", PAGE, re.MULTILINE)


def test_every_row_of_the_table_names_a_test():
    rows = [line for line in PAGE.split("## Threats")[1].splitlines() if line.startswith("| ")]
    assert len(rows) - 1 == len(THREATS) > 30
    assert len({threat for threat, _, _ in THREATS}) == len(THREATS)


@pytest.mark.parametrize(("threat", "file", "test"), THREATS, ids=[row[2] for row in THREATS])
def test_a_threat_has_its_test(threat, file, test):
    assert test.startswith("test_") and test in list_definitions(ROOT / file), threat


def test_every_test_of_strangers_and_full_disks_is_a_threat_or_makes_one_sure():
    """A new one belongs into the table."""
    told = {test for _, _, test in THREATS}
    helping = {
        "test_the_program_of_these_tests_would_run",
        "test_a_part_of_a_file_of_weights_is_refused",
        "test_a_program_in_a_discriminator_is_passed_over",
        "test_an_onnx_file_of_another_program_is_refused",
        "test_whatever_writes_the_full_disk_is_told_and_the_old_file_stays",
        "test_another_fault_is_not_taken_for_a_full_disk",
    }
    for name in ("test_strangers", "test_full_disk", "test_shell"):
        found = list_definitions(ROOT / f"tests/security/{name}.py")
        assert {test for test in found if test.startswith("test_")} <= told | helping
