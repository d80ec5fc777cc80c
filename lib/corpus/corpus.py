"""All clips of a source, checked and in a fixed order."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

from lib.corpus.clip import AudioLocation, Clip, Columns, CorpusError, Problem, Row
from lib.corpus.fingerprint import FingerprintCache, digest_file
from lib.corpus.ids import clip_id, hashed_id
from lib.corpus.locate import forget_folders
from lib.corpus.source import read_rows
from lib.files import atomic_path

logger = logging.getLogger(__name__)

INDEX_NAME = "corpus.json"
FINGERPRINTS_NAME = "fingerprints.json"
INDEX_VERSION = 1


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clips by id, in the order of their ids, and the rows that could not become clips."""

    clips: dict[str, Clip]
    problems: list[Problem]

    def digest(self, *fields: str, ids: Iterable[str] | None = None) -> str:
        """Return a digest that changes exactly when these fields of these clips change."""
        chosen = sorted(self.clips if ids is None else set(ids))
        values = [[id_, *(getattr(self.clips[id_], field) for field in fields)] for id_ in chosen]
        return _digest(values)

    def digest_problems(self) -> str:
        """Return a digest that changes exactly when the rows that are no clips do."""
        return _digest([astuple(problem) for problem in self.problems])

    def known_speakers(self) -> dict[str, str]:
        """Return the user's own label of every clip that has one."""
        return {clip.id: clip.speaker for clip in self.clips.values() if clip.speaker}


def read_corpus(path: Path, columns: Columns, cache: Path | None) -> Corpus:
    """Read a source, and leave an index of it in the folder `cache` for `load_corpus`."""
    fingerprints = FingerprintCache(cache and cache / FINGERPRINTS_NAME)
    forget_folders()
    clips: dict[str, Clip] = {}
    problems: list[Problem] = []
    lowered: set[str] = set()
    for row in read_rows(path, columns, fingerprints):
        clip = row if isinstance(row, Problem) else _to_clip(row, fingerprints)
        if isinstance(clip, Problem):
            problems.append(replace(clip, clip=clip.clip and clip_id(clip.clip)))
            continue
        if clip.id not in clips and clip.id.lower() in lowered:
            # File systems that ignore case would store both clips in one file.
            clip = replace(clip, id=hashed_id(clip.id))
        if clip.id in clips:
            problems.append(_duplicate(clip, clips[clip.id]))
        else:
            lowered.add(clip.id.lower())
            clips[clip.id] = clip
    if not clips:
        raise CorpusError(_nothing_usable(path, problems))
    fingerprints.save()
    corpus = Corpus(dict(sorted(clips.items())), problems)
    if cache:
        _write_index(corpus, cache / INDEX_NAME)
    return corpus


def load_corpus(path: Path) -> Corpus:
    """Return what `read_corpus` left in its cache folder, without touching the source."""
    index = path / INDEX_NAME if path.is_dir() else path
    try:
        content = json.loads(index.read_bytes())
        if content["version"] != INDEX_VERSION:
            raise ValueError(f"version {content['version']}, expected {INDEX_VERSION}")
        clips = [
            Clip(**{**fields, "audio": AudioLocation(**fields["audio"])})
            for fields in content["clips"]
        ]
        problems = [Problem(**fields) for fields in content["problems"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{index}: not an index of a source ({error}): start the workflow again, which "
            "writes it anew"
        ) from error
    return Corpus({clip.id: clip for clip in clips}, problems)


def read_audio(clip: Clip) -> bytes:
    """Return a clip's audio file as bytes."""
    if clip.audio.row is None:
        return Path(clip.audio.path).read_bytes()
    from lib.corpus.shards import read_bytes

    return read_bytes(clip.audio)


def _digest(values: object) -> str:
    content = json.dumps(values, default=asdict, ensure_ascii=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _to_clip(row: Row, fingerprints: FingerprintCache) -> Clip | Problem:
    if row.text is None:
        return Problem(row.name, row.origin, "missing_text", "the row has no transcript")
    try:
        fingerprint = row.fingerprint or _file_fingerprint(row.audio.path, fingerprints)
    except OSError as error:
        detail = f"{row.audio.path}: {error.strerror}"
        return Problem(row.name, row.origin, "missing_file", detail)
    return Clip(
        id=clip_id(row.name or fingerprint),
        text=row.text,
        fingerprint=fingerprint,
        audio=row.audio,
        speaker=row.speaker,
        session=row.session,
        origin=row.origin,
    )


def _file_fingerprint(path: str, fingerprints: FingerprintCache) -> str:
    return fingerprints.look_up(path, Path(path).stat(), lambda: digest_file(path))


def _duplicate(clip: Clip, first: Clip) -> Problem:
    same = "the same" if clip.fingerprint == first.fingerprint else "other"
    detail = (
        f"{first.origin} has the same id and {same} audio and comes first: give each row its own "
        "file name, or name a column of ids in source.columns.id"
    )
    return Problem(clip.id, clip.origin, "duplicate_id", detail)


def _nothing_usable(path: Path, problems: list[Problem]) -> str:
    if not problems:
        return f"source.path: {path} has no rows, expected recordings with transcripts"
    counts = Counter(problem.reason for problem in problems)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    first = problems[0]
    return (
        f"source.path: none of the {len(problems)} rows of {path} can be used ({reasons}); the "
        f"first: {first.origin}: {first.detail}"
    )


def _write_index(corpus: Corpus, path: Path) -> None:
    """Write the index, unless it is there already: its time stamp tells when it changed."""
    content = {
        "version": INDEX_VERSION,
        "clips": [asdict(clip) for clip in corpus.clips.values()],
        "problems": [asdict(problem) for problem in corpus.problems],
    }
    encoded = json.dumps(content, indent=0).encode("ascii")
    if path.is_file() and path.read_bytes() == encoded:
        return
    logger.info("%s: %d clips, %d problems", path, len(corpus.clips), len(corpus.problems))
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded)
