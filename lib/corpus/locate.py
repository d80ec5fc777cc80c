"""Find the files that a source names; none of them may be outside the source."""

import difflib
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from lib.corpus.clip import AudioLocation, InvalidRow
from lib.corpus.ids import name_of_file

NOT_AUDIO = {".csv", ".json", ".jsonl", ".parquet", ".tsv", ".txt", ".md", ".yaml"}
AUDIO_SUFFIXES = frozenset(
    ".aac .aif .aifc .aiff .amr .au .caf .flac .m4a .mka .mp2 .mp3 .mp4 .mpga .oga .ogg .opus .ra "
    ".snd .sph .spx .wav .weba .webm .wma .wv .3gp".split()
)
# Folders beside a table that are searched, also if the table does not name them.
AUDIO_FOLDERS = ("wavs", "wav", "clips", "audio")


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the source.

    Attributes
    ----------
    location
        Its location.
    name
        Its path below the folder of the table without extension, from which its id is made.
    key
        The same path with extension, which distinguishes files of the same name.
    note
        Message for the user if the file has another name than in the table.
    """

    location: AudioLocation
    name: str | None
    key: str | None
    note: str | None = None


def locate_file(
    folder: Path, name: str, origin: str, absolute_allowed: bool = False
) -> Found | InvalidRow:
    """Find the audio that a row names.

    The file is searched in this order:

    1. with exactly its name;
    2. in `wavs/` and similar folders;
    3. with any extension, if the name has none;
    4. with other slashes, case or Unicode form;
    5. with another extension;
    6. of an absolute path or a web address, with the longest end that exists.

    If several files fit, the row is invalid.

    Parameters
    ----------
    folder
        Folder of the table.
    name
        Name of the file in the row.
    origin
        Place of the row, for messages.
    absolute_allowed
        Whether an absolute path may be outside the folder.
    """
    if not name:
        return InvalidRow(None, origin, "missing_file", "the row names no audio file")
    if "\0" in name:
        return InvalidRow(None, origin, "unsafe_path", f"{name!r} holds a NUL character")
    path = os.path.normpath(os.path.join(folder, name))
    inside = not _escapes(folder, path)
    if inside or (absolute_allowed and os.path.isabs(name)):
        if _is_file(path):
            key = _name_within(folder, path, name)
            return Found(AudioLocation(path), name_of_file(key), key)
    forms = _relative_forms(folder, name)
    for form in forms:
        found = (
            _find_plainly(folder, form)
            or _find_loosely(folder, form)
            or _find_converted(folder, form)
        )
        if isinstance(found, _Several):
            return found.at(origin)
        if found and form != name and not found.note:
            return replace(found, note=f"{name!r} is taken to be {found.key!r}")
        if found:
            return found
    if not (inside and forms) and not (absolute_allowed and os.path.isabs(name)):
        detail = f"{name!r} leads out of {folder}: put the recordings below the folder of the table"
        return InvalidRow(None, origin, "unsafe_path", detail)
    return InvalidRow(None, origin, "missing_file", _describe_missing(folder, path))


def names_audio(folder: Path, cell: str) -> bool:
    """Return whether a cell names a recording, by an existing file or by an audio extension."""
    cell = cell.strip()
    if not cell or "\0" in cell or len(cell) > 1000:
        return False
    if os.path.splitext(cell)[1].lower() in AUDIO_SUFFIXES and " " not in os.path.basename(cell):
        return True
    path = os.path.normpath(os.path.join(folder, cell))
    return (not _escapes(folder, path) and _is_file(path)) or bool(_find_plainly(folder, cell))


def forget_folders() -> None:
    """Clear the cached contents of folders."""
    _bases.cache_clear()
    _names.cache_clear()
    _entries.cache_clear()
    _files_by_stem.cache_clear()


@dataclass(frozen=True, slots=True)
class _Several:
    """More than one file fits a name."""

    name: str
    paths: list[str]

    def at(self, origin: str) -> InvalidRow:
        detail = f"{self.name!r} fits {' and '.join(map(repr, self.paths))}: write which one"
        return InvalidRow(None, origin, "missing_file", detail)


def _relative_forms(folder: Path, name: str) -> list[str]:
    """Return possible paths of a name below the folder, the longest first."""
    slashed = name.replace("\\", "/")
    elsewhere = re.match(r"/|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://", slashed)
    if not elsewhere:
        inside = not _escapes(folder, os.path.normpath(os.path.join(folder, slashed)))
        return [slashed] if inside else []
    path = unquote(slashed) if "://" in slashed else slashed
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _find_plainly(folder: Path, name: str) -> "Found | _Several | None":
    """Return the file in the folder or in one for audio, also by its name without extension."""
    first, *others = _bases(folder)
    for base in (first, *others):
        directory, entry = os.path.split(os.path.normpath(os.path.join(base, name)))
        if entry in _names(directory) and not _escapes(base, path := f"{directory}/{entry}"):
            if _is_file(path):
                return Found(AudioLocation(path), name_of_file(name), name)
    for base in (*others, first):
        directory, stem = os.path.split(os.path.normpath(os.path.join(base, name)))
        paths = [
            path
            for path in _files_by_stem(directory).get(stem, ())
            if _is_file(path) and not _escapes(base, path)
        ]
        keys = [os.path.relpath(path, base) for path in paths]
        if len(paths) > 1:
            return _Several(name, keys)
        if paths:
            # The name has no extension, even if it contains a dot.
            return Found(AudioLocation(paths[0]), name, keys[0])
    return None


def _find_converted(folder: Path, name: str) -> Found | _Several | None:
    """Return the recording of a name that has another extension than in the table."""
    stem, extension = os.path.splitext(name)
    if extension.lower() not in AUDIO_SUFFIXES:
        return None
    found = _find_plainly(folder, stem)
    if not isinstance(found, Found) or _suffix(found.location.path) not in AUDIO_SUFFIXES:
        return found if isinstance(found, _Several) else None
    return replace(found, note=f"{name!r} is taken to be {found.key!r}")


def _find_loosely(folder: Path, name: str) -> Found | _Several | None:
    """Return the only file whose path differs just in case or Unicode form."""
    for base in _bases(folder):
        fitting = [base]
        for part in os.path.normpath(name).split("/"):
            wanted = _fold(part)
            fitting = [
                os.path.join(directory, entry)
                for directory in fitting
                for entry in _entries(directory).get(wanted, ())
            ]
        files = [path for path in fitting if _is_file(path)]
        if len(files) > 1:
            return _Several(name, [os.path.relpath(path, base) for path in files])
        if files:
            found = os.path.relpath(files[0], base)
            note = f"{name!r} is taken to be {found!r}, which {_describe_difference(name, found)}"
            return Found(AudioLocation(files[0]), name_of_file(found), found, note)
    return None


@lru_cache(maxsize=256)
def _bases(folder: Path) -> list[str]:
    """Return the folder and those of its folders that may have audio."""
    inner = [os.path.join(folder, part) for part in AUDIO_FOLDERS]
    return [os.path.normpath(folder), *filter(os.path.isdir, inner)]


def _describe_difference(name: str, found: str) -> str:
    if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", found):
        return f"is in another Unicode form ({ascii(name)}, {ascii(found)})"
    return "is written with other capitals"


def _describe_missing(folder: Path, path: str) -> str:
    if os.path.islink(path):
        return f"{path} is a link that points nowhere: {os.readlink(path)}"
    if os.path.exists(path):
        return f"{path} is not a regular file"
    directory, name = os.path.split(path)
    detail = f"{path}: there is no such file"
    places = dict.fromkeys((directory, *_bases(folder)))
    entries = sorted(set().union(*map(_names, places)))
    if near := difflib.get_close_matches(name, entries[:5000], n=1, cutoff=0.75):
        # ascii() shows the difference of two names that look alike.
        return f"{detail}; the table has {ascii(name)}, the nearest file is {ascii(near[0])}"
    return detail


def _name_within(folder: Path, path: str, name: str) -> str:
    """Return a path relative to the table's folder, without the folders above it."""
    if not os.path.isabs(name):
        return name
    if _escapes(folder, path):
        return "/".join(path.split(os.sep)[-2:])
    return os.path.relpath(os.path.realpath(path), os.path.realpath(folder))


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _escapes(folder: Path | str, path: str) -> bool:
    root = os.path.normpath(folder)
    if path.startswith(f"{root}/") and "/.." not in path:
        return False
    # A relative source may itself start with "..", so that only the part below it is checked.
    if os.path.relpath(path, root).split(os.sep, 1)[0] != os.pardir:
        return False
    # An absolute path may lead to the same folder through a link.
    real = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    return not os.path.isabs(path) or real.split(os.sep, 1)[0] == os.pardir


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


@lru_cache(maxsize=1024)
def _names(directory: str) -> frozenset[str]:
    """Return the names of a folder's entries."""
    try:
        return frozenset(os.listdir(directory))
    except OSError:
        return frozenset()


@lru_cache(maxsize=1024)
def _entries(directory: str) -> dict[str, list[str]]:
    """Return the entries of a folder by their names without case and Unicode form."""
    entries: dict[str, list[str]] = {}
    for name in sorted(_names(directory)):
        entries.setdefault(_fold(name), []).append(name)
    return entries


@lru_cache(maxsize=1024)
def _files_by_stem(directory: str) -> dict[str, list[str]]:
    """Return the audio files of a folder by their names without extension.

    Files with unknown extensions are returned only if there is no audio file of the same name,
    because beside `a.wav` there may be an alignment `a.TextGrid` or a picture `a.png`.
    """
    files: dict[str, list[str]] = {}
    for name in sorted(_names(directory)):
        if _suffix(name) not in NOT_AUDIO:
            files.setdefault(os.path.splitext(name)[0], []).append(os.path.join(directory, name))
    for stem, paths in files.items():
        files[stem] = [path for path in paths if _suffix(path) in AUDIO_SUFFIXES] or paths
    return files


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
