"""Writes what is made of the configuration's keys: `python -m lib.config`.

The JSON schema (workflow/schemas/config.schema.yaml), the user's file (config/config.yaml) and the
tables of config/README.md. A test compares them with the keys.
"""

import argparse
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from lib.config import Config
from lib.files import atomic_path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path("workflow/schemas/config.schema.yaml")
USER_FILE = Path("config/config.yaml")
DOCUMENT = Path("config/README.md")

_SCHEMA_HEAD = """\
# Every key of the configuration: meaning, type, bounds, default. A key that is not here is refused.
# Made by `python -m lib.config`; the keys are in lib/config/.
"""
_USER_HEAD = """\
# Every key that a user may want to set, with its default. Give your own file on top of it:
#   snakemake --cores --configfile config/mine.yaml      (only the keys that differ)
# or edit this one. A typo is refused with the nearest key. config/README.md has more, also the
# keys for experts. Defaults and comments come from lib/config/.
"""
_BEGIN, _END = "<!-- keys: {} -->\n", "<!-- end of keys -->"


def make_documented_schema() -> dict[str, Any]:
    """Make the JSON schema, with the whole docstrings as descriptions."""
    raw = TypeAdapter(Config).json_schema()
    return _tidy(raw, raw["$defs"])


def make_schema() -> dict[str, Any]:
    """Make the JSON schema, each key with its meaning."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | _shorten(make_documented_schema())


def _tidy(part: Any, definitions: Mapping[str, Any]) -> Any:
    """Put definitions in their places, and bounds into the form that messages are made of."""
    if isinstance(part, list):
        return [_tidy(item, definitions) for item in part]
    if not isinstance(part, Mapping):
        return part
    if "$ref" in part:
        found = definitions[part["$ref"].rsplit("/", 1)[1]]
        part = {**found, **{key: value for key, value in part.items() if key != "$ref"}}
    part = {
        key: (
            {name: _tidy(value, definitions) for name, value in entry.items()}
            if key == "properties"
            else entry
            if key == "default"
            else _tidy(entry, definitions)
        )
        for key, entry in part.items()
        if key not in ("$defs", "title")
    }
    if "enum" in part or "const" in part:
        part.pop("type", None)
    if "patternProperties" in part:
        ((pattern, values),) = part.pop("patternProperties").items()
        part["propertyNames"] = {**part["propertyNames"], "type": "string", "pattern": pattern}
        part["additionalProperties"] = values
    if "prefixItems" in part:
        part["items"] = part.pop("prefixItems")[0]
    plain = [option for option in part.get("anyOf", ()) if option.keys() == {"type"}]
    if plain and len(plain) == len(part["anyOf"]):
        part["type"] = [option["type"] for option in part.pop("anyOf")]
    if part.get("type") == "object":
        part.setdefault("default", {})
    return part


def _shorten(part: Any) -> Any:
    """Keep the first paragraph of every description."""
    if isinstance(part, list):
        return [_shorten(item) for item in part]
    if not isinstance(part, Mapping):
        return part
    short = {key: _shorten(value) for key, value in part.items()}
    if isinstance(part.get("description"), str):
        first = part["description"].split("\n\n")[0]
        short["description"] = " ".join(first.split()).removesuffix(".")
    return short


# ---------------------------------------------------------------- the user's file


def write_user_file(schema: Mapping[str, Any]) -> str:
    """Return config/config.yaml: every key but those for experts, with comments."""
    return _USER_HEAD + "\n" + "\n".join(_write_keys(schema, "")) + "\n"


def _write_keys(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, part in schema["properties"].items():
        if part.get("x-expert"):
            continue
        if not indent and "properties" in part:
            yield ""
        for line in part["description"].strip().splitlines():
            if line.strip():
                yield f"{indent}# {line.rstrip()}"
        if "properties" in part:
            yield f"{indent}{name}:"
            yield from _write_keys(part, indent + "  ")
        else:
            yield f"{indent}{name}: {_write_value(part['default'])}"


def _write_value(value: Any) -> str:
    """Write a value as YAML reads it."""
    if isinstance(value, float) and "e" in repr(value):
        mantissa, exponent = repr(value).split("e")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_write_value, value))}]"
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


# ---------------------------------------------------------------- the tables


def write_document(text: str, schema: Mapping[str, Any]) -> str:
    """Return a document with the tables between their marks made anew.

    Raises
    ------
    ValueError
        If a section has no place in the document.
    """
    sections = {"everything": [("output", schema["properties"]["output"])], "experts": []}
    for name, part in schema["properties"].items():
        if "properties" in part:
            keys = list(_list_keys(part, f"{name}."))
            sections[name] = [(key, leaf) for key, leaf in keys if not leaf.get("x-expert")]
            sections["experts"] += [(key, leaf) for key, leaf in keys if leaf.get("x-expert")]
    for name, keys in sections.items():
        begin = _BEGIN.format(name)
        if begin not in text:
            raise ValueError(f"{DOCUMENT}: there is no place for the keys of '{name}': {begin!r}")
        rows = "".join(f"| {' | '.join(_describe(key, part))} |\n" for key, part in keys)
        table = f"\n| key | meaning | values | default |\n|---|---|---|---|\n{rows}\n"
        text = re.sub(
            f"{re.escape(begin)}.*?{re.escape(_END)}",
            lambda _, begin=begin, table=table: begin + table + _END,
            text,
            flags=re.DOTALL,
        )
    return text


def _list_keys(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, part in schema["properties"].items():
        if "properties" in part:
            yield from _list_keys(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part


def _describe(key: str, part: Mapping[str, Any]) -> tuple[str, str, str, str]:
    meaning = part["description"].replace("|", "\\|")
    return f"`{key}`", meaning, _describe_values(part), f"`{_write_value(part['default'])}`"


def _describe_values(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(map(_describe_values, part["anyOf"]))
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    if isinstance(part["type"], list):
        return " or ".join(_describe_values({"type": kind}) for kind in part["type"])
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {part[key]}" for key, sign in signs.items() if key in part)
    kinds = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "`true`, `false`",
        "null": "`null`",
        "object": "table",
    }
    if part["type"] == "array":
        return f"list of {_describe_values(part['items'])}"
    return f"{kinds[part['type']]} {bounds}".strip()


def make_files(root: Path = ROOT) -> dict[Path, str]:
    """Return the content of every file that is made of the keys."""
    schema = make_schema()
    dump = yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=100)
    return {
        SCHEMA: _SCHEMA_HEAD + dump,
        USER_FILE: write_user_file(make_documented_schema()),
        DOCUMENT: write_document((root / DOCUMENT).read_text("utf-8"), schema),
    }


def main(line: Sequence[str] | None = None) -> None:
    """Write the schema, the user's file and the tables of the keys."""
    parser = argparse.ArgumentParser(prog="python -m lib.config", description=main.__doc__)
    parser.parse_args(line)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for path, content in make_files().items():
        with atomic_path(ROOT / path) as temporary:
            temporary.write_text(content, "utf-8")
        logging.info("%s", path)


if __name__ == "__main__":
    main()
