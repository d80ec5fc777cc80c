"""Two runs at once, and a disk that is full: refused, told, and nothing is lost."""

import subprocess

from tests.security.test_full_disk import FULL, mount

from .conftest import add_clips, environment, find_names
from .test_incremental import NEW, dataset_rows


def test_of_two_that_start_at_the_same_time_one_works_and_the_other_is_refused(project):
    add_clips(project, NEW)
    runs = [
        subprocess.Popen(
            project.command("dataset"),
            cwd=project.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    told = {run.pid: run.communicate(timeout=400)[0] for run in runs}
    worked = [run for run in runs if run.returncode == 0]
    refused = [run for run in runs if run.returncode != 0]
    assert len(worked) == len(refused) == 1, told
    said = told[refused[0].pid]
    assert f"process {worked[0].pid} is running the workflow here already" in said
    assert f"wait until it has finished or stop it (kill {worked[0].pid})" in said
    assert set(dataset_rows(project)) >= {name.rpartition(".")[0] for name in NEW}
    assert project.run("--dry-run", "dataset").nothing_to_do


def test_a_run_on_a_disk_that_fills_says_so_and_goes_on_with_more_space(
    empty_project, finished, tmp_path
):
    add_clips(empty_project, find_names([f"demo_{number:03d}" for number in range(1, 25)]))
    with mount(tmp_path / "disk", 2**20) as disk:
        empty_project.configure(output=str(disk / "results"))
        outcome = empty_project.run("dataset", check=False)
        assert outcome.returncode != 0 and FULL in outcome.output
        results = disk / "results"
        whole = list((results / "clips").glob("*.json"))
        assert whole and not (results / "rejected.tsv").exists()
        done = [path for path in whole if path.with_suffix(".wav").exists()]
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        outcome = empty_project.run("dataset")
        assert outcome.jobs["convert_audio"] <= 24 - len(done) + 4
        for name in ("manifest.tsv", "rejected.tsv", "speakers/assignments.tsv"):
            assert (results / name).read_bytes() == (finished.results / name).read_bytes()
