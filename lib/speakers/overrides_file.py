"""Reads the user's overrides: the file `config/speakers.yaml`.

    names:                       # what people are called
      spk000: Amina
    merge:                       # one speaker; the first keeps its id
      - [spk001, spk004]
    apart:                       # different people: do not ask again
      - [spk000, spk005]
    together:                    # one person: do not ask again
      - spk002
    assign:                      # these clips belong to this speaker
      spk002: [monday_017, "tuesday_*"]
    split:                       # these clips are a new speaker
      Bintu: [monday_003, monday_009]
    exclude:                     # left out of the dataset
      speakers: [spk003]
      clips: ["noisy_*"]

A section, and a key in a section, may be repeated: what is pasted at the end is added.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lib.config.validate import SettingsError, complete_settings
from lib.speakers.overrides import Overrides, OverridesError, resolve_overrides
from lib.speakers.registry import list_names, load_registry

USUAL_PLACE = "config/speakers.yaml"


def read_overrides(path: str | None, schema: Mapping[str, Any]) -> Overrides:
    """Read the user's file, as far as it can be understood by itself.

    Lines are brought into one order, and names of the section `names` become ids: files that say
    the same give equal overrides.

    Parameters
    ----------
    path
        The file. None, or a missing file at the usual place, gives no overrides.
    schema
        JSON schema of the file.

    Raises
    ------
    OverridesError
        If the file cannot be read, is no YAML, or has other keys or values than the schema allows.
    """
    absent = path is None or (path == USUAL_PLACE and not Path(path).exists())
    try:
        content = {} if absent else yaml.load(Path(path).read_text("utf-8"), _Loader) or {}
        return _sort(complete_settings(_unfold(content), schema, str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise OverridesError(
            f"speakers.overrides: {path} cannot be read ({error}); expected a YAML file in UTF-8, "
            "or null for none"
        ) from error
    except yaml.YAMLError as error:
        hint = "; put patterns that begin with * in quotes" if "alias" in str(error) else ""
        raise OverridesError(f"{path}: not valid YAML{hint}: {error}") from error
    except SettingsError as error:
        raise OverridesError(str(error)) from error


def check_overrides(
    overrides: Overrides, clips: Mapping[str, str | None], record: Path, path: str | None
) -> None:
    """Check the user's file against the clips and speakers that there are.

    Parameters
    ----------
    overrides
        What `read_overrides` read from the file.
    clips
        All clips of the source, with its own speaker label or None.
    record
        Durable record of speaker ids (see `lib.speakers.registry`). While there is none, ids are
        taken on trust, and `assign_speakers` checks them.
    path
        The file, for messages.

    Raises
    ------
    OverridesError
        Listing every fault of the file.
    RegistryError
        If the record is damaged.
    """
    labels = {label for label in clips.values() if label}
    names = list_names(load_registry(record), overrides.split)
    resolve_overrides(overrides, clips, labels, names, str(path))


def _unfold(content: Any) -> Any:
    """Drop sections without content, and make a list of a single clip or speaker."""
    if not isinstance(content, dict):
        return content
    filled = {key: part for key, part in content.items() if part != ""}
    for key in ("assign", "split", "exclude"):
        if isinstance(filled.get(key), dict):
            lists = {name: part for name, part in filled[key].items() if part != ""}
            filled[key] = {name: _as_list(part) for name, part in lists.items()}
    if "together" in filled:
        filled["together"] = _as_list(filled["together"])
    return filled


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _sort(content: Mapping[str, Any]) -> Overrides:
    """Return the lines in one order, with ids instead of the names of the section `names`."""
    ids = {name: reference for reference, name in content["names"].items()}
    assign: dict[str, set[str]] = {}
    for reference, clips in content["assign"].items():
        assign.setdefault(ids.get(reference, reference), set()).update(clips)
    exclude = content["exclude"]
    return Overrides(
        names=dict(sorted(content["names"].items())),
        merge=sorted([ids.get(speaker, speaker) for speaker in g] for g in content["merge"]),
        assign={key: sorted(clips) for key, clips in sorted(assign.items())},
        split={key: sorted(set(clips)) for key, clips in sorted(content["split"].items())},
        exclude={
            "speakers": sorted({ids.get(speaker, speaker) for speaker in exclude["speakers"]}),
            "clips": sorted(set(exclude["clips"])),
        },
        apart=sorted(
            sorted({ids.get(speaker, speaker) for speaker in g}) for g in content["apart"]
        ),
        together=sorted({ids.get(speaker, speaker) for speaker in content["together"]}),
    )


class _Loader(yaml.BaseLoader):
    """Reads every value as a text (001 is a clip, not a number) and joins repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            value = self.construct_object(value_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} cannot be a name here", key_node.start_mark
                )
            content[key] = (
                self._add(content[key], value, key, key_node) if key in content else value
            )
        return content

    def _add(self, first: Any, second: Any, key: str, node: yaml.Node) -> Any:
        if first in ("", second) or second == "":
            return first or second
        if isinstance(first, dict) and isinstance(second, dict):
            return {
                **first,
                **{
                    name: self._add(first[name], value, name, node) if name in first else value
                    for name, value in second.items()
                },
            }
        if list in (type(first), type(second)) and dict not in (type(first), type(second)):
            return [*_as_list(first), *_as_list(second)]
        raise yaml.constructor.ConstructorError(
            None, None, f"'{key}' is given twice, as {first!r} and {second!r}", node.start_mark
        )


_Loader.add_constructor(
    "tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node)
)
