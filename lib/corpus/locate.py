"""From the file names in a source to files, none of them outside the source."""

import os
import stat
from functools import lru_cache
from pathlib import Path

from lib.corpus.clip import AudioLocation, Problem

NOT_AUDIO = {".csv", ".json", ".jsonl", ".parquet", ".tsv", ".txt"}


def locate_file(
    folder: Path, name: str, origin: str, absolute_allowed: bool = False
) -> AudioLocation | Problem:
    """Return where the file called `name` is, relative to `folder`, or why it is not used."""
    if not name:
        return Problem(None, origin, "missing_file", "the row names no audio file")
    if "\0" in name:
        return Problem(None, origin, "unsafe_path", f"{name!r} holds a NUL character")
    path = os.path.normpath(os.path.join(folder, name))
    if _escapes(folder, path) and not (absolute_allowed and os.path.isabs(name)):
        return Problem(None, origin, "unsafe_path", f"{name!r} leads out of {folder}")
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        detail = f"{path}: {error.strerror}"
        if os.path.islink(path):
            detail = f"{path} is a link that points nowhere: {os.readlink(path)}"
        return Problem(None, origin, "missing_file", detail)
    if not is_file:
        return Problem(None, origin, "missing_file", f"{path} is not a regular file")
    return AudioLocation(path)


def locate_by_id(folder: Path, name: str, origin: str) -> AudioLocation | Problem:
    """Return the audio of an LJSpeech row: in `wavs/` or beside the table, with any extension."""
    for base in (folder / "wavs", folder):
        path = os.path.normpath(os.path.join(base, name))
        if _escapes(base, path) or "\0" in name:
            return Problem(None, origin, "unsafe_path", f"{name!r} leads out of {folder}")
        directory, stem = os.path.split(path)
        if found := _files_by_stem(directory).get(stem):
            return locate_file(folder, os.path.relpath(found, folder), origin)
    detail = f"no file {name}.* in {folder / 'wavs'} or {folder}"
    return Problem(None, origin, "missing_file", detail)


def forget_folders() -> None:
    """Look at the folders again, next time a file is looked for in them."""
    _files_by_stem.cache_clear()


def _escapes(folder: Path, path: str) -> bool:
    root = os.path.normpath(folder)
    # A relative source may itself start with "..": only what is below it counts.
    return os.path.relpath(path, root).split(os.sep, 1)[0] == os.pardir


@lru_cache(maxsize=256)
def _files_by_stem(directory: str) -> dict[str, str]:
    """Return the files of a folder by their name, with and without its extension."""
    files: dict[str, str] = {}
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return files
    for name in names:
        stem, extension = os.path.splitext(name)
        if extension.lower() not in NOT_AUDIO:
            files.setdefault(stem, os.path.join(directory, name))
    return files | {os.path.basename(path): path for path in files.values()}
