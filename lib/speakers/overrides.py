"""The user's word about speakers: the file `config/speakers.yaml`.

    names:                       # what people are called
      spk000: Amina
    merge:                       # one voice; the first keeps its id
      - [spk001, spk004]
    assign:                      # these clips are this speaker's
      spk002: [monday_017, "tuesday_*"]
    split:                       # these clips are a voice of their own
      Bintu: [monday_003, monday_009]
    exclude:                     # left out of the dataset
      speakers: [spk003]
      clips: ["noisy_*"]

A section, and a key in one, may stand there more than once: what is pasted at the end counts too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lib.config.validate import SettingsError, complete_settings
from lib.speakers.registry import list_names, load_registry
from lib.speakers.ruling import Overrides, OverridesError, judge

USUAL_PLACE = "config/speakers.yaml"


def read_overrides(
    place: str | None, schema: Mapping[str, Any], clips: Mapping[str, str | None], record: Path
) -> Overrides:
    """Read the user's word and check it against what there is.

    Parameters
    ----------
    place
        The file; None, or nothing at the usual place, says nothing.
    schema
        What may stand in it.
    clips
        All clips of the source, with its own speaker label or None.
    record
        Durable record of speaker ids. Before there is one, ids are taken on trust, and the
        assignment checks them.

    Raises
    ------
    OverridesError
        Listing every fault of the file.
    RegistryError
        If the record is damaged.
    """
    overrides = parse_overrides(place, schema)
    known = list_names(load_registry(record), overrides.split)
    judge(overrides, clips, known, {label for label in clips.values() if label}, str(place))
    return overrides


def parse_overrides(place: str | None, schema: Mapping[str, Any]) -> Overrides:
    """Read the file as far as it can be understood by itself."""
    silent = place is None or (place == USUAL_PLACE and not Path(place).exists())
    try:
        content = {} if silent else yaml.load(Path(place).read_text("utf-8"), _Loader) or {}
        return _tidy(complete_settings(_unfold(content), schema, str(place)))
    except (OSError, UnicodeDecodeError) as error:
        raise OverridesError(
            f"speakers.overrides: {place} cannot be read ({error}); expected a YAML file in UTF-8, "
            "or null for none"
        ) from error
    except yaml.YAMLError as error:
        hint = "; put patterns that begin with * in quotes" if "alias" in str(error) else ""
        raise OverridesError(f"{place}: not valid YAML{hint}: {error}") from error
    except SettingsError as error:
        raise OverridesError(str(error)) from error


def _unfold(content: Any) -> Any:
    """Drop sections without content, and make a list of a single clip or speaker."""
    if not isinstance(content, dict):
        return content
    filled = {key: part for key, part in content.items() if part != ""}
    for key in ("assign", "split", "exclude"):
        if isinstance(filled.get(key), dict):
            lists = {name: part for name, part in filled[key].items() if part != ""}
            filled[key] = {name: _as_list(part) for name, part in lists.items()}
    return filled


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _tidy(content: Mapping[str, Any]) -> Overrides:
    """Bring it into one order: what says the same is the same. Names of `names` become ids."""
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
    )


class _Loader(yaml.BaseLoader):
    """Takes every value for a text (001 is a clip, not a number) and adds up repeated keys."""

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
