"""What all rules share: the checked configuration, the corpus and the input functions.

Everything here runs at every start of Snakemake, before any job: what can be refused in seconds
is refused here, and nothing heavy is imported.
"""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from lib.audio.measurement import read_sidecar
from lib.audio.pool import convert_clip
from lib.audio.settings import AudioSettings
from lib.corpus import Columns, read_audio, read_corpus
from lib.dataset.settings import DatasetSettings
from lib.locking import LockedError, take_lock
from lib.provenance import code_digest
from lib.settings import complete_settings
from lib.speakers.overrides import read_overrides
from lib.text.script import check_script
from lib.training.hub import check_base_model, is_prepared, read_base_vocabulary

# For all jobs: threads that spin for long while they wait for each other make a training step four
# times as long as soon as anything else runs on the same cores; those that sleep at once make it
# 1.7 times as long when nothing does. So many rounds cost little either way.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def read_schema(name):
    """Read what a configuration file may hold."""
    path = Path(workflow.basedir, f"workflow/schemas/{name}.schema.yaml")
    return yaml.safe_load(path.read_text("utf-8"))


try:
    config.update(complete_settings(config, read_schema("config")))
    RESULTS = Path(config["output"])
    # They refuse values that fit their types but not each other.
    AUDIO, _ = AudioSettings(**config["audio"]), DatasetSettings(**config["dataset"])
    CORPUS = read_corpus(
        Path(config["source"]["path"]),
        Columns(**config["source"]["columns"]),
        cache=RESULTS / "source",
        record=RESULTS / "state/ids.json",
    )
    # Reads the record of speaker ids too: that it is whole should be known before the work.
    OVERRIDES = read_overrides(
        config["speakers"]["overrides"],
        read_schema("speakers"),
        {clip.id: clip.speaker for clip in CORPUS.clips.values()},
        RESULTS / "state/speakers.json",
    )
    if not is_prepared(RESULTS / "base_model", config["base_model"]["source"]):
        check_base_model(config["base_model"]["source"])
    check_script(
        (clip.text for clip in CORPUS.clips.values()),
        read_base_vocabulary(config["base_model"]["source"]),
        config["text"]["max_unknown_share"],
        config["base_model"]["source"],
        config["text"]["han_to_pinyin"],
    )
except ValueError as error:
    raise WorkflowError(str(error))

if CORPUS.problems:
    logger.warning(
        f"{len(CORPUS.problems)} rows of {config['source']['path']} are not usable; they will be "
        f"listed in {RESULTS / 'rejected.tsv'}. The first: {CORPUS.problems[0].origin}: "
        f"{CORPUS.problems[0].detail}"
    )

if CORPUS.notes:
    shown = "\n".join(f"  {note.origin}: {note.detail}" for note in CORPUS.notes[:5])
    more = f"\n  and {len(CORPUS.notes) - 5} more" if len(CORPUS.notes) > 5 else ""
    logger.warning(f"Notes on {config['source']['path']}:\n{shown}{more}")


# Held while the workflow computes, not in a dry run: profiles turn Snakemake's own lock off.
onstart:
    workflow.run_lock = take_run_lock()


wildcard_constraints:
    clip=r"[A-Za-z0-9_][A-Za-z0-9._-]*",
    shard=r"\d+",


def take_run_lock():
    """Refuse a second run over the same results, or one beside a training that was left alive."""
    try:
        take_lock(RESULTS / "state/training.lock", "training").close()
        return take_lock(RESULTS / "state/run.lock", "running the workflow")
    except LockedError as error:
        raise WorkflowError(str(error))


def shard_of(clip):
    """Shard of a clip: its id alone decides, so that adding audio moves nothing."""
    digest = hashlib.blake2b(clip.encode(), digest_size=8).digest()
    return f"{int.from_bytes(digest) % config['speakers']['shards']:03d}"


SHARDS = {}
for clip in CORPUS.clips:
    SHARDS.setdefault(shard_of(clip), []).append(clip)


def find_clip(wildcards):
    """The clip of a job; asking for one that the source does not have says so."""
    if wildcards.clip not in CORPUS.clips:
        raise WorkflowError(f"{config['source']['path']} has no clip '{wildcards.clip}'")
    return CORPUS.clips[wildcards.clip]


def convert(clip, output, log):
    """Convert one clip; called in the main process, which knows the corpus."""
    audio = read_audio(CORPUS.clips[clip])
    convert_clip(clip, audio, Path(output.wav), Path(output.sidecar), AUDIO)
    Path(log).write_text(read_sidecar(Path(output.sidecar)).describe(), "utf-8")


def list_wavs(wildcards):
    """Converted clips of one shard."""
    return [f"<results>/clips/{clip}.wav" for clip in SHARDS[wildcards.shard]]


def list_all_wavs(wildcards):
    """Converted clips."""
    return [f"<results>/clips/{clip}.wav" for clip in CORPUS.clips]


def list_sidecars(wildcards):
    """Measurements of all clips."""
    return [f"<results>/clips/{clip}.json" for clip in CORPUS.clips]


def list_shards(wildcards):
    """Voice vectors of all clips."""
    return [f"<results>/embeddings/{shard}.parquet" for shard in sorted(SHARDS)]
