"""Packs what a training needs into a folder that can be copied to another machine.

A folder with `SHA256SUMS`, and no archive: rsync goes on within it after a broken connection, sends
only what has changed when it is packed again, and coreutils can check it. An archive would want its
size a second time on both machines.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lib.bundle.box import SUMS, TRAINED, BundleError, format_sums
from lib.files import atomic_directory, total_size
from lib.provenance import list_modules

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
_ENTRY = "lib.training.__main__"
_FILES = (
    "envs/setup.py",
    "workflow/schemas/config.schema.yaml",
    "LICENSE",
)
# Of a configuration file, beside what the training itself imports.
_TO_READ_IT = ("jsonschema", "PyYAML")
_README = """A training of a voice, packed to be copied to a machine with a GPU.

    rsync --archive --partial {name}/ user@machine:voice/     the same command goes on
    ssh user@machine
    cd voice && python3 train.py --keep-at /a/place/that/stays

--keep-at is a folder or an rsync target that outlives the machine; on a new one the same command
goes on from there. When it has ended, bring trained/ home:

    rsync --archive --partial user@machine:voice/trained/ {name}/trained/
    make receive BUNDLE={name} CONFIG=...

sha256sum --check --quiet SHA256SUMS checks this folder by hand.
"""


def pack_bundle(results: Path, folder: Path, config: Mapping[str, Any]) -> None:
    """Write the bundle of a run: dataset, fitted base model, settings, code and pins.

    Parameters
    ----------
    results
        Folder of the run, which has got as far as its dataset and fitted base model.
    folder
        Where to; an earlier bundle there is replaced.
    config
        A whole configuration: its training and the first of its sample texts are packed.

    Raises
    ------
    BundleError
        If a part is not there yet, or the folder holds something else.
    """
    for part in ("dataset/dataset_dict.json", "base_model/base.json"):
        if not (results / part).is_file():
            raise BundleError(
                f"{results / part} is not there yet: run the workflow up to {results}/base_model "
                "and the dataset first (make bundle does)"
            )
    if (folder / TRAINED).exists():
        raise BundleError(
            f"{folder / TRAINED} is a training that came back: take it with make receive "
            "first, and move it away, or name another folder"
        )
    if folder.exists() and not (folder / SUMS).is_file():
        raise BundleError(f"{folder} is no bundle of an earlier time: name another folder")
    with atomic_directory(folder.absolute()) as temporary:
        for part in ("dataset", "base_model"):
            shutil.copytree(results / part, temporary / part)
        _copy_code(temporary)
        (temporary / "requirements.txt").write_text(_list_pins(), "utf-8")
        # Where the checkpoints go is another place on another machine.
        settings = {**config["training"], "keep_at": None}
        told = yaml.safe_dump({"training": settings}, allow_unicode=True, sort_keys=False)
        (temporary / "training.yaml").write_text(told, "utf-8")
        sample = next(iter(config["samples"]["texts"] or []), "")
        (temporary / "sample.txt").write_text(sample + "\n", "utf-8")
        (temporary / "README.txt").write_text(_README.format(name=folder.name), "utf-8")
        (temporary / SUMS).write_text(format_sums(temporary), "utf-8")
    size = total_size([folder]) / 2**20
    logger.info("%s: %.0f MB. %s has the next steps", folder, size, folder / "README.txt")


def _copy_code(folder: Path) -> None:
    """Copy the modules that the training imports, and what starts and checks it."""
    for module in _list_code(_ENTRY):
        base = _ROOT.joinpath(*module.split("."))
        source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        _copy(source, folder / source.relative_to(_ROOT))
    for name in _FILES:
        _copy(_ROOT / name, folder / name)
    _copy(Path(__file__).with_name("box.py"), folder / "train.py")


def _list_code(*modules: str) -> list[str]:
    """Return modules, what they import, and the packages that these are in, which Python runs."""
    found = list_modules(*modules)
    packages = {module.rpartition(".")[0] for module in found} - {"", *found}
    return _list_code(*found, *packages) if packages else found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _list_pins() -> str:
    """Return the pins of the training's environment, and of what reads its configuration."""
    environment = yaml.safe_load((_ROOT / "envs/training.yaml").read_text("utf-8"))
    (pins,) = (part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    lines = (_ROOT / "requirements.txt").read_text("utf-8").splitlines()
    every = [line.split("#")[0].strip() for line in lines]
    reading = [pin for pin in every if pin.partition("==")[0] in _TO_READ_IT]
    return "\n".join(sorted([*pins, *reading], key=str.lower)) + "\n"
