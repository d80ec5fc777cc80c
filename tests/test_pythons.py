"""The library runs on the first releases of Python 3.11 too: Debian 12 has 3.11.2."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SYSTEM = Path("/usr/bin/python3.11")
PROGRAM = """
import importlib, pathlib, sys
from lib.numba_cache import use_private_cache
use_private_cache(pathlib.Path(sys.argv[1]))
for path in sorted(pathlib.Path("lib").rglob("*.py")):
    if path.name not in ("__main__.py", "__init__.py", "triton_search.py"):
        importlib.import_module(".".join(path.with_suffix("").parts))
import librosa, numpy
librosa.feature.rms(y=numpy.zeros(4000))
print(sys.version_info.micro)
"""


@pytest.mark.slow
@pytest.mark.skipif(not SYSTEM.exists(), reason=f"there is no {SYSTEM}")
def test_every_module_loads_with_the_system_s_python(tmp_path):
    """Twice, as the second finds what the first has compiled."""
    subprocess.run([SYSTEM, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (packages,) = tmp_path.glob("venv/lib/*/site-packages")
    (packages / "below.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for _ in range(2):
        done = subprocess.run(
            [tmp_path / "venv/bin/python", "-c", PROGRAM, tmp_path / "cache.zip"],
            cwd=ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "cache.zip").is_file()
