"""Makes the environment .venv from requirements.txt, or repairs it; the standard library only.

Run by every target of the Makefile: ``python3 envs/setup.py [DIRECTORY [REQUIREMENTS]]``. It runs
before anything is installed, so that no library can do its work. An environment is sound if its
interpreter starts, every pinned version is installed, and every file that the installed packages
list is there: a killed installation or a deleted file is noticed, and the environment is made anew.
That takes seconds. It is not looked at again as long as the sizes and time stamps of all files are
what they were when it was found sound, which takes 0.2 s.
"""

# Without this an old Python would stop at the type hints, before it could say that it is too old.
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)

# Run by the environment's own interpreter: ends with what is wrong with it, or with nothing.
CHECK = """
import importlib.metadata as metadata, sys
for line in open(sys.argv[1], encoding="utf-8"):
    name, _, version = line.split("#")[0].strip().partition("==")
    if name:
        try:
            found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            sys.exit(f"{name} is missing")
        if found != version:
            sys.exit(f"{name} is {found}, pinned is {version}")
for package in metadata.distributions():
    for file in package.files or ():
        if file.suffix != ".pyc":
            path = file.locate()
            size = path.stat().st_size if path.exists() else None
            if size is None or (file.size is not None and file.size != size):
                sys.exit(f"{package.name} is damaged: {file}")
"""


def find_fault(environment: Path, requirements: Path) -> str | None:
    """Say what is wrong with an environment, or None."""
    if not environment.is_dir():
        return "there is none"
    try:
        installed, place, *state = stamp_of(environment).read_bytes().decode().split("\n")
    except (OSError, ValueError):
        return "its installation was not finished"
    if installed != digest(requirements):
        return f"{requirements.name} has changed"
    # The programs in bin/ name their interpreter by its full path.
    if place != str(environment):
        return f"it was made for {place}"
    try:
        found = digest_of_files(environment)
    except OSError as error:
        return f"it is damaged: {error}"
    is_known = state == [found]
    command = [interpreter_of(environment), "-I", "-c", "" if is_known else CHECK, requirements]
    try:
        checked = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"its interpreter does not start: {error}"
    if checked.returncode:
        said = checked.stderr.strip().splitlines() or [f"status {checked.returncode}"]
        return said[-1]
    if not is_known:
        write_stamp(environment, requirements, found)
    return None


def digest_of_files(environment: Path) -> str:
    """Digest names, sizes and time stamps of the installed files, without what Python compiles."""
    digest, pending = hashlib.sha256(), [str(environment / "bin"), str(environment / "lib")]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        pending.append(entry.path)
                else:
                    state = entry.stat(follow_symlinks=False)
                    digest.update(f"{entry.path}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def write_stamp(environment: Path, requirements: Path, *state: str) -> None:
    """Note what was installed, where, and in which state it was found sound."""
    stamp_of(environment).write_bytes(
        "\n".join([digest(requirements), str(environment), *state]).encode()
    )


def install(environment: Path, requirements: Path) -> None:
    """Make an environment from nothing."""
    if environment.is_symlink() or environment.is_file():
        environment.unlink()
    elif environment.exists():
        shutil.rmtree(environment)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [interpreter_of(environment), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--requirement", requirements], check=True)
    # Written last: its absence marks an installation that was cut off.
    write_stamp(environment, requirements)


def interpreter_of(environment: Path) -> Path:
    """Python of an environment."""
    return environment / "bin/python"


def stamp_of(environment: Path) -> Path:
    """File that says what was installed, and for which place."""
    return environment / "installed.stamp"


def digest(requirements: Path) -> str:
    """Digest of what is to be installed."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def main(arguments: list[str]) -> None:
    """Check, and install where something is wrong."""
    if sys.version_info < OLDEST:
        oldest, this = (".".join(map(str, version)) for version in (OLDEST, sys.version_info[:3]))
        sys.exit(
            f"Python {oldest} or newer is needed, {sys.executable} is {this}. "
            f"Name another one: make PYTHON=python{oldest} setup"
        )
    environment, requirements = (
        Path(given).absolute()
        for given in [*arguments, *[ROOT / ".venv", ROOT / "requirements.txt"][len(arguments) :]]
    )
    fault = find_fault(environment, requirements)
    if fault is None:
        return
    print(f"Setting up {environment}: {fault}. This takes some minutes.", flush=True)
    try:
        install(environment, requirements)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Setting up failed, see above: {' '.join(map(str, error.cmd))} ended with status "
            f"{error.returncode}. It needs the module venv (Debian and Ubuntu: apt install "
            "python3-venv), network access for pip, and gcc and Python's headers (apt install gcc "
            "python3-dev) for webrtcvad."
        )
    except OSError as error:
        sys.exit(f"Setting up failed: {error}. Remove {environment} by hand and try again.")
    fault = find_fault(environment, requirements)
    if fault is not None:
        sys.exit(f"{environment} is still not sound: {fault}. Remove it and try again.")


if __name__ == "__main__":
    main(sys.argv[1:])
