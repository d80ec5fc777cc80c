"""The configuration: one schema, one commented file, and messages that name key and way out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.config.audio import AudioSettings
from lib.config.dataset import DatasetSettings
from lib.config.renamed import GONE, RENAMED
from lib.config.training import TrainingSettings
from lib.config.validate import SettingsError, complete_settings, parse_texts
from lib.training.settings import RESUMABLE

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text("utf-8"))
DEFAULTS = complete_settings({}, SCHEMA)


def walk(schema: dict, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """Yield every property of a schema with the keys that lead to it."""
    for key, part in schema.get("properties", {}).items():
        yield (*place, key), part
        yield from walk(part, (*place, key))


PROPERTIES = dict(walk(SCHEMA))
# Sections whose keys the user chooses.
TABLES = {
    place
    for place, part in PROPERTIES.items()
    if isinstance(part.get("additionalProperties"), dict)
}
SECTIONS = [(), *(place for place, part in PROPERTIES.items() if "properties" in part)]


def nest(place: tuple[str, ...], value: Any) -> dict:
    """Return a configuration that holds one value."""
    for key in reversed(place):
        value = {key: value}
    return value


def refusal(config: dict) -> str:
    with pytest.raises(SettingsError) as caught:
        complete_settings(config, SCHEMA)
    return str(caught.value)


# ---------------------------------------------------------------- the files


@pytest.mark.parametrize("place", PROPERTIES, ids=".".join)
def test_every_key_is_described_and_has_a_default_that_is_allowed(place):
    part = PROPERTIES[place]
    assert len(part["description"]) > 5
    assert "default" in part
    complete_settings(nest(place, part["default"]), SCHEMA)


def test_unknown_keys_are_refused_everywhere():
    assert all(part.get("additionalProperties") is False for part in _sections())


def _sections() -> list[dict]:
    return [SCHEMA, *(part for part in PROPERTIES.values() if "properties" in part)]


CONFIGURATIONS = [
    *sorted((ROOT / "config").glob("*.yaml")),
    ROOT / "tools/base_model/config.yaml",
    ROOT / "benchmarks/learn_to_speak/config.yaml",
]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_configuration_of_the_project_is_valid(path):
    complete_settings(yaml.safe_load(path.read_text("utf-8")), SCHEMA)


# ---------------------------------------------------------------- filling in


def test_missing_keys_are_filled_in_at_every_level():
    completed = complete_settings({"source": {"columns": {"text": "words"}}}, SCHEMA)
    assert completed["source"]["columns"] == {**DEFAULTS["source"]["columns"], "text": "words"}
    assert completed["source"]["language"] == "und"
    assert completed["training"]["loss_weights"]["mel"] == 45.0


def test_neither_the_given_nor_the_schema_is_changed():
    given_config: dict = {"training": {}}
    completed = complete_settings(given_config, SCHEMA)
    completed["training"]["betas"].append(3)
    completed["samples"]["texts"].append("x")
    assert given_config == {"training": {}}
    assert complete_settings({}, SCHEMA) == DEFAULTS


@given(st.sampled_from(sorted(PROPERTIES)))
def test_completing_twice_changes_nothing(place):
    once = complete_settings(nest(place, PROPERTIES[place]["default"]), SCHEMA)
    assert once == complete_settings(once, SCHEMA) == DEFAULTS


# ---------------------------------------------------------------- refusing


@pytest.mark.parametrize("place", SECTIONS, ids=".".join)
def test_a_typo_names_the_key_and_the_nearest_valid_one(place):
    section = PROPERTIES[place] if place else SCHEMA
    for key in section["properties"]:
        typo = f"{key}s" if len(key) > 3 else f"{key}x"
        if typo not in section["properties"]:
            name = ".".join([*place, typo])
            assert f"unknown key '{name}': did you mean '{key}'?" in refusal(nest(place, {typo: 1}))


def test_a_key_like_no_other_gets_the_list():
    assert "unknown key 'audio.qqqq': valid keys: sample_rate, loudness," in refusal(
        {"audio": {"qqqq": 1}}
    )


def test_keys_that_are_no_texts_are_named():
    assert "unknown key '7'" in refusal({7: 1, "x": 2})
    assert "text.mapping: got 0, expected a text (A single character, in quotes)" in refusal(
        {"text": {"mapping": {0: "zero"}}}
    )


def test_all_faults_are_told_at_once():
    told = refusal({"audio": {"loudness": "loud"}, "training": {"epochs": 0}})
    assert len(told.splitlines()) == 3


@pytest.mark.parametrize("place", SECTIONS[1:], ids=".".join)
def test_an_empty_section_is_named(place):
    told = refusal(nest(place, None))
    assert f"{'.'.join(place)}: got None, expected a section with keys" in told


@pytest.mark.parametrize("place", [p for p, v in PROPERTIES.items() if "properties" not in v])
def test_a_wrong_type_names_the_key_and_what_was_given(place):
    told = refusal(nest(place, [1] if place in TABLES else {"strange": 1}))
    assert f"{'.'.join(place)}: got " in told
    assert "expected " in told


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("training.epochs", 0, "expected at least 1"),
        ("training.epochs", 1.5, "expected a whole number"),
        ("training.resume", "yes", "expected true or false"),
        ("training.learning_rate", 0, "expected more than 0"),
        ("training.ema_decay", 1, "expected less than 1"),
        ("training.max_grad_norm", 0, "expected a number more than 0 or nothing (null)"),
        ("training.betas", [0.8], "expected a list of at least 2"),
        ("training.mixed_precision", "fp8", "expected one of fp16, bf16, fp32"),
        ("speakers.count", "two", "expected 'auto' or a whole number at least 1"),
        ("speakers.count", 0, "expected 'auto' or a whole number at least 1"),
        ("audio.peak_ceiling", 3, "expected at most 0"),
        ("audio.sample_rate", 1000, "expected at least 8000"),
        ("audio.trim_margin", -0.1, "expected at least 0"),
        ("dataset.speech_rate", "maybe", "expected one of"),
        ("dataset.validation_share", 1.5, "expected at most"),
        ("dataset.max_rejected_share", -0.1, "expected at least 0"),
        ("dataset.speech_rate_factor", 1.0, "expected more than 1"),
        ("source.path", "", "expected a text of a length of at least 1"),
        ("source.language", "English", "expected a text of the form"),
        ("samples.texts", "hello", "expected a list"),
        ("text.mapping", {"ab": "c"}, "expected a text of the form"),
    ],
)
def test_what_was_expected_is_said(place, value, expected):
    told = refusal(nest(tuple(place.split(".")), value))
    assert place in told and expected in told
    assert PROPERTIES[tuple(place.split("."))]["description"] in told or "mapping" in place


@pytest.mark.parametrize("written", ["1e-4", "5e-1", "1e-9", "3e2"])
def test_a_number_that_yaml_reads_as_text_gets_a_spelling_that_works(written):
    value = yaml.safe_load(written)
    assert isinstance(value, str)
    told = refusal({"training": {"learning_rate": value}})
    (spelling,) = re.findall(r"; write (\S+), YAML reads", told)
    assert yaml.safe_load(spelling) == float(written)


def test_a_bare_off_is_explained():
    config = yaml.safe_load("dataset: {speech_rate: off}")
    assert "dataset.speech_rate: got False" in refusal(config)
    assert "put it in quotes" in refusal(config)
    complete_settings(yaml.safe_load("dataset: {speech_rate: 'off'}"), SCHEMA)


# ---------------------------------------------------------------- what the library takes


def test_the_sections_make_what_the_library_takes():
    assert AudioSettings(**DEFAULTS["audio"]) == AudioSettings()
    assert DatasetSettings(**DEFAULTS["dataset"]) == DatasetSettings()
    assert TrainingSettings.from_config(DEFAULTS["training"]) == TrainingSettings()
    assert TrainingSettings().as_dict() == DEFAULTS["training"]
    assert TrainingSettings.from_config({"betas": [0.5, 0.9]}).betas == (0.5, 0.9)
    assert TrainingSettings.from_config({"loss_weights": {"mel": 1.0}}).loss_weights.mel == 1.0
    assert RESUMABLE < DEFAULTS["training"].keys()


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (AudioSettings, {"min_duration": 3.0, "max_duration": 3.0}, "audio.min_duration is 3.0 s"),
        (AudioSettings, {"loudness": -60.0}, "audio.loudness is -60.0 LUFS"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(section, values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        section(**values)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(old, new):
    told = refusal(nest(tuple(old.split(".")), 1))
    assert f"unknown key '{old}': it is now '{new}'" in told
    assert tuple(new.split(".")) in PROPERTIES and tuple(old.split(".")) not in PROPERTIES


@pytest.mark.parametrize("old", GONE)
def test_a_key_that_is_gone_says_why(old):
    assert f"unknown key '{old}': {GONE[old]}" in refusal(nest(tuple(old.split(".")), "off"))


# ---------------------------------------------------------------- the command line


def spell(value: Any) -> Any:
    """Write values as a command line hands them over: all as texts."""
    if isinstance(value, dict):
        return {key: spell(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spell(inner) for inner in value]
    return value if isinstance(value, str) else yaml.safe_dump(value).split("\n")[0]


@pytest.mark.parametrize("place", SECTIONS[1:], ids=".".join)
def test_every_default_comes_through_a_command_line(place):
    part = PROPERTIES[place]
    values = {key: inner["default"] for key, inner in part["properties"].items()}
    given = nest(place, spell(values))
    parsed = parse_texts(given, given, SCHEMA)
    for key in place:
        parsed = parsed[key]
    assert parsed == values


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"training": {"learning_rate": "1e-4"}}, 1e-4),
        ({"training": {"keep_checkpoints": "3"}}, 3),
        ({"training": {"keep_checkpoints": "all"}}, "all"),
        ({"training": {"resume": "False"}}, False),
        ({"training": {"betas": ["0.5", "0.9"]}}, [0.5, 0.9]),
        ({"speakers": {"overrides": "null"}}, None),
        ({"speakers": {"count": "auto"}}, "auto"),
        # A text that spells something else stays a text where one is wanted.
        ({"source": {"language": "no"}}, "no"),
        ({"source": {"path": "2024"}}, "2024"),
        ({"text": {"mapping": {"5": "5.0"}}}, {"5": "5.0"}),
        # What is wrong stays what was written, for the message.
        ({"training": {"epochs": "ten"}}, "ten"),
        ({"training": {"epochs": "1.5"}}, "1.5"),
        ({"training": {"nobody": "1"}}, "1"),
    ],
)
def test_texts_of_the_command_line_become_what_the_schema_wants(given, expected):
    ((section, values),) = given.items()
    ((key, _),) = values.items()
    assert parse_texts(given, given, SCHEMA)[section][key] == expected


def test_values_of_a_file_are_left_alone():
    config = {"training": {"epochs": "10", "keep_checkpoints": "3"}}
    parsed = parse_texts(config, {"training": {"keep_checkpoints": "3"}}, SCHEMA)
    assert parsed == {"training": {"epochs": "10", "keep_checkpoints": 3}}
    assert "training.epochs: got '10', expected a whole number" in refusal(parsed)
