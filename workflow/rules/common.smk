"""What all rules share: the checked configuration, the corpus and the input functions.

Everything here runs at every start of Snakemake, before any job: what can be refused in seconds
is refused here, and nothing heavy is imported. A job of its own process, on a cluster on another
machine, starts Snakemake too: it reads the index that the main process wrote, and asks nobody.
"""

import hashlib
import importlib.util
import math
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod, SharedFSUsage

from lib.audio.measurement import read_sidecar
from lib.audio.pool import convert_clip
from lib.config.audio import AudioSettings
from lib.corpus import Columns, Corpus, load_corpus, read_audio, read_corpus, save_corpus
from lib.config.dataset import DatasetSettings
from lib.files import remove_temporaries, total_size
from lib.locking import LockedError, take_lock
from lib.progress import ProgressFilter, ShorteningFormatter
from lib.preference.vote_file import find_votes_file, read_votes
from lib.provenance import code_digest
from lib.config.validate import complete_settings, parse_texts
from lib.speakers.campplus import check_campplus
from lib.speakers.overrides_file import check_overrides, read_overrides
from lib.synthesis.text_table import check_text_table
from lib.text.script import check_script
from lib.base_model.hub import (
    check_base_model,
    check_sample_rate,
    is_fetched,
    read_base_vocabulary,
    spoken_language,
)

# For all jobs: threads that spin for long while they wait for each other make a training step four
# times as long as soon as anything else runs on the same cores; those that sleep at once make it
# 1.7 times as long when nothing does. So many rounds cost little either way.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


class ShellQuoted(str):
    """A path that is quoted wherever it is formatted, as in the shell line of a `script:` job.

    Snakemake leaves the interpreter there as it is: in a folder with a space, an apostrophe or
    brackets no script would start.
    """

    def __format__(self, specification):
        return shlex.quote(str(self))


sys.executable = ShellQuoted(sys.executable)


include: "scheduling.smk"


def read_schema(name):
    """Read what a configuration file may hold."""
    path = workflow.source_path(f"../schemas/{name}.schema.yaml")
    # libyaml's reader takes a tenth of the time, of every start, but a build may lack it.
    reader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(Path(path).read_text("utf-8"), reader)


def read_source():
    """Read the user's source."""
    columns = Columns(**config["source"]["columns"])
    path, record = Path(config["source"]["path"]), RESULTS / "state/ids.json"
    return read_corpus(path, columns, cache=RESULTS / "source", record=record)


# Of the input and output of jobs: then the machines that compute have what is sent to them alone.
NOTHING_SHARED = SharedFSUsage.INPUT_OUTPUT not in workflow.storage_settings.shared_fs_usage


def read_index():
    """Read the index of the source; a training needs none, and where no disk is shared has none."""
    index = RESULTS / "source"
    return Corpus({}, []) if NOTHING_SHARED and not index.exists() else load_corpus(index)


def check_base():
    """Refuse a base model that cannot be had, or that the clips or transcripts do not fit."""
    if not is_fetched(RESULTS / "fetched_base", config["base_model"]["source"]):
        check_base_model(config["base_model"]["source"])
    check_sample_rate(config["base_model"]["source"], AUDIO.sample_rate)
    check_script(
        (clip.text for clip in CORPUS.clips.values()),
        read_base_vocabulary(config["base_model"]["source"]),
        config["text"]["max_unknown_share"],
        config["base_model"]["source"],
        config["text"]["han_to_pinyin"],
    )


def check_encoder():
    """Refuse a speaker encoder that is not installed here, unless conda installs it for the jobs."""
    by_conda = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    if (HAS_OPINION or CLUSTERING["encoder"] == "campplus") and not by_conda:
        check_campplus()


def check_quality_score():
    """Refuse a measurement whose package is not installed here."""
    if config["evaluation"]["naturalness"] and importlib.util.find_spec("distillmos") is None:
        raise ValueError(
            "evaluation.naturalness: distillmos is not installed; run make setup-quality, or set the "
            "key to false"
        )


# Sections of the user's overrides that name speakers and settle doubts: they move no clip.
SETTLING = ("names", "apart", "together")

try:
    SCHEMA = read_schema("config")
    config.update(parse_texts(config, workflow.config_settings.config, SCHEMA))
    config.update(complete_settings(config, SCHEMA))
    RESULTS = Path(config["output"])
    # They refuse values that fit their types but not each other.
    AUDIO, _ = AudioSettings(**config["audio"]), DatasetSettings(**config["dataset"])
    CORPUS = read_source() if workflow.is_main_process else read_index()
    OVERRIDES = read_overrides(config["speakers"]["overrides"], read_schema("speakers"))
    # Reads the record of speaker ids too: that it is whole should be known before the work.
    check_overrides(
        OVERRIDES,
        {clip.id: clip.speaker for clip in CORPUS.clips.values()},
        RESULTS / "state/speakers.json",
        config["speakers"]["overrides"],
    )
    # The keys of section `speakers` that decide who is who.
    CLUSTERING = {k: v for k, v in config["speakers"].items() if k not in ("shards", "overrides")}
    # CAM++ hears clips if resemblyzer clusters them, unless the source names all speakers.
    HAS_OPINION = (
        CLUSTERING["second_opinion"] is not None
        and CLUSTERING["encoder"] == "resemblyzer"
        and not all(clip.speaker for clip in CORPUS.clips.values())
    )
    VOTES = find_votes_file(config["export"]["votes"])
    if workflow.is_main_process:
        read_votes(VOTES)
        check_text_table(config["speech"]["texts"])
        check_base()
        check_encoder()
        check_quality_score()
except ValueError as error:
    raise WorkflowError(str(error))

