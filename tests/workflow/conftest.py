"""A project of its own for every test: the workflow, a small source and one finished run."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "resources/demo/corpus"
PARTS = ("lib", "workflow", "config", "profiles", "envs", "resources/demo")

# Quick, and yet every stage is the real one.
CONFIG = {
    "output": "results",
    "source": {"path": "data", "language": "eng"},
    "speakers": {"shards": 2},
    "base_model": {"source": "tiny"},
    "training": {
        "epochs": 2,
        "learning_rate": 1e-3,
        "effective_batch_size": 8,
        "segment_frames": 8,
        "discriminator_channels": 1,
        "discriminator_warmup_steps": 1,
        "ema_decay": 0.5,
        "checkpoint_every": 1,
        "continue_epochs": 1,
    },
    "evaluation": {"clips": 0, "transcripts": False},
    "samples": {"texts": ["hello there"]},
}


@dataclass
class Outcome:
    """What one start of Snakemake did."""

    returncode: int
    output: str
    jobs: Counter
    """Finished jobs by rule; in a dry run, pending ones."""

    @property
    def nothing_to_do(self) -> bool:
        return "Nothing to be done" in self.output


@dataclass
class Project:
    """A folder with the workflow's files, a source in data/ and a configuration."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def command(self, *arguments: str) -> list[str]:
        snakemake = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml"]
        return [*snakemake, "--workflow-profile", "profiles/ci", *arguments]

    def run(self, *arguments: str, check: bool = True) -> Outcome:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
        )
        if "--dry-run" in arguments:
            table = re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)
            jobs = Counter({rule: int(n) for rule, n in table if rule != "total"})
        else:
            jobs = Counter(
                re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", self.log(done.stdout))
            )
        for target in ("all", "dataset", "speaker_review"):
            jobs.pop(target, None)
        if check:
            assert done.returncode == 0, done.stdout[-6000:]
        return Outcome(done.returncode, done.stdout, jobs)

    def log(self, output: str) -> str:
        """Return the log file that a run names: it tells of every job, the terminal does not."""
        named = re.search(r"^Complete log\(s\): (.+)$", output, re.MULTILINE)
        return Path(named[1]).read_text("utf-8") if named else ""

    def configure(self, **changes) -> None:
        """Change keys of the configuration, section by section."""
        path = self.folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            if isinstance(value, dict):
                config.setdefault(key, {}).update(value)
            else:
                config[key] = value
        path.write_text(yaml.safe_dump(config))

    def write_source(self, rows: dict[str, str]) -> None:
        """Write data/metadata.csv: text by file name."""
        with (self.folder / "data/metadata.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file_name", "text"])
            writer.writerows(rows.items())

    def source(self) -> dict[str, str]:
        with (self.folder / "data/metadata.csv").open(newline="", encoding="utf-8") as file:
            return {row["file_name"]: row["text"] for row in csv.DictReader(file)}

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.results / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

    def column(self, name: str, key: str, value: str) -> dict[str, str]:
        return {row[key]: row[value] for row in self.table(name)}

    def copy(self, folder: Path) -> "Project":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)


def environment() -> dict[str, str]:
    """No network, one thread a job, and no progress from the tests' own process."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    return {**kept, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def demo_rows() -> dict[str, str]:
    with (DEMO / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return {row["file_name"]: row["text"] for row in csv.DictReader(file)}


def add_clips(project: Project, names: list[str]) -> None:
    """Add clips of the demo corpus to the source."""
    rows = demo_rows()
    for name in names:
        shutil.copy(DEMO / name, project.folder / "data" / name)
    known = project.source() if (project.folder / "data/metadata.csv").exists() else {}
    project.write_source({**known, **{name: rows[name] for name in names}})


def make_project(folder: Path) -> Project:
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Snakefile", folder)
    for part in PARTS:
        ignore = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
        if part != "resources/demo":
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "data").mkdir()
    return Project(folder)


def note_starts(project: Project) -> Path:
    """Let every Snakemake that reads the Snakefile add its command to the file that is returned."""
    starts = project.folder / "starts.txt"
    with (project.folder / "Snakefile").open("a") as snakefile:
        snakefile.write(f"\n\nwith open({str(starts)!r}, 'a') as starts:\n")
        snakefile.write("    starts.write(' '.join(sys.argv) + '\\n')\n")
    return starts


@pytest.fixture
def empty_project(tmp_path) -> Project:
    """The workflow's files and an empty data/."""
    return make_project(tmp_path / "project")


FIRST = [f"demo_{i:03d}" for i in range(1, 25)]


def find_names(stems: list[str]) -> list[str]:
    return [name for name in demo_rows() if Path(name).stem in stems]


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """24 clips of four voices, run up to the dataset."""
    project = make_project(tmp_path_factory.mktemp("finished") / "project")
    add_clips(project, find_names(FIRST))
    outcome = project.run("dataset")
    assert outcome.jobs == {
        "fetch_base_model": 1,
        "plan_text": 1,
        "convert_audio": 24,
        "collect_measurements": 1,
        "embed_speakers": 2,
        "hear_clips": 1,
        "cluster_speakers": 1,
        "build_dataset": 1,
    }
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project."""
    return finished.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def trained(finished, tmp_path_factory) -> Project:
    """The finished project, run to the end."""
    project = finished.copy(tmp_path_factory.mktemp("trained") / "project")
    project.run()
    return project
