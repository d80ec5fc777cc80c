"""Who is one speaker, on recorded speech.

``python -m benchmarks.speakers --speech DIR --yoruba DIR``: resemblyzer alone, CAM++ alone and the
default, one set of settings for all. Neither folder is part of the project: one has `truth.csv`
(file, speaker), the other `metadata.csv` (file_name, session) of one speaker. Embeddings are kept
in `--work`. `--speed` measures what the second opinion costs, `--scale` clusters 50,000 invented
clips.
"""

import argparse
import csv
import io
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from scipy.signal import butter, sosfiltfilt
from sklearn.metrics import adjusted_rand_score

from benchmarks.basics import print_table
from lib.audio.convert import convert
from lib.audio.decode import decode
from lib.audio.wav import read_wav, write_wav
from lib.config.audio import AudioSettings
from lib.config.speakers import SpeakerSettings
from lib.files import read_json
from lib.speakers import campplus
from lib.speakers.assignment import Sessions, SpeakerPaths, assign_speakers
from lib.speakers.embedding import embed_clips, find_speech
from lib.speakers.overrides import Overrides
from lib.speakers.second_opinion import form_opinion
from lib.speakers.shard import (
    Embedding,
    Embeddings,
    read_embeddings,
    read_shard,
    write_opinion,
    write_shard,
)
from lib.speakers.tables import DOUBTS, read_assignments

RATE = 16000
METHODS = {
    "resemblyzer alone": SpeakerSettings(second_opinion=None),
    "CAM++ alone": SpeakerSettings(encoder="campplus"),
    "default": SpeakerSettings(),
}
ONE = "yoruba"
"""The speaker of the folder with sessions, who has some clips in the other folder too."""
BAND = "band-limited "


@dataclass(frozen=True)
class Speech:
    """Embedded recordings with their speakers and sessions, by clip."""

    rows: dict[str, Embedding]
    speakers: dict[str, str]
    sessions: dict[str, str]

    def of(self, prefix: str) -> list[str]:
        """Return the clips whose names begin so."""
        return [clip for clip in sorted(self.rows) if clip.startswith(prefix)]

    def said_by(self, speaker: str) -> list[str]:
        """Return the clips of a speaker in the folder with many, as they were recorded."""
        return [clip for clip in self.of("many") if self.speakers[clip] == speaker]


@dataclass(frozen=True)
class Outcome:
    """What one method made of a set of clips."""

    agreement: float  # adjusted Rand index
    found: int
    true: int
    heard: int
    doubts: int


# Recordings --------------------------------------------------------------------------------------


def prepare(speech: Path, yoruba: Path, work: Path) -> Speech:
    """Convert and embed everything, or read what an earlier call has left."""
    wavs, speakers, sessions = {}, {}, {}
    for row in _read_rows(speech / "truth.csv"):
        clip = "many_" + Path(row["file"]).with_suffix("").as_posix().replace("/", "_")
        wavs[clip] = speech / row["file"]
        speakers[clip] = ONE if row["file"].startswith(ONE) else row["speaker"]
    for row in _read_rows(yoruba / "metadata.csv"):
        clip = "one_" + Path(row["file_name"]).stem
        wavs[clip] = work / "wavs" / f"{clip}.wav"
        speakers[clip], sessions[clip] = ONE, row["session"]
        if not wavs[clip].exists():
            source = (yoruba / row["file_name"]).read_bytes()
            convert(clip, source, wavs[clip], wavs[clip].with_suffix(".json"), AudioSettings())
    for number, clip in enumerate(sorted(wavs)):
        if clip.startswith("many") or number % 2:
            limited = BAND.replace(" ", "_").replace("-", "_") + clip
            wavs[limited] = work / "wavs" / f"{limited}.wav"
            speakers[limited] = speakers[clip]
            if not wavs[limited].exists():
                write_wav(wavs[limited], limit_band(read_wav(wavs[clip])), RATE)
    shard = work / "embeddings.parquet"
    embed_clips(wavs, shard, previous=shard, encoder="campplus", threads=2)
    return Speech(read_shard(shard), speakers, sessions)


