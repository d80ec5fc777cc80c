"""The schema, the user's file and the tables are made of the keys."""

import yaml

from lib.config.__main__ import (
    DOCUMENT,
    ROOT,
    SCHEMA,
    USER_FILE,
    main,
    make_files,
    make_schema,
    write_document,
)
from lib.config.validate import complete_settings


def list_keys(schema: dict, prefix: str = "") -> dict[str, dict]:
    found = {}
    for name, part in schema["properties"].items():
        inner = list_keys(part, f"{prefix}{name}.") if "properties" in part else None
        found |= inner if inner is not None else {f"{prefix}{name}": part}
    return found


def flatten(values: dict, tables: set[str], prefix: str = "") -> dict[str, object]:
    found = {}
    for name, value in values.items():
        nested = isinstance(value, dict) and f"{prefix}{name}" not in tables
        found |= (
            flatten(value, tables, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
        )
    return found


KEYS = list_keys(make_schema())
TABLES = {key for key, part in KEYS.items() if part.get("type") == "object"}


def test_the_files_are_those_that_the_keys_make():
    for path, content in make_files().items():
        assert (ROOT / path).read_text("utf-8") == content, f"{path}: run python -m lib.config"


def test_the_command_writes_nothing_else(tmp_path, monkeypatch):
    for path in (SCHEMA, USER_FILE, DOCUMENT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("lib.config.__main__.ROOT", tmp_path)
    main([])
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {tmp_path / path for path in (SCHEMA, USER_FILE, DOCUMENT)}


def test_the_user_s_file_has_every_key_but_those_for_experts_with_its_default():
    defaults = flatten(complete_settings({}, make_schema()), TABLES)
    told = flatten(yaml.safe_load((ROOT / USER_FILE).read_text("utf-8")), TABLES)
    assert told == {k: v for k, v in defaults.items() if not KEYS[k].get("x-expert")}
    assert len(told) < 0.8 * len(defaults)


def test_every_key_of_the_user_s_file_has_a_comment():
    lines = (ROOT / USER_FILE).read_text("utf-8").splitlines()
    for before, line in zip(lines, lines[1:], strict=False):
        if line.strip() and not line.strip().startswith("#"):
            assert before.strip().startswith("#"), line


def test_every_key_is_in_the_tables_once():
    text = (ROOT / DOCUMENT).read_text("utf-8")
    for key, part in KEYS.items():
        assert text.count(f"| `{key}` | {part['description']}") == 1, key
    experts = text[text.index("### For experts") :]
    assert "training.betas" in experts and "training.epochs" not in experts


def test_the_bounds_reach_the_tables():
    text = (ROOT / DOCUMENT).read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `audio.sample_rate`"))
    assert row.endswith("| whole number ≥ 8000, ≤ 48000 | `16000` |")
    row = next(line for line in text.splitlines() if line.startswith("| `speakers.count`"))
    assert row.endswith("| `auto` or whole number ≥ 1 | `auto` |")


def test_a_document_without_a_place_for_a_section_is_refused():
    try:
        write_document("nothing", make_schema())
    except ValueError as error:
        assert "no place for the keys of 'everything'" in str(error)
    else:
        raise AssertionError("it was written")
