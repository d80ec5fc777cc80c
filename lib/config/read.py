"""Reads a configuration for the stages that are run by hand."""

from pathlib import Path
from typing import Any

import yaml

from lib.config.validate import SettingsError, complete_settings

_SCHEMA = Path(__file__).resolve().parents[2] / "workflow/schemas/config.schema.yaml"


def read_config(path: Path | None) -> dict[str, Any]:
    """Return the configuration of a file with the defaults of all other keys.

    Parameters
    ----------
    path
        A file such as config/mine.yaml; None takes all defaults.

    Raises
    ------
    SettingsError
        If it cannot be read, or naming each wrong key.
    """
    try:
        given = yaml.safe_load(path.read_text("utf-8")) if path else {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return complete_settings(given or {}, yaml.safe_load(_SCHEMA.read_text("utf-8")))
