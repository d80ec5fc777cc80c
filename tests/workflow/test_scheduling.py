"""What a clip costs does not grow with the number of clips, and a run can always be ended."""

import json

import numpy as np
import pytest
import soundfile

PROBE = """

from snakemake.dag import DAG
from snakemake.scheduling.job_scheduler import JobScheduler

seen = {"ready": [], "times": 0, "signatures": 0, "pipes": 0, "again": 0}
needrun_jobs, open_jobs = DAG.needrun_jobs, JobScheduler.open_jobs.fget


def count_times(self, *arguments, **options):
    seen["times"] += 1
    return needrun_jobs(self, *arguments, **options)


def note_ready(self):
    jobs = open_jobs(self)
    seen["ready"].append(len(jobs))
    return jobs


def count_signatures(function):
    seen["signatures"] += 1
    return plain(function)


def count_pipes(job, path):
    seen["pipes"] += 1
    return search_pipe(job, path)


def count_again(scheduler, seconds):
    seen["again"] += 1
    return again(scheduler, seconds)


again, look_again = look_again, count_again
search_pipe, find_pipe = find_pipe, count_pipes
plain, inspect_parameters = inspect_parameters, count_signatures
DAG.needrun_jobs, JobScheduler.open_jobs = count_times, property(note_ready)


onsuccess:
    Path("seen.json").write_text(json.dumps(seen))
"""

PIPE = """

rule say:
    output:
        pipe("said.txt"),
    shell:
        "echo hello > {output}"


rule hear:
    input:
        "said.txt",
    output:
        "heard.txt",
    shell:
        "cat {input} > {output}"
"""

TERMINATED_AT_THE_THIRD_CHOICE = """

import signal

choose = JobScheduler.update_available_resources


def choose_and_terminate(self, chosen):
    choose(self, chosen)
    choices.append(chosen)
    if len(choices) == 3:
        os.kill(os.getpid(), signal.SIGTERM)


choices = []
JobScheduler.update_available_resources = choose_and_terminate
"""


@pytest.fixture
def project(empty_project):
    """More clips than the scheduler looks at, and a workflow that tells what it looked at."""
    random = np.random.default_rng(0)
    rows = {}
    for number in range(150):
        noise = random.normal(0, 0.05, 9600)
        soundfile.write(empty_project.folder / f"data/c{number:03d}.wav", noise, 16_000)
        rows[f"c{number:03d}.wav"] = f"words {number}"
    empty_project.write_source(rows)
    with (empty_project.folder / "Snakefile").open("a") as snakefile:
        snakefile.write(f"import json\n{PROBE}")
    return empty_project


def test_when_a_job_ends_the_scheduler_looks_at_some_of_the_others(project):
    assert project.run("results/measurements.tsv", "--dry-run").jobs["convert_audio"] == 150
    done = project.run("results/measurements.tsv")
    assert done.jobs == {"convert_audio": 150, "collect_measurements": 1}
    seen = json.loads((project.folder / "seen.json").read_text())
    assert len(seen["ready"]) > 75, "of two cores each takes a clip at a time"
    assert max(seen["ready"]) == 64
    assert seen["times"] < 25, "all are gone through in the plan and at the end alone"
    assert 5 < seen["signatures"] < 100, "a function's parameters are looked up once"
    assert seen["pipes"] == 0, "no rule has one"
    assert seen["again"] == 0, "the end of a job is what makes it look"
    assert len(project.table("measurements.tsv")) == 150


def test_a_bound_on_the_rate_of_starts_is_waited_for(project):
    names = sorted(project.source())[:8]
    project.write_source({name: f"words {name}" for name in names})
    project.run("results/measurements.tsv", "--max-jobs-per-timespan", "2/2s")
    assert json.loads((project.folder / "seen.json").read_text())["again"] >= 3
    assert len(project.table("measurements.tsv")) == 8


def test_a_scheduler_that_asks_for_all_that_remains_gets_it(project):
    done = project.run("results/measurements.tsv", "--scheduler", "ilp")
    assert done.jobs == {"convert_audio": 150, "collect_measurements": 1}
    assert json.loads((project.folder / "seen.json").read_text())["times"] > 75


def test_a_pipe_of_the_user_s_own_rules_is_found(project):
    with (project.folder / "Snakefile").open("a") as snakefile:
        snakefile.write(PIPE)
    project.run("heard.txt")
    assert (project.folder / "heard.txt").read_text() == "hello\n"
    assert json.loads((project.folder / "seen.json").read_text())["pipes"] == 1


def test_a_termination_while_jobs_are_chosen_ends_the_run(project):
    """The signal comes in the thread that has the scheduler's lock, as it may."""
    with (project.folder / "Snakefile").open("a") as snakefile:
        snakefile.write(TERMINATED_AT_THE_THIRD_CHOICE)
    stopped = project.run("results/measurements.tsv", check=False)
    assert stopped.returncode == 1
    assert "Will exit after finishing currently running jobs" in project.log(stopped.output)
    assert 1 <= stopped.jobs["convert_audio"] < 10
    assert "measurements" not in " ".join(stopped.jobs)
