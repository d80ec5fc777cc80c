"""The measurements of one converted clip, which are the content of its sidecar."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.files import read_json


@dataclass(frozen=True, slots=True)
class Source:
    """Properties of the source audio; `duration` is that of the decoded samples in seconds."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration: float
    clipped_share: float  # share of its samples that are clipped


@dataclass(frozen=True, slots=True)
class Measurement:
    """Status and measurements of one clip; those after a rejection are None."""

    clip: str
    status: str = "ok"  # ok | rejected
    reason: str | None = None  # one of lib.audio.convert.REASONS
    detail: str | None = None
    value: float | None = None  # the number that led to the rejection
    source: Source | None = None
    duration: float = 0.0  # s
    num_samples: int = 0
    loudness_before: float | None = None  # LUFS
    loudness_after: float | None = None
    peak_before: float | None = None  # dBTP
    peak_after: float | None = None
    gain_db: float | None = None
    peak_bound: bool = False  # whether the peak ceiling limited the gain
    snr: float | None = None  # dB
    trimmed_start: float = 0.0  # s
    trimmed_end: float = 0.0
    audio_fingerprint: str | None = None  # see lib.audio.audio_fingerprint
    warnings: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return a line about the clip for its log, and one more for each warning."""
        if self.status == "ok":
            outcome = (
                f"ok: {self.duration:.2f} s, {self.loudness_before} to {self.loudness_after} LUFS"
            )
        else:
            outcome = f"{self.status}: {self.reason}: {self.detail}"
        return "\n".join([f"{self.clip}: {outcome}", *self.warnings]) + "\n"


def read_sidecar(path: Path) -> Measurement:
    """Read a sidecar that `convert_clip` wrote.

    Raises
    ------
    ValueError
        If the file is not a sidecar.
    """
    try:
        fields: dict[str, Any] = read_json(path)
        source = fields.pop("source")
        warnings = tuple(fields.pop("warnings"))
        return Measurement(**fields, source=source and Source(**source), warnings=warnings)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path}: not a clip's sidecar ({error}): delete it and run again"
        ) from error