if CORPUS.invalid_rows and workflow.is_main_process:
    logger.warning(
        f"{len(CORPUS.invalid_rows)} rows of {config['source']['path']} are not usable; they will be "
        f"listed in {RESULTS / 'rejected.tsv'}. The first: {CORPUS.invalid_rows[0].origin}: "
        f"{CORPUS.invalid_rows[0].detail}"
    )

if CORPUS.notes and workflow.is_main_process:
    shown = "\n".join(f"  {note.origin}: {note.detail}" for note in CORPUS.notes[:5])
    more = f"\n  and {len(CORPUS.notes) - 5} more" if len(CORPUS.notes) > 5 else ""
    logger.warning(f"Notes on {config['source']['path']}:\n{shown}{more}")


# The log file has every job. --verbose and --printshellcmds bring them back to the terminal.
if workflow.is_main_process and not (
    workflow.output_settings.verbose or workflow.output_settings.printshellcmds
):
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.addFilter(
                ProgressFilter(handler.stream, dry_run=workflow.output_settings.dryrun)
            )
            handler.setFormatter(ShorteningFormatter(handler.formatter))


def take_free_lock():
    """Take the lock of a run in earlier results; if another has it, say so, as reading may go on."""
    if not (RESULTS / "state").is_dir():
        return None
    try:
        return take_lock(RESULTS / "state/run.lock", "running the workflow")
    except LockedError as error:
        logger.warning(str(error))
    except OSError:
        pass  # said at the start of the run
    return None


# Profiles turn Snakemake's own lock off. Taken before anything is planned: while another run works,
# files come and go, and the plan would fail for reasons that nobody understands.
RUN_LOCK = None
if workflow.is_main_process and not workflow.output_settings.dryrun:
    RUN_LOCK = take_free_lock()


# Held while the workflow computes, not in a dry run.
onstart:
    workflow.run_lock = begin_run()


if not workflow.modifier.is_main_snakefile():
    # Of a module Snakemake runs nothing at the start.
    workflow._onstart = lambda log: setattr(workflow, "run_lock", begin_run())


wildcard_constraints:
    clip=r"[A-Za-z0-9_][A-Za-z0-9._-]*",
    shard=r"\d+",


def begin_run():
    """Record the clips' ids, unless another run or a training that was left alive has the results.

    A dry run, or a start that is refused, has fixed nothing until here.
    """
    try:
        take_lock(RESULTS / "state/training.lock", "training").close()
        lock = RUN_LOCK or take_lock(RESULTS / "state/run.lock", "running the workflow")
        remove_temporaries(RESULTS, below=True)
        save_corpus(CORPUS, RESULTS / "source")
    except LockedError as error:
        raise WorkflowError(str(error))
    except OSError as error:
        raise WorkflowError(f"output: {RESULTS} cannot be written to: {error}")
    return lock


def estimate(base, per_mb=0.0):
    """Make a resource that grows with the size of a job's input, and with every attempt.

    The weights of checkpoints do not count: they are read one at a time, and few of them.
    """

    def resource(wildcards, input, attempt):
        read = [Path(path) for path in input if path != input.get("weights")]
        size = total_size(read) / 2**20 if per_mb else 0
        return math.ceil(attempt * (base + per_mb * size))

    return resource


def training_threads():
    """Four prepare what a GPU computes; without one, all cores of the machine that runs it."""
    gpus = workflow.global_resources.get("gpu")
    if gpus is None or gpus.value:
        return 4
    return workflow.resource_settings.cores or os.cpu_count()


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


def list_opinion(wildcards):
    """The second opinion, where one is asked for."""
    return ["<results>/embeddings/second_opinion.parquet"] * HAS_OPINION


def list_shards(wildcards):
    """Speaker embeddings of all clips."""
    return [f"<results>/embeddings/{shard}.parquet" for shard in sorted(SHARDS)]


def list_speech(wildcards):
    """The table of what is read out; none if nothing is."""
    return ["<results>/speech/metadata.csv"] if config["speech"]["texts"] else []


def list_votes(wildcards):
    """The file of votes; none if nobody has voted."""
    return [str(VOTES)] if VOTES else []


def list_choice(wildcards):
    """What the voice depends on: the votes if they are asked for, then the speech."""
    choice = config["export"]["checkpoint"]
    by_speech = choice in ("best", "votes") and config["evaluation"]["clips"]
    return ["<results>/preference/standings.json"] * (choice == "votes") + [
        "<results>/quality/choice.json"
    ] * bool(by_speech)


def list_checkpoint_figures(wildcards):
    """Figures of all kept checkpoints; none if nothing is measured."""
    return ["<results>/quality/checkpoints.tsv"] if config["evaluation"]["clips"] else []


def list_transcript_check(wildcards):
    """What was found of the transcripts; none if they are not checked."""
    return ["<results>/transcripts/after.json"] if config["evaluation"]["transcripts"] else []


def list_pages(wildcards):
    """The report, and the pages on which the user listens and corrects."""
    transcripts = ["<results>/transcripts/after.html"] * config["evaluation"]["transcripts"]
    votes = ["<results>/preference/test.html"] * (config["export"]["checkpoint"] == "votes")
    return ["<results>/report/report.html", "<results>/speakers/review.html", *transcripts, *votes]


# Whose weights judge the transcripts: the base model's, or those of the training.
JUDGES = {"before": [], "after": "<results>/training.json"}
WEIGHTS = {"before": [], "after": "<results>/weights"}

# What is measured, and the model that says the sentences.
MEASURED = {"recordings": [], "before": "<results>/base_model", "after": "<results>/model"}


def list_quality(wildcards):
    """Figures of the voice; none if nothing is measured."""
    measured = MEASURED if config["evaluation"]["clips"] else []
    return [f"<results>/quality/{what}.json" for what in measured]


include: "no_shared_disk.smk"
