"""Git LFS leaves a small text in place of every large file that was not downloaded."""

from pathlib import Path

_BEGINNING = b"version https://git-lfs.github.com/spec/"
MAX_SIZE = 1024  # bytes, by the specification of pointer files
ADVICE = "is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository"


def is_pointer(content: bytes) -> bool:
    """Whether this is what Git LFS leaves in place of a file."""
    return len(content) < MAX_SIZE and content.startswith(_BEGINNING)


def is_pointer_file(path: Path) -> bool:
    """Whether a file is such a placeholder; False where it cannot be read."""
    try:
        return path.stat().st_size < MAX_SIZE and is_pointer(path.read_bytes())
    except OSError:
        return False
