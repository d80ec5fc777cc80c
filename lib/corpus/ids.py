"""Clip ids: stable, and safe as file names on any system."""

import hashlib
import os.path
import re
import unicodedata

MAX_LENGTH = 80
SLUG_LENGTH = 48
HASH_LENGTH = 10
SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9_-])?")
# Names that Windows keeps for devices, with any extension.
RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def name_of_file(path: str) -> str:
    """Return a file's path without its extension: what its id is made from."""
    return os.path.splitext(path.replace("\\", "/").removeprefix("./"))[0]


def clip_id(name: str) -> str:
    """Return `name` itself if it is safe, else a readable part of it and a hash of the whole."""
    if SAFE.fullmatch(name) and not RESERVED.fullmatch(name):
        return name
    return hashed_id(name)


def hashed_id(name: str) -> str:
    """Return a safe id that no other name gets."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    # The end of a path tells more than its beginning.
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_name)[-SLUG_LENGTH:].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]
    return f"{slug or 'clip'}-{digest}"
