"""Trains what this folder holds. The standard library alone is needed to start it.

    python3 train.py --keep-at /a/place/that/stays

Checks every file of the folder, sets up the environment .venv, trains, and writes into trained/.
The same command goes on after whatever happened. It is a copy of lib/bundle/box.py.
"""

# Without this an old Python would stop at the type hints, before it could say that it is too old.
from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUMS = "SHA256SUMS"
TRAINED = "trained"
_OLDEST = (3, 11)
_BLOCK = 2**22
# Run by the interpreter that is to train: ends with what is missing, and prints what differs.
_CHECK = """
import importlib.metadata as metadata, sys
missing = []
for line in open(sys.argv[1], encoding="utf-8"):
    name, _, version = line.split("#")[0].strip().partition("==")
    if name:
        try:
            found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if found != version:
            print(f"Another version: {name} is {found}, tested is {version}")
if missing:
    sys.exit("not installed: " + ", ".join(missing))
"""
_COUNT_CARDS = "import torch; print(torch.cuda.device_count())"


class BundleError(ValueError):
    """A folder is not whole, or not what it should be."""


def list_files(folder: Path) -> list[str]:
    """Return the files below a folder that its checksums cover, as sorted relative paths."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    made = (".venv", TRAINED)
    return sorted(
        str(path)
        for path in found
        if path.parts[0] not in made and "__pycache__" not in path.parts and SUMS not in path.name
    )


def compute_sum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def format_sums(folder: Path) -> str:
    """Return the checksums of a folder's files as `sha256sum -c` reads them."""
    return "".join(f"{compute_sum(folder / name)}  {name}\n" for name in list_files(folder))


def check_sums(folder: Path) -> None:
    """Check a folder against its checksums.

    Raises
    ------
    BundleError
        Naming the files that are missing and those that differ.
    """
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
        wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except (OSError, UnicodeDecodeError):
        raise BundleError(f"{folder / SUMS} is missing or damaged: copy the folder again") from None
    missing = [name for name in wanted if not (folder / name).is_file()]
    there = (name for name in wanted if name not in missing)
    altered = [name for name in there if compute_sum(folder / name) != wanted[name]]
    faults = [
        f"{len(names)} files are {what}: {', '.join(names[:5])}{', ...' if names[5:] else ''}"
        for what, names in (("missing", missing), ("not what they were", altered))
        if names
    ]
    if not wanted:
        faults = [f"{SUMS} is empty"]
    if faults:
        raise BundleError(
            f"{folder} is not whole. {'. '.join(faults)}. Copy it again: rsync --archive "
            "--checksum sends only what is missing or differs"
        )


def parse(line: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="train.py", description=(__doc__ or "").split("\n\n")[2])
    parser.add_argument("--keep-at", help="folder or rsync target to which checkpoints are copied")
    parser.add_argument(
        "--python", type=Path, help="train with the packages of this interpreter, install nothing"
    )
    parser.add_argument("--gpus", type=int, help="GPUs to train on (default: all)")
    parser.add_argument("--cpu", action="store_true", help="train on the CPU")
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> None:
    """Set up, check, train."""
    arguments = parse(line)
    if sys.version_info < _OLDEST:
        this = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"Python 3.11 or newer is needed, {sys.executable} is {this}: python3.11 train.py")
    try:
        check_sums(HERE)
        python = prepare_python(arguments.python)
        cards = 0 if arguments.cpu else find_cards(python, arguments.gpus)
        status = train(python, cards, arguments.keep_at)
    except BundleError as error:
        sys.exit(str(error))
    if status:
        sys.exit(f"The training ended with status {status}, see above. The same command goes on.")
    trained = HERE / TRAINED
    unfinished = trained / f".{SUMS}.tmp"
    unfinished.write_text(format_sums(trained), "utf-8")
    os.replace(unfinished, trained / SUMS)
    say(f"Trained. Bring {trained} home, and there: make receive BUNDLE=FOLDER, with your CONFIG")


def prepare_python(given: Path | None) -> Path:
    """Return the interpreter that trains, with the packages it needs."""
    pins = HERE / "requirements.txt"
    if given is None:
        environment = HERE / ".venv"
        setup = [sys.executable, str(HERE / "envs/setup.py"), str(environment), str(pins)]
        if subprocess.run(setup).returncode:
            raise BundleError("The environment could not be set up, see above")
        return environment / "bin/python"
    try:
        checked = subprocess.run(
            [str(given), "-I", "-c", _CHECK, str(pins)], capture_output=True, text=True
        )
    except OSError as error:
        raise BundleError(f"--python {given}: {error.strerror}") from None
    say(checked.stdout.strip())
    if checked.returncode:
        raise BundleError(
            f"--python {given}: {checked.stderr.strip()}. Install what {pins} says, or leave "
            "--python out"
        )
    return given


def find_cards(python: Path, asked: int | None) -> int:
    """Return the number of GPUs to train on."""
    found = subprocess.run([str(python), "-c", _COUNT_CARDS], capture_output=True, text=True)
    if found.returncode:
        last = (found.stderr.strip().splitlines() or ["no message"])[-1]
        raise BundleError(f"torch does not start in {python}: {last}")
    cards = int(found.stdout.split()[-1])
    if cards == 0:
        raise BundleError(
            "torch sees no GPU here. See whether nvidia-smi does: its driver may be too old for "
            "the pinned torch. An image with its own torch: --python WITH_ITS_PYTHON. On the CPU "
            "a full-size model takes weeks: --cpu"
        )
    return min(asked, cards) if asked else cards


def train(python: Path, cards: int, keep_at: str | None) -> int:
    """Train, and show the log until it ends; return the exit status."""
    trained = HERE / TRAINED
    trained.mkdir(exist_ok=True)
    command = [str(python), "-m", "lib.training", "dataset", "base_model", "--output", TRAINED]
    command += ["--config", "training.yaml", "--gpus", str(cards)]
    text = (HERE / "sample.txt").read_text("utf-8").strip()
    command += [f"--text={text}"] if text else []
    command += [f"--keep-at={keep_at}"] if keep_at else []
    (trained / SUMS).unlink(missing_ok=True)
    # Whoever closes the terminal, or loses the connection, has not asked the training to stop.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log = trained / "train.log"
    with log.open("ab") as file:
        begin = file.tell()
        worker = subprocess.Popen(command, cwd=HERE, stdout=file, stderr=file)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.terminate())
        with log.open("rb") as reader:
            reader.seek(begin)
            ended = False
            while not ended:
                ended = worker.poll() is not None
                say(reader.read().decode("utf-8", "replace"), end="")
                time.sleep(0.5)
    return worker.returncode


def say(text: str, end: str = "\n") -> None:
    """Write to the terminal, as long as there is one."""
    if text:
        try:
            sys.stdout.write(text + end)
            sys.stdout.flush()
        except OSError:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")


if __name__ == "__main__":
    main()
