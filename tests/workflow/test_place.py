"""The project may lie in a folder of any name."""

import re
import subprocess
import sys
import sysconfig

import pytest

from .conftest import FIRST, add_clips, environment, find_names, make_project


@pytest.mark.parametrize("name", ["it's my [new] voice", 'a "b" $HOME; & (c)', "ọ̀ ü 声"])
def test_scripts_start_in_a_folder_of_any_name(tmp_path, name):
    project = make_project(tmp_path / name)
    add_clips(project, find_names(FIRST[:3]))
    # An environment within the folder, as `make setup` makes it; packages are those of the tests.
    venv = project.folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
    arguments = project.command("results/measurements.tsv")[1:]
    done = subprocess.run(
        [venv / "bin/python", *arguments],
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"^\[.+\] collect_measurements: ", done.stdout, re.MULTILINE)
    assert len(project.table("measurements.tsv")) == 3
