"""Makes the environment .venv from requirements.txt, or repairs it; the standard library only.

Run by every target of the Makefile. An environment is sound if its interpreter starts, every
pinned version is installed, and every file that the installed packages list is there: a killed
installation or a deleted file is noticed, and the environment is made anew.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements.txt"
# The second argument is for tests.
ENVIRONMENT = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin/python"
STAMP = ENVIRONMENT / "requirements.digest"
OLDEST = (3, 11)

# Run by the environment's own interpreter: prints what is wrong with it, or nothing.
CHECK = """
import importlib.metadata as metadata, sys
for line in open(sys.argv[1], encoding="utf-8"):
    name, _, version = line.split("#")[0].strip().partition("==")
    if name:
        try:
            found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            sys.exit(print(f"{name} is missing"))
        if found != version:
            sys.exit(print(f"{name} is {found}, pinned {version}"))
for package in metadata.distributions():
    for file in package.files or ():
        if file.suffix != ".pyc":
            path = file.locate()
            size = path.stat().st_size if path.exists() else None
            if size is None or (file.size is not None and file.size != size):
                sys.exit(print(f"{package.name} is damaged: {file}"))
"""


def find_fault() -> str | None:
    """Say what is wrong with the environment, or None."""
    if not ENVIRONMENT.is_dir():
        return "there is none"
    if not STAMP.is_file():
        return "its installation was not finished"
    if STAMP.read_text() != digest():
        return "requirements.txt has changed"
    try:
        checked = subprocess.run(
            [PYTHON, "-I", "-c", CHECK, REQUIREMENTS], capture_output=True, text=True
        )
    except OSError as error:
        return f"its interpreter does not start: {error}"
    return (checked.stdout + checked.stderr).strip() or None


def digest() -> str:
    """Digest of what is to be installed."""
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def install() -> None:
    """Make the environment from nothing."""
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)
    # Written last: its absence marks an installation that was cut off.
    STAMP.write_text(digest())


def main() -> None:
    """Check, and install where something is wrong."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version}")
    fault = find_fault()
    if fault is None:
        return
    print(f"Setting up {ENVIRONMENT.name}: {fault}. This takes some minutes.", flush=True)
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Setting up failed: {' '.join(map(str, error.cmd))} ended with {error.returncode}. "
            "See above; pip needs network access, and webrtcvad needs gcc and Python's headers."
        )
    fault = find_fault()
    if fault is not None:
        sys.exit(f"The environment is still not sound: {fault}")


if __name__ == "__main__":
    main()
