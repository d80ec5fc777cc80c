"""The room's stages by hand.

``python -m lib.speakers embed results/clips embeddings.parquet``, then
``python -m lib.speakers cluster embeddings.parquet --clips results/clips --output speakers``.
``python -m lib.speakers doubts results`` lists what a run could not settle.
"""

import argparse
import logging
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from lib.commands import add_config, make_parser, run_command
from lib.config.read import read_config
from lib.config.speakers import SpeakerSettings
from lib.provenance import code_digest
from lib.speakers.assignment import SpeakerPaths, assign_speakers
from lib.speakers.embedding import embed_clips
from lib.speakers.overrides_file import check_overrides, read_overrides
from lib.speakers.second_opinion import hear_clips
from lib.speakers.shard import read_embeddings
from lib.speakers.tables import DOUBT_COLUMNS, describe_doubt, name_speakers
from lib.tables import read_table

SCHEMA = Path(__file__).resolve().parents[2] / "workflow/schemas/speakers.schema.yaml"


def main(line: Sequence[str] | None = None) -> None:
    """Find out who speaks in which clip."""
    parser = make_parser("speakers", main.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_embed(commands)
    _add_cluster(commands)
    _add_doubts(commands)
    run_command(parser, lambda arguments: arguments.run(arguments), line)


def _add_embed(commands: argparse._SubParsersAction) -> None:
    embed = commands.add_parser("embed", help="compute the speaker embeddings of a folder of clips")
    embed.add_argument("clips", type=Path, help="folder of mono 16-bit WAV files, results/clips")
    embed.add_argument(
        "output",
        type=Path,
        help="Parquet file to write; if it exists, embeddings of unchanged clips are kept",
    )
    embed.add_argument(
        "--encoder",
        choices=("resemblyzer", "campplus"),
        default="resemblyzer",
        help="campplus adds embeddings of CAM++ (default: resemblyzer)",
    )
    _add_device(embed)
    embed.set_defaults(run=_embed)


def _add_cluster(commands: argparse._SubParsersAction) -> None:
    cluster = commands.add_parser(
        "cluster", help="cluster embeddings and write the tables of the speakers"
    )
    cluster.add_argument("embeddings", type=Path, nargs="+", help="Parquet files that embed wrote")
    cluster.add_argument("--output", type=Path, required=True, help="folder for the tables")
    cluster.add_argument(
        "--clips", type=Path, help="the folder of clips; speakers.second_opinion hears some of them"
    )
    _add_device(cluster)
    cluster.add_argument(
        "--state", type=Path, help="record that keeps ids; OUTPUT/state.json by default"
    )
    cluster.add_argument("--labels", type=Path, help="TSV of known speakers: clip, speaker")
    cluster.add_argument("--overrides", help="YAML with corrections, like config/speakers.yaml")
    add_config(cluster)
    cluster.set_defaults(run=_cluster)


def _add_doubts(commands: argparse._SubParsersAction) -> None:
    doubts = commands.add_parser("doubts", help="list what the similarities of speakers leave open")
    doubts.add_argument("results", type=Path, help="output folder of a run, or of cluster")
    doubts.set_defaults(run=_list_doubts)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="by default a GPU where there is one"
    )


def _embed(arguments: argparse.Namespace) -> None:
    wavs = {wav.stem: wav for wav in sorted(arguments.clips.glob("*.wav"))}
    if not wavs:
        raise ValueError(f"{arguments.clips}: no WAV file is there, expected at least one")
    embed_clips(
        wavs,
        arguments.output,
        previous=arguments.output,
        encoder=arguments.encoder,
        sample_rate=_find_sample_rate(wavs),
        threads=arguments.threads,
        device=arguments.device,
        code=code_digest("lib.speakers.embedding"),
    )


def _cluster(arguments: argparse.Namespace) -> None:
    output = arguments.output
    labels = _read_labels(arguments.labels) if arguments.labels else {}
    clips = {clip: labels.get(clip) for clip in read_embeddings(arguments.embeddings).clips}
    overrides = read_overrides(arguments.overrides, yaml.safe_load(SCHEMA.read_text("utf-8")))
    state = arguments.state or output / "state.json"
    check_overrides(overrides, clips, state, arguments.overrides)
    paths = SpeakerPaths(
        assignments=output / "assignments.tsv",
        centroids=output / "centroids.parquet",
        speakers=output / "speakers.json",
        speaker_map=output / "map.tsv",
        excluded=output / "excluded.tsv",
    )
    settings = SpeakerSettings(**read_config(arguments.config)["speakers"])
    opinion = _hear(arguments, settings)
    assign_speakers(arguments.embeddings, clips, settings, overrides, state, paths, opinion)
    name_speakers(paths.speakers, overrides, output / "registry.json", output / "doubts.tsv")
    logging.info("Who speaks in which clip: %s", paths.assignments)


def _hear(arguments: argparse.Namespace, settings: SpeakerSettings) -> Path | None:
    """Get the second opinion, if one is wanted; return its file."""
    if settings.second_opinion is None or settings.encoder == settings.second_opinion:
        return None
    if arguments.clips is None:
        raise ValueError(
            "speakers.second_opinion hears some clips, but their folder is not given: expected "
            "--clips FOLDER, or a configuration (--config) with speakers.second_opinion: null"
        )
    embedded = read_embeddings(arguments.embeddings).clips
    opinion = arguments.output / "second_opinion.parquet"
    hear_clips(
        arguments.embeddings,
        arguments.clips,
        opinion,
        settings,
        sample_rate=_find_sample_rate({clip: arguments.clips / f"{clip}.wav" for clip in embedded}),
        threads=arguments.threads,
        device=arguments.device,
        code=code_digest("lib.speakers.second_opinion"),
    )
    return opinion


def _list_doubts(arguments: argparse.Namespace) -> None:
    places = [arguments.results / name for name in ("speakers/doubts.tsv", "doubts.tsv")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ValueError(
            f"{places[0]} is not there, expected the output folder of a run whose speakers are "
            "found: run the workflow up to the speaker review page"
        )
    rows = read_table(path, DOUBT_COLUMNS)
    for row in rows:
        logging.info("%s", describe_doubt(row))
    settled = (
        "The lines go into the file that speakers.overrides names" if rows else "All is settled"
    )
    logging.info("%d in all. %s.", len(rows), settled)


def _find_sample_rate(wavs: Mapping[str, Path]) -> int:
    """Return the sample rate of the files in Hz, which must be the same in all."""
    first: dict[int, Path] = {}
    for path in wavs.values():
        try:
            with wave.open(str(path)) as file:
                first.setdefault(file.getframerate(), path)
        except (wave.Error, EOFError) as error:
            raise ValueError(
                f"{path}: not a readable WAV file ({error}); convert or delete it"
            ) from error
    if len(first) > 1:
        listed = " and ".join(f"{path.name} has {rate} Hz" for rate, path in first.items())
        raise ValueError(f"{listed}; expected one sample rate in all files: convert them first")
    return next(iter(first))


def _read_labels(path: Path) -> dict[str, str]:
    return {row["clip"]: row["speaker"] for row in read_table(path, ("clip", "speaker"))}


if __name__ == "__main__":
    main()
