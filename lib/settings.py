"""Checks a configuration against its schema and fills in defaults."""

import copy
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError


class SettingsError(ValueError):
    """The configuration is wrong; the message lists every fault with its key."""


def complete_settings(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with the schema's defaults where keys are missing.

    Raises
    ------
    SettingsError
        Naming each wrong key, what it holds, what is expected, and for an unknown key the nearest
        valid one.
    """
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(e.path))
    if errors:
        faults = "\n".join(f"  - {fault}" for error in errors for fault in _describe(error))
        raise SettingsError(f"The configuration has faults:\n{faults}")
    return _fill(copy.deepcopy(dict(config)), schema)


def _describe(error: ValidationError) -> Iterator[str]:
    """Say in the user's words what is wrong."""
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known)):
            name = f"{place}.{key}" if place else key
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"valid keys: {', '.join(known)}"
            yield f"unknown key '{name}': {hint}"
    elif error.validator == "required":
        prefix = f"{place}." if place else ""
        for key in error.validator_value:
            if key not in error.instance:
                yield f"missing key '{prefix}{key}': {_meaning(error.schema, key)}"
    else:
        meaning = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
        meaning = f" ({meaning})" if meaning else ""
        yield f"{place or 'the configuration'}: got {error.instance!r}, {_expected(error)}{meaning}"


def _expected(error: ValidationError) -> str:
    rule, value = error.validator, error.validator_value
    if rule in ("anyOf", "oneOf"):
        return "expected " + " or ".join(_wanted(option) for option in value)
    if rule == "type":
        return f"expected {_type_name(value)}"
    if rule == "enum":
        return "expected one of " + ", ".join(map(str, value))
    limits = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
    }
    if rule in limits:
        return f"expected {limits[rule]} {value}"
    return f"expected {rule} {value}"


def _wanted(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return " or ".join(f"'{value}'" for value in schema["enum"])
    wanted = _type_name(schema.get("type", "a value"))
    return f"{wanted} from {schema['minimum']}" if "minimum" in schema else wanted


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
