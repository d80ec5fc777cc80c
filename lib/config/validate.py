"""Checks a configuration against its schema and fills in defaults."""

import copy
import difflib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from lib.config.renamed import explain_key

_LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "minLength": "a text of a length of at least",
    "pattern": "a text of the form",
    "minItems": "a list of at least",
    "maxItems": "a list of at most",
}


class SettingsError(ValueError):
    """The configuration is wrong; the message lists every fault with its key."""


def complete_settings(
    config: Mapping[str, Any], schema: Mapping[str, Any], name: str = "The configuration"
) -> dict[str, Any]:
    """Return the configuration with the schema's defaults where keys are missing.

    Parameters
    ----------
    name
        What messages call it.

    Raises
    ------
    SettingsError
        Naming each wrong key, what it holds, what is expected, and for an unknown key the nearest
        valid one.
    """
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(e.path))
    if errors:
        faults = "\n".join(f"  - {fault}" for error in errors for fault in _describe(error))
        raise SettingsError(f"{name} has faults:\n{faults}")
    return _fill(copy.deepcopy(dict(config)), schema)


def parse_texts(
    config: Mapping[str, Any], given: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the configuration with the values that a command line gave as the schema wants them.

    ``--config 'training={epochs: 10, resume: false}'`` hands over every value within a section as
    a text. A text becomes the number, true, false or null that it spells where the schema allows
    that; every other text stays as it is, and is checked like one of a file.

    Parameters
    ----------
    given
        What the command line gave, nested like `config`: only these places are changed.
    """
    parsed = dict(config)
    properties = schema.get("properties", {})
    for key in given.keys() & parsed.keys():
        part = properties.get(key, schema.get("additionalProperties") or {})
        parsed[key] = _parse_value(parsed[key], given[key], part)
    return parsed


def _parse_value(value: Any, given: Any, schema: Any) -> Any:
    schema = schema if isinstance(schema, Mapping) else {}
    if isinstance(value, Mapping) and isinstance(given, Mapping):
        return parse_texts(value, given, schema)
    if isinstance(value, list):
        return [_parse_value(item, item, schema.get("items", {})) for item in value]
    if isinstance(value, str) and schema:
        for read in (yaml.safe_load, float):
            with suppress(ValueError, yaml.YAMLError):
                spelled = read(value)
                if not isinstance(spelled, str) and Draft202012Validator(schema).is_valid(spelled):
                    return spelled
    return value


def _describe(error: ValidationError) -> Iterator[str]:
    """Say in the user's words what is wrong."""
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known), key=str):
            name = f"{place}.{key}" if place else key
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"valid keys: {', '.join(known)}"
            hint = explain_key(name) or hint
            yield f"unknown key '{name}': {hint}"
    elif error.validator == "required":
        prefix = f"{place}." if place else ""
        for key in error.validator_value:
            if key not in error.instance:
                yield f"missing key '{prefix}{key}': {_meaning(error.schema, key)}"
    else:
        meaning = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
        meaning = f" ({meaning})" if meaning else ""
        got = f"{place or 'the configuration'}: got {error.instance!r}"
        yield f"{got}, {_expected(error)}{_hint(error)}{meaning}"


def _expected(error: ValidationError) -> str:
    rule, value = error.validator, error.validator_value
    if rule in ("anyOf", "oneOf"):
        return "expected " + " or ".join(_wanted(option) for option in value)
    if rule == "type":
        return f"expected {_type_name(value)}"
    if rule == "enum":
        return "expected one of " + ", ".join(map(str, value))
    return f"expected {_LIMITS[rule]} {value}" if rule in _LIMITS else f"expected {rule} {value}"


def _hint(error: ValidationError) -> str:
    """Say what YAML makes of a value that looks right."""
    if isinstance(error.instance, bool) and error.validator == "enum":
        return "; put it in quotes, YAML reads a bare on or off as true or false"
    if isinstance(error.instance, str) and "number" in str(error.validator_value):
        with suppress(ValueError):
            digits, *exponent = repr(float(error.instance)).split("e")
            number = "e".join([digits if "." in digits else f"{digits}.0", *exponent])
            return f"; write {number}, YAML reads {error.instance} as a text"
    return ""


def _wanted(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return " or ".join(f"'{value}'" for value in schema["enum"])
    limits = [f"{words} {schema[rule]}" for rule, words in _LIMITS.items() if rule in schema]
    return " ".join([_type_name(schema.get("type", "a value")), " and ".join(limits)]).strip()


def _type_name(names: str | list[str]) -> str:
    plain = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "object": "a section with keys",
        "array": "a list",
        "null": "nothing (null)",
    }
    names = [names] if isinstance(names, str) else names
    return " or ".join(plain.get(name, name) for name in names)


def _meaning(schema: Mapping[str, Any], key: str) -> str:
    return schema.get("properties", {}).get(key, {}).get("description", "required")


def _fill(config: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    for key, part in schema.get("properties", {}).items():
        if key not in config and "default" in part:
            config[key] = copy.deepcopy(part["default"])
        if isinstance(config.get(key), dict) and "properties" in part:
            config[key] = _fill(config[key], part)
    return config
