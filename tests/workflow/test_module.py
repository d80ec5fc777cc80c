"""Another workflow takes this one as a module, as `snakedeploy deploy-workflow` sets it up."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from .conftest import Outcome, Project, add_clips, find_names, make_project

CLIPS = find_names(["demo_001", "demo_002", "demo_003"])
RULE = "use rule * from voice"


def deploy(folder: Path, rules: str = RULE) -> Project:
    """Copy configuration and profiles, and write a Snakefile; the workflow stays in its clone."""
    clone = make_project(folder / "clone")
    deployed = Project(folder / "deployed")
    for name in ("config", "profiles"):
        shutil.copytree(clone.folder / name, deployed.folder / name)
    (deployed.folder / "workflow").mkdir()
    (deployed.folder / "workflow/Snakefile").write_text(
        "from snakemake.utils import min_version\n\n"
        'min_version("6.10.0")\n\n\n'
        'configfile: "config/config.yaml"\n\n\n'
        "module voice:\n"
        f"    snakefile:\n        {str(clone.folder / 'workflow/Snakefile')!r}\n"
        "    config:\n        config\n\n\n"
        f"{rules}\n"
    )
    shutil.copy(clone.folder / "config.yaml", deployed.folder / "config.yaml")
    (deployed.folder / "data").mkdir()
    add_clips(deployed, CLIPS)
    return deployed


def test_a_dry_run_has_the_jobs_of_the_workflow_itself(tmp_path):
    deployed = deploy(tmp_path)
    jobs = deployed.run("--dry-run").jobs
    assert jobs.pop("voice") == 1
    itself = make_project(tmp_path / "itself")
    add_clips(itself, CLIPS)
    assert jobs == itself.run("--dry-run").jobs


def test_rules_may_get_other_names(tmp_path):
    jobs = deploy(tmp_path, f"{RULE} as spoken_*").run("--dry-run").jobs
    assert jobs["spoken_convert_audio"] == 3 and jobs["spoken_train_model"] == 1


def test_it_runs_records_ids_and_holds_the_lock(tmp_path):
    deployed = deploy(tmp_path)
    targets = ("results/measurements.tsv", "results/text")
    deployed.run(*targets)
    recorded = json.loads((deployed.results / "state/ids.json").read_text())
    assert len(recorded["clips"]) == 3
    assert len(deployed.table("measurements.tsv")) == 3
    assert deployed.run("--dry-run", *targets).nothing_to_do
    add_clips(deployed, find_names(["demo_004"]))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, deployed.results / "state/run.lock"],
        cwd=tmp_path / "clone",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    holder.stdout.readline()
    refused = deployed.run(*targets, check=False)
    holder.communicate("\n")
    assert refused.returncode != 0 and "is running the workflow here already" in refused.output


HOLD = """
import sys
from pathlib import Path
from lib.locking import take_lock
with take_lock(Path(sys.argv[1]), "running the workflow"):
    print("held", flush=True)
    input()
"""


def test_rules_that_come_without_the_library_are_refused_with_what_to_do(tmp_path, monkeypatch):
    """Snakemake takes single files out of a bare clone in its cache; this one needs no network."""
    deployed = deploy(tmp_path)
    clone = tmp_path / "clone"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for line in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["tag", "v1"]):
        subprocess.run([*git, *line], cwd=clone, check=True)
    cache = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com"
    subprocess.run(["git", "clone", "-q", "--bare", clone, cache / "owner/voice"], check=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    snakefile = deployed.folder / "workflow/Snakefile"
    place = repr(str(clone / "workflow/Snakefile"))
    hosted = 'github("owner/voice", path="workflow/Snakefile", tag="v1")'
    snakefile.write_text(snakefile.read_text().replace(place, hosted))
    outcome = deployed.run("--dry-run", check=False)
    assert outcome.returncode != 0
    assert "owner/voice: Snakemake fetches rules from there, but not the library" in outcome.output
    assert "give the module the path of workflow/Snakefile in the clone" in outcome.output


def test_the_workflow_may_be_started_by_the_other_snakefile(tmp_path):
    project = make_project(tmp_path / "project")
    add_clips(project, CLIPS)
    outcome: Outcome = project.run("--snakefile", "workflow/Snakefile", "--dry-run")
    assert outcome.jobs["convert_audio"] == 3 and outcome.jobs["voice"] == 1