def limit_band(samples: np.ndarray) -> np.ndarray:
    """Return a recording as by a bad telephone: 300 to 3,400 Hz, opus at 12 kbit/s."""
    band = butter(4, (300, 3400), "band", fs=RATE, output="sos")
    filtered = sosfiltfilt(band, samples / 32768).astype(np.float32) if len(samples) else samples
    if not len(samples):
        return samples
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = 12_000
        frame = av.AudioFrame.from_ndarray(filtered[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    decoded = decode(buffer.getvalue(), RATE, 60.0).samples
    return (np.asarray(decoded) * 32768).clip(-32768, 32767).astype(np.int16)


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Sets --------------------------------------------------------------------------------------------


def list_sets(speech: Speech) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the name of each row of the table, and the sets of clips that it sums up."""
    everyone = speech.of("many")
    people = sorted({speech.speakers[clip] for clip in everyone})
    others = [who for who in people if who != ONE]
    days = speech.of("one_")
    yield "AN4", [speech.of("many_an4")]
    yield "VCTK", [speech.of("many_vctk")]
    yield "Yoruba, 22 sessions", [days]
    yield "all together, without Yoruba's sessions", [everyone]
    yield "all together", [[*everyone, *days]]
    yield "30 random subsets of speakers", [draw_people(speech, seed) for seed in range(30)]
    yield "30 others", [draw_people(speech, seed) for seed in range(1000, 1030)]
    yield "60 subsets of one speaker's sessions", [draw_days(speech, seed) for seed in range(60)]
    for few in (4, 8):
        sets = [draw_few(speech, others, few, seed) for seed in range(12)]
        yield f"two people with {few} clips, one with 100, 300 or 1,000", sets
    halves = [halve(speech, days, size) for size in (60, 200, 1000)]
    yield "half of Yoruba band-limited", halves
    yield "half of a speaker band-limited", [halve(speech, speech.said_by(p), 40) for p in others]


def draw_people(speech: Speech, seed: int) -> list[str]:
    """Draw 1 to 12 speakers with 5 to 40 clips each."""
    random = np.random.default_rng(seed)
    people = sorted({speech.speakers[clip] for clip in speech.of("many")})
    chosen = random.choice(people, random.integers(1, 13), replace=False)
    drawn = [random.permutation(speech.said_by(who))[: random.integers(5, 41)] for who in chosen]
    return sorted(np.concatenate(drawn).tolist())


def draw_days(speech: Speech, seed: int) -> list[str]:
    """Draw up to 150 clips of 1 to 6 sessions of one speaker."""
    random = np.random.default_rng(seed)
    names = sorted(set(speech.sessions.values()))
    chosen = set(random.choice(names, random.integers(1, 7), replace=False))
    own = [clip for clip in speech.of("one_") if speech.sessions[clip] in chosen]
    return sorted(random.permutation(own)[: random.integers(5, 151)].tolist())


def draw_few(speech: Speech, others: Sequence[str], few: int, seed: int) -> list[str]:
    """Draw two people with few clips, and one with many."""
    random = np.random.default_rng(seed)
    many = random.permutation(speech.of("one_"))[: (100, 300, 1000)[seed % 3]].tolist()
    for who in random.choice(others, 2, replace=False):
        many += random.permutation(speech.said_by(who))[:few].tolist()
    return sorted(many)


def halve(speech: Speech, clips: Sequence[str], size: int) -> list[str]:
    """Draw clips of one speaker, half of them band-limited."""
    limited = BAND.replace(" ", "_").replace("-", "_")
    chosen = np.random.default_rng(size).permutation(clips)[:size].tolist()
    there = [clip for clip in chosen if limited + clip in speech.rows]
    swapped = set(there[: len(chosen) // 2])
    return sorted(limited + clip if clip in swapped else clip for clip in chosen)


# Outcome -----------------------------------------------------------------------------------------


def try_method(speech: Speech, clips: Sequence[str], settings: SpeakerSettings) -> Outcome:
    """Assign speakers as the workflow does."""
    rows = [speech.rows[clip] for clip in clips if clip in speech.rows]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = SpeakerPaths(
            *(folder / name for name in ("a.tsv", "c", "s.json", "m.tsv", "e.tsv"))
        )
        write_shard(folder / "shard", rows)
        embeddings = read_embeddings([folder / "shard"])
        opinion = None
        heard = len(rows) if settings.encoder == "campplus" else 0
        if settings.second_opinion and settings.encoder != settings.second_opinion:
            heard = _write_opinion(speech, embeddings, settings, folder / "opinion")
            opinion = folder / "opinion"
        sessions = {
            clip: speech.sessions[clip] for clip in embeddings.clips if clip in speech.sessions
        }
        assign_speakers(
            [folder / "shard"],
            dict.fromkeys(embeddings.clips),
            settings,
            Overrides(),
            folder / "state.json",
            paths,
            opinion,
            Sessions("session", sessions) if len(sessions) == len(rows) else Sessions(),
        )
        found = [row.speaker_id for _, row in sorted(read_assignments(paths.assignments).items())]
        suggestions = read_json(paths.speakers)["review_suggestions"]
    truth = [speech.speakers[clip] for clip in embeddings.clips]
    agreement = adjusted_rand_score(truth, found)
    doubts = sum(row["reason"] in DOUBTS for row in suggestions)
    return Outcome(agreement, len(set(found)), len(set(truth)), heard, doubts)


def _write_opinion(
    speech: Speech, embeddings: Embeddings, settings: SpeakerSettings, path: Path
) -> int:
    """Write a second opinion from the embeddings that there are; return how many clips it heard."""

    def hear(names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: speech.rows[name].campplus for name in names}

    opinion = form_opinion(embeddings, settings, hear)
    write_opinion(path, embeddings, opinion, "")
    return len(opinion.heard)


def describe(outcomes: Sequence[Outcome]) -> str:
    """Sum up the outcomes of a row of the table."""
    scores = [row.agreement for row in outcomes]
    if len(outcomes) == 1:
        one = outcomes[0]
        return f"{one.agreement:.3f}, {one.found} of {one.true}"
    right = sum(row.found == row.true for row in outcomes)
    silent = sum(row.found != row.true and not row.doubts for row in outcomes)
    text = f"{np.mean(scores):.3f} (lowest {min(scores):.3f}), {right} of {len(outcomes)} right"
    return f"{text}, {silent} wrong without a doubt" if right < len(outcomes) else text


def measure_quality(speech: Speech) -> None:
    """Print the table of sets and methods."""
    rows = []
    for name, sets in list_sets(speech):
        row = [name]
        for settings in METHODS.values():
            outcomes = [try_method(speech, clips, settings) for clips in sets]
            row.append(describe(outcomes))
        share = [
            outcome.heard / max(len(clips), 1)
            for outcome, clips in zip(outcomes, sets, strict=True)
        ]
        rows.append([*row, f"{np.mean(share):.0%}", f"{np.mean([o.doubts for o in outcomes]):.1f}"])
    header = ("adjusted Rand index, speakers found", *METHODS, "of it heard", "doubts")
    print_table(header, rows)


# Speed -------------------------------------------------------------------------------------------


def measure_speed(wavs: dict[str, Path], hours: float = 12.0) -> None:
    """Print what embedding costs with each encoder, two threads, and the ratio for 12 hours."""
    from lib.speakers import second_opinion

    seconds = sum(len(read_wav(path)) for path in wavs.values()) / RATE
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        embed_clips(dict(list(wavs.items())[:2]), folder / "warm", encoder="campplus", threads=2)
        start = time.perf_counter()
        embed_clips(wavs, folder / "one", threads=2)
        resemblyzer = time.perf_counter() - start
        clips = next(iter(wavs.values())).parent
        listener = second_opinion._Listener(clips, RATE, 2, None, {})
        names = [path.stem for path in wavs.values()]
        listener.hear(names[:2])
        start = time.perf_counter()
        listener.hear(names[2:])
        each = (time.perf_counter() - start) / (len(names) - 2)
    whole = resemblyzer * hours * 3600 / seconds
    extra = each * second_opinion.MAX_HEARD
    rows = [
        ("resemblyzer, all clips", f"{resemblyzer:.1f}", f"{whole:.0f}", ""),
        (
            f"CAM++, {second_opinion.MAX_HEARD} clips of up to 4 s, the most that it hears of few "
            "speakers",
            "",
            f"{extra:.0f}",
            f"{(whole + extra) / whole:.2f}",
        ),
    ]
    what = f"{len(wavs)} clips, {seconds / 60:.1f} min, 2 threads"
    print_table((what, "seconds", f"{hours:g} h (s)", "both / resemblyzer"), rows)


def measure_lengths(speech: Speech, many: Path, one: Path, count: int = 100) -> None:
    """Print the equal error rate of single clips, by how much CAM++ hears of each.

    Pairs are of one person in different sessions, and of different people; clips have 5 s of speech
    and more.
    """
    long = [clip for clip in speech.rows if speech.rows[clip].voiced > 5]
    drawn = np.random.default_rng(0).permutation([c for c in long if c.startswith("one_")])[:count]
    clips = [*drawn.tolist(), *(c for c in long if c.startswith("many_vctk"))]
    who = np.array([speech.speakers[clip] for clip in clips])
    when = np.array([speech.sessions.get(clip, "") for clip in clips])
    files = {
        "many_" + "_".join(path.relative_to(many).with_suffix("").parts): path
        for path in many.rglob("*.wav")
    }
    samples = [read_wav(files.get(clip, one / f"{clip}.wav")) for clip in clips]
    found = [find_speech(clip, RATE)[0] for clip in samples]
    encoder, rows = campplus.CampPlusEncoder("cpu"), []
    whole = campplus.MAX_SAMPLES
    for seconds in (2, 4, 8, 20):
        campplus.MAX_SAMPLES = seconds * RATE
        pairs = zip(samples, found, strict=True)
        chosen = [campplus.choose_samples(clip, RATE, speech_in) for clip, speech_in in pairs]
        vectors = encoder.embed(chosen)
        cosines = vectors @ vectors.T
        same = cosines[np.triu((who[:, None] == who) & (when[:, None] != when), 1)]
        other = cosines[np.triu(who[:, None] != who, 1)]
        rows.append(
            (seconds, f"{same.mean():.2f}", f"{other.mean():.2f}", _error_rate(same, other))
        )
    campplus.MAX_SAMPLES = whole
    header = (
        f"{len(clips)} clips, seconds heard at most",
        "same person",
        "others",
        "equal error rate",
    )
    print_table(header, rows)


def _error_rate(same: np.ndarray, other: np.ndarray) -> str:
    thresholds = np.quantile(np.concatenate([same, other]), np.linspace(0, 1, 2000))
    missed = np.array([(same < threshold).mean() for threshold in thresholds])
    false = np.array([(other >= threshold).mean() for threshold in thresholds])
    nearest = np.argmin(np.abs(missed - false))
    return f"{(missed[nearest] + false[nearest]) / 2:.1%}"


def measure_scale(num_clips: int = 50_000, people: int = 20, days: int = 4) -> None:
    """Print time and memory of the clustering of many invented clips, with a second opinion."""
    random = np.random.default_rng(0)
    voices = random.normal(size=(people, 1, 256)) + random.normal(size=(1, 1, 256)) * 1.4
    centres = (voices + 0.6 * random.normal(size=(people, days, 256))).reshape(-1, 256)
    second = np.repeat(random.normal(size=(people, 192)), days, axis=0)
    own = random.integers(len(centres), size=num_clips)
    first = _unit(centres[own] + 0.9 * random.normal(size=(num_clips, 256)))
    heard = _unit(second[own] + 0.6 * random.normal(size=(num_clips, 192)))
    rows = [
        Embedding(f"c{n:06d}", f"{n}", 4.0, 3.0, first[n], first[n], None, heard[n])
        for n in range(num_clips)
    ]
    clips = {row.clip: row for row in rows}
    speech = Speech(clips, {row.clip: str(own[n] // days) for n, row in enumerate(rows)}, {})
    table = []
    for name, settings in METHODS.items():
        start = time.perf_counter()
        outcome = try_method(speech, list(clips), settings)
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        table.append((name, f"{seconds:.0f}", f"{memory:.1f}", describe([outcome]), outcome.heard))
    header = (f"{num_clips:,} clips", "seconds", "peak memory (GB)", "outcome", "clips heard")
    print_table(header, table)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, help="folder with truth.csv")
    parser.add_argument("--yoruba", type=Path, help="folder with metadata.csv of one speaker")
    parser.add_argument("--work", type=Path, default=Path("results/benchmarks/speakers"))
    parser.add_argument("--speed", action="store_true", help="measure the cost of the encoders")
    parser.add_argument("--lengths", action="store_true", help="measure what hearing parts loses")
    parser.add_argument("--scale", action="store_true", help="cluster 50,000 invented clips")
    arguments = parser.parse_args()
    if arguments.scale:
        measure_scale()
    if arguments.speech and arguments.yoruba:
        speech = prepare(arguments.speech, arguments.yoruba, arguments.work)
        if arguments.lengths:
            measure_lengths(speech, arguments.speech, arguments.work / "wavs")
        elif arguments.speed:
            folder = arguments.work / "wavs"
            chosen = [clip for clip in speech.of("one_")][::7][:120]
            measure_speed({clip: folder / f"{clip}.wav" for clip in chosen})
        else:
            measure_quality(speech)
    elif not arguments.scale:
        parser.error("say where the recordings are (--speech and --yoruba), or --scale")


if __name__ == "__main__":
    main()
