"""Jobs that compile the same functions at the same time do not harm each other."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MODULE = """
import numba

@numba.guvectorize(["void(float64[:], float64[:])"], "(n)->(n)", cache=True, nopython=True)
def double(x, y):
    for i in range(x.shape[0]):
        y[i] = x[i] * 2
"""

# Names of compiled functions count what a process compiled before: `count` makes them differ.
PROGRAM = """
import sys
from pathlib import Path
folder, count, archive = sys.argv[1:]
sys.path.insert(0, folder)
if archive:
    from lib.numba_cache import use_private_cache
    use_private_cache(Path(archive))
import numba
for number in range(int(count)):
    numba.njit("i8(i8)")(lambda x: x + 1)
import compiled, numpy
assert compiled.double(numpy.arange(3.0)).tolist() == [0, 2, 4]
"""


@pytest.fixture
def module(tmp_path) -> Path:
    """Folder of a module whose functions numba keeps on disk."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "compiled.py").write_text(MODULE)
    return folder


def start(module: Path, count: int, archive: Path | str = "", cache: Path | None = None):
    env = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    if cache is not None:
        env["NUMBA_CACHE_DIR"] = str(cache)
    arguments = [str(module), str(count), str(archive)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, env=env)


def test_files_of_two_processes_in_one_cache_end_in_a_segmentation_fault(module, tmp_path):
    """The cause: where numba gets over it, `lib.numba_cache` is no longer needed."""
    for name, count in (("one", 0), ("other", 3)):
        assert start(module, count, cache=tmp_path / name).wait() == 0
    for wrapper in (tmp_path / "other").rglob("guf-*"):
        shutil.copy(wrapper, tmp_path / "one" / wrapper.parent.name)
    assert start(module, 0, cache=tmp_path / "one").wait() < 0


def test_many_processes_at_once_from_an_empty_cache(module, tmp_path):
    for round_ in range(4):
        archive = tmp_path / f"round{round_}.zip"
        running = [start(module, count, archive) for count in range(4)]
        assert [process.wait() for process in running] == [0] * 4
        assert start(module, 0, archive).wait() == 0
    assert not list(module.rglob("*.nb?"))


def test_what_one_process_compiled_the_next_one_loads(module, tmp_path):
    archive = tmp_path / "cache.zip"
    assert start(module, 0, archive).wait() == 0
    first = archive.read_bytes()
    names = [Path(name).suffix for name in zipfile.ZipFile(archive).namelist()]
    assert {".nbi", ".nbc"} <= set(names)
    assert start(module, 2, archive).wait() == 0
    assert archive.read_bytes() == first, "it was compiled again"


@pytest.mark.parametrize("content", [b"", b"no archive" * 200])
def test_a_damaged_archive_is_made_anew(module, tmp_path, content):
    archive = tmp_path / "cache.zip"
    archive.write_bytes(content)
    assert start(module, 0, archive).wait() == 0
    assert zipfile.ZipFile(archive).namelist()


def test_no_flipped_byte_of_the_archive_is_an_error(tmp_path):
    from lib import numba_cache

    archive = tmp_path / "cache.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("entry", b"compiled")
    whole, outcomes = archive.read_bytes(), set()
    for place in range(len(whole)):
        for mask in (1, 8, 255):
            damaged = bytearray(whole)
            damaged[place] ^= mask
            archive.write_bytes(damaged)
            folder = tmp_path / f"{place}-{mask}"
            folder.mkdir()
            numba_cache._unpack(archive, folder)
            outcomes.add(folder.is_dir() and sum(1 for _ in folder.iterdir()))
    assert outcomes == {0, 1}


def test_a_place_that_cannot_be_written_is_no_fault(module, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert start(module, 0, tmp_path / "file/cache.zip").wait() == 0


def test_an_archive_that_has_grown_too_large_is_begun_anew(tmp_path, monkeypatch):
    from lib import numba_cache

    (tmp_path / "old").mkdir()
    (tmp_path / "old/entry").write_bytes(b"x" * 1000)
    with zipfile.ZipFile(tmp_path / "cache.zip", "w") as packed:
        packed.write(tmp_path / "old/entry", "entry")
    (tmp_path / "new").mkdir()
    numba_cache._unpack(tmp_path / "cache.zip", tmp_path / "new")
    assert (tmp_path / "new/entry").is_file()
    monkeypatch.setattr(numba_cache, "MAX_SIZE", 1000)
    (tmp_path / "empty").mkdir()
    numba_cache._unpack(tmp_path / "cache.zip", tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())


def test_a_job_uses_a_cache_of_its_own(tmp_path):
    program = (
        "import os, sys; from lib.logs import start_log; start_log(sys.argv[1]);"
        "print(os.environ['NUMBA_CACHE_DIR'])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "job.log")]
    done = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True) for _ in range(2)]
    folders = {one.stdout.strip() for one in done}
    assert len(folders) == 2 and "" not in folders
    assert not any(Path(folder).exists() for folder in folders)


def test_no_job_compiles_before_it_has_its_own_cache():
    """Scripts import the library first; numba must not have been used by then."""
    modules = sorted(
        {
            line.split()[1]
            for script in (ROOT / "workflow/scripts").glob("*.py")
            for line in script.read_text("utf-8").splitlines()
            if line.startswith("from lib.")
        }
    )
    program = (
        f"import sys, importlib\nfor name in {modules}: importlib.import_module(name)\n"
        "used = {'librosa.util.utils', 'lib.vits.alignment.numba_search', 'resemblyzer.audio'}\n"
        "print(sorted(used & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
