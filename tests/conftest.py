"""Fixtures that every test may use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported anywhere: threads that spin while they wait would slow down whatever
# else runs on the same cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes test side by side: each computes on one core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from lib.numba_cache import use_private_cache  # noqa: E402

# Also for the programs that tests start: nothing is compiled into the environment.
use_private_cache()

ROOT = Path(__file__).resolve().parent.parent


# How long a case takes depends on what else runs on the same cores.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# Tests that take long: they begin, so that processes side by side end together.
LONG = ("tests/tools/test_kill.py", "tests/workflow", "tests/training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take long before the others."""

    def rank(item: pytest.Item) -> int:
        rooms = [number for number, room in enumerate(LONG) if item.nodeid.startswith(room)]
        return rooms[0] if rooms else len(LONG)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def real_speech() -> Path:
    """Folder of recorded speech with truth.csv; it is not part of the project."""
    folder = Path(os.environ.get("VOICE_SPEECH_DIR", ROOT.parent / "shared/data/speech"))
    if not (folder / "truth.csv").is_file():
        pytest.skip(f"no recorded speech at {folder}: set VOICE_SPEECH_DIR to a copy")
    return folder


@pytest.fixture(autouse=True)
def _denormal_numbers() -> Iterator[None]:
    """Undo what a training sets for its whole process: hypothesis refuses to draw floats then."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def pytest_terminal_summary(terminalreporter) -> None:
    """End with every test that was skipped, and why: silence would look like success."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.section(f"{len(skipped)} skipped")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"{report.nodeid}: {str(reason).removeprefix('Skipped: ')}")
