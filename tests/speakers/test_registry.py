"""The durable record: what earlier versions wrote is read, so that ids stay."""

import json

import pytest

from lib.speakers.registry import (
    Decision,
    Registry,
    RegistryError,
    Speaker,
    drop_abandoned_splits,
    list_names,
    load_registry,
    save_registry,
)

REGISTRY = Registry(
    next_number=4,
    settings={"count": "auto", "similarity_threshold": 0.9},
    speakers={
        "spk000": Speaker("Ann", "Ann", 2, (0.6, 0.8)),
        "spk001": Speaker("Bintu", None, 1, (1.0, 0.0), "Bintu"),
        "spk003": Speaker("spk003", None, 0, (0.0, 1.0)),
    },
    decisions={"a": Decision("spk000", "da"), "b": Decision("spk001", "db")},
)


def write_format_1(path) -> None:
    """Write the record as version 0 of this room did, with its names."""
    save_registry(path, REGISTRY)
    value = json.loads(path.read_text())
    value["format"] = 1
    value["settings"]["same_voice"] = value["settings"].pop("similarity_threshold")
    for row in value["speakers"].values():
        row["given"] = row.pop("split_name")
    path.write_text(json.dumps(value))


def test_a_record_is_read_as_it_was_written(tmp_path):
    save_registry(tmp_path / "speakers.json", REGISTRY)
    assert load_registry(tmp_path / "speakers.json") == REGISTRY


def test_a_record_of_format_1_is_the_same_record(tmp_path):
    write_format_1(tmp_path / "speakers.json")
    assert load_registry(tmp_path / "speakers.json") == REGISTRY


def test_a_speaker_that_was_never_split_off_needs_no_such_field(tmp_path):
    """Format 1 did not have it at first."""
    write_format_1(tmp_path / "speakers.json")
    value = json.loads((tmp_path / "speakers.json").read_text())
    del value["speakers"]["spk000"]["given"]
    (tmp_path / "speakers.json").write_text(json.dumps(value))
    assert load_registry(tmp_path / "speakers.json") == REGISTRY


def test_a_record_of_a_later_version_is_refused(tmp_path):
    save_registry(tmp_path / "speakers.json", REGISTRY)
    later = (tmp_path / "speakers.json").read_text().replace('"format": 2', '"format": 3')
    (tmp_path / "speakers.json").write_text(later)
    with pytest.raises(RegistryError, match="its format is 3, this version .* reads 1 and 2"):
        load_registry(tmp_path / "speakers.json")


def test_the_record_of_an_earlier_version_keeps_every_id(room):
    """An upgrade changes the name of a setting, and clusters nothing anew for it."""
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    overrides = {"split": {"Bintu": ["b_00", "b_01"]}}
    before = room.run(count=2, **overrides)
    record = room.root / "state/speakers.json"
    value = json.loads(record.read_text())
    value["format"] = 1
    value["settings"]["same_voice"] = value["settings"].pop("similarity_threshold")
    for row in value["speakers"].values():
        row["given"] = row.pop("split_name")
    # Against the clustering: only a decision that still counts can keep it.
    value["clips"]["a_00"][0] = value["clips"]["b_07"][0]
    record.write_text(json.dumps(value))
    assert room.run(count=2, **overrides) == before | {"a_00": before["b_07"]}


def test_abandoned_splits_are_dropped_and_their_numbers_stay_taken():
    kept = drop_abandoned_splits(REGISTRY, ["Cem"])
    assert kept.speakers.keys() == {"spk000", "spk003"}
    assert kept.decisions.keys() == {"a"}
    assert kept.next_number == 4
    assert list_names(REGISTRY, ["Cem"]) == {"spk000": "Ann", "spk003": "spk003"}
    assert drop_abandoned_splits(REGISTRY, ["Bintu"]) == REGISTRY
