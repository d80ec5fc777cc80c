"""Every rule runs as a job of a cluster: here one whose machines are all this one."""

import subprocess
import sys

import pytest
import yaml

from .conftest import FIRST, ROOT, add_clips, environment, find_names, note_starts

# Prints the number of the job, as a batch system does, and runs it.
SUBMIT = """#!/bin/sh
for job; do :; done
echo "$*" >> submitted.txt
sh "$job" >> jobs.log 2>&1 &
echo $!
"""
REMOTE = {"convert_audio", "embed_speakers", "hear_clips", "cluster_speakers", "build_dataset"}


@pytest.fixture
def cluster(empty_project):
    """A project whose jobs are handed to a program that starts them."""
    add_clips(empty_project, find_names(FIRST[:12]))
    (empty_project.folder / "submit.sh").write_text(SUBMIT)
    return empty_project


def submit(project, *targets: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml"]
    command += ["--workflow-profile", "profiles/cluster", "--jobs", "2", "--latency-wait", "5"]
    command += ["--executor", "cluster-generic", "--seconds-between-status-checks", "1"]
    command += ["--cluster-generic-submit-cmd", "sh submit.sh", "--resources", "gpu=0"]
    done = subprocess.run(
        [*command, "--", *targets],
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
    )
    jobs = project.folder / "jobs.log"
    said = jobs.read_text()[-6000:] if jobs.exists() else ""
    assert done.returncode == 0, done.stdout[-4000:] + said
    return done.stdout


@pytest.mark.slow
def test_a_cluster_goes_from_clips_through_a_short_training(cluster):
    starts = note_starts(cluster)
    output = cluster.log(submit(cluster, "results/training.json"))
    training = output[output.index("rule train_model:") :].split("\n\n")[0]
    assert "threads: 4" in training and "gpu=0" in training
    submitted = (cluster.folder / "submitted.txt").read_text().splitlines()
    # 12 conversions in one job, two shards, then one job a rule.
    assert len(submitted) == 8
    local = ("fetch_base_model", "plan_text", "collect_measurements", "name_speakers")
    assert not any(rule in line for rule in local for line in submitted)
    # And one Snakemake a job: the 12 conversions are done by the one that was started for them.
    assert sum("--mode" in command for command in starts.read_text().splitlines()) == 8
    assert len(cluster.table("manifest.tsv")) == 12
    assert (cluster.results / "checkpoints").is_dir()
    # What was made there is known here.
    assert cluster.run("--dry-run", "results/training.json").nothing_to_do


def test_a_start_with_jobs_and_no_cores_plans_a_training_on_a_gpu(cluster):
    profile = cluster.folder / "profiles/ci/config.yaml"
    settings = yaml.safe_load(profile.read_text())
    del settings["cores"], settings["resources"]
    profile.write_text(yaml.safe_dump(settings))
    command = [*cluster.command("--dry-run"), "--jobs", "3", "--executor", "cluster-generic"]
    command += ["--cluster-generic-submit-cmd", "false"]
    done = subprocess.run(
        command, cwd=cluster.folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    training = done.stdout[done.stdout.index("rule train_model:") :].split("\n\n")[0]
    assert "gpu=1" in training


def test_a_job_on_another_machine_reads_no_source_and_asks_no_hub(cluster):
    cluster.run("results/measurements.tsv")
    (cluster.folder / "data/metadata.csv").write_text("no table any more")
    cluster.configure(base_model={"source": "facebook/mms-tts-eng"})
    arguments = ("--mode", "remote", "--force", "--cores", "1", "results/measurements.tsv")
    outcome = cluster.run("--allowed-rules", "collect_measurements", *arguments)
    assert "rule collect_measurements" in outcome.output


def test_every_rule_says_how_long_it_may_take():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = text.split("\nrule ")[1:]
    for rule in rules:
        assert "runtime=estimate(" in rule and "mem_mb=estimate(" in rule, rule.split(":")[0]
    local = {rule.split(":")[0] for rule in rules if "localrule: True" in rule}
    assert {"fetch_base_model", "plan_text", "collect_measurements", "write_report"} <= local
    assert not local & {*REMOTE, "train_model"}
    profile = yaml.safe_load((ROOT / "profiles/cluster/config.yaml").read_text("utf-8"))
    assert profile["group-components"] == {"convert_audio": 200}
