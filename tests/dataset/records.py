"""Stand-ins for what the rooms before the dataset leave behind."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lib.audio.measurement import Measurement
from lib.audio.table import collect_measurements
from lib.audio.wav import write_wav
from lib.dataset.transcript_scores import SCORE_COLUMNS, format_duration
from lib.files import write_json
from lib.tables import write_table
from lib.text.normalise import hash_text

POLICY = {
    "unknown_characters": "extend",
    "mapping": {},
    "new_letters": {},
    "han_to_pinyin": False,
}


@dataclass(frozen=True)
class Clip:
    id: str
    text: str
    content_hash: str = ""
    origin: str = "metadata.csv row 1"


@dataclass(frozen=True)
class InvalidRow:
    clip: str | None
    origin: str
    reason: str
    detail: str


@dataclass
class Source:
    """A converted source on disk: change its records, `write` it, and build from it."""

    root: Path
    made: Path | None = None
    """Where the dataset and its tables are written; by default beside the records."""
    clips: dict[str, Clip] = field(default_factory=dict)
    speakers: dict[str, str] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    similarity: dict[str, float] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    """Of transcripts, as an earlier run has found them for the present texts."""
    measured: dict[str, dict] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    invalid_rows: list[InvalidRow] = field(default_factory=list)

    def add(self, clip: str, text: str, speaker: str = "spk000", **measured) -> None:
        content_hash = measured.pop("content_hash", clip)
        self.clips[clip] = Clip(clip, text, content_hash, f"metadata.csv row {len(self.clips) + 2}")
        self.speakers[clip] = speaker
        self.measured[clip] = {"duration": 1.0} | measured

    def write_scores(self) -> None:
        rows = [
            (
                clip,
                score,
                0,
                1,
                None,
                hash_text(self.clips[clip].text),
                format_duration(self.measured[clip]["duration"]),
            )
            for clip, score in self.scores.items()
        ]
        write_table(self.root / "state/transcripts.tsv", SCORE_COLUMNS, rows)

    def build(self, settings=None, text=None, **changes):
        from lib.config.dataset import DatasetSettings
        from lib.dataset.build import build_dataset

        self._write()
        self._plan_text(text or {})
        made = self.made or self.root
        build_dataset(
            self.clips,
            self.invalid_rows,
            {clip: self.root / f"{clip}.wav" for clip in self.clips},
            self.root / "measurements.tsv",
            self.root / "text",
            self.root / "assignments.tsv",
            self.root / "excluded.tsv",
            settings or DatasetSettings(**changes),
            made / "state/split.tsv",
            self.root / "state/transcripts.tsv",
            dataset=made / "dataset",
            manifest=made / "manifest.tsv",
            rejected=made / "rejected.tsv",
        )

    def _plan_text(self, policy: dict) -> None:
        from lib.base_model.tiny import write_tiny_model
        from lib.text.plan import plan_text

        base = self.root / "base"
        if not base.exists():
            write_tiny_model(base)
        transcripts = {clip.id: clip.text for clip in self.clips.values()}
        plan_text(
            transcripts,
            base,
            {**POLICY, "mapping": self.mapping, **policy},
            "eng",
            self.root / "text",
        )

    def _write(self) -> None:
        sidecars = []
        for number, (clip, fields) in enumerate(self.measured.items()):
            sidecar = self.root / f"{clip}.json"
            measurement = Measurement(clip, **fields)
            values = {name: getattr(measurement, name) for name in Measurement.__slots__}
            write_json(sidecar, values)
            sidecars.append(sidecar)
            samples = np.full(160, number, dtype=np.int16)
            write_wav(self.root / f"{clip}.wav", samples, 16000)
        collect_measurements(sidecars, self.root / "measurements.tsv")
        rows = [
            f"{clip}\t{speaker}\t{self.confidence.get(clip, 1.0)}\t{self.similarity.get(clip, '')}"
            for clip, speaker in sorted(self.speakers.items())
            if self.measured[clip].get("status", "ok") == "ok"
        ]
        lines = ["clip\tspeaker_id\tconfidence\tintra_clip_similarity", *rows]
        (self.root / "assignments.tsv").write_text("\n".join(lines) + "\n", "utf-8")
        lines = ["clip\tdetail", *(f"{clip}\t{line}" for clip, line in self.excluded.items())]
        (self.root / "excluded.tsv").write_text("\n".join(lines) + "\n", "utf-8")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a tab-separated table."""
    header, *lines = path.read_text("utf-8").splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
