"""The voices of a run: the exported one, and every checkpoint of its training."""

import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.synthesis.synthesizer import Synthesizer, load_fastest

MODEL, BASE_MODEL = "model", "base_model"
# A training that came from another machine has left its weights alone.
CHECKPOINTS = ("checkpoints", "weights")


@dataclass
class Voices:
    """Voices by name, each loaded when it is first asked for.

    Parameters
    ----------
    results
        Folder of a run, or of a voice alone.
    """

    results: Path
    _loaded: dict[str, Synthesizer] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _scratch: tempfile.TemporaryDirectory = field(default_factory=tempfile.TemporaryDirectory)

    def __post_init__(self) -> None:
        if not self.names():
            raise ValueError(
                f"{self.results} has no voice: expected the output folder of a run, with model/ or "
                "checkpoints/ or weights/, or the folder of a voice"
            )

    def names(self) -> list[str]:
        """Return the names of all voices, the exported one first, then the last checkpoint."""
        if self._is_voice():
            return [self.results.name]
        found = [MODEL] if (self.results / MODEL / "config.json").is_file() else []
        for folder in CHECKPOINTS:
            if states := sorted(self.results.glob(f"{folder}/*/state.json"), reverse=True):
                return found + [f"{folder}/{path.parent.name}" for path in states]
        return found

    def get(self, name: str) -> Synthesizer:
        """Return a voice; a checkpoint is first written as one.

        Raises
        ------
        ValueError
            If there is no such voice, or if its checkpoint cannot be exported.
        """
        with self._lock:
            if name not in self.names():
                raise ValueError(f"no voice '{name}'; there are: {', '.join(self.names())}")
            if name not in self._loaded:
                self._loaded[name] = load_fastest(self._find_folder(name))
            return self._loaded[name]

    def describe(self, name: str) -> Mapping[str, Any]:
        """Return what a page shows of a voice: its name, and its speakers with their names."""
        speakers = self.get(name).speakers
        return {"speakers": {speaker: entry["name"] for speaker, entry in speakers.items()}}

    def _is_voice(self) -> bool:
        return any((self.results / name).is_file() for name in ("config.json", "model.onnx"))

    def _find_folder(self, name: str) -> Path:
        if self._is_voice():
            return self.results
        if name == MODEL:
            return self.results / MODEL
        from lib.base_model.export import export_checkpoint

        folder = Path(self._scratch.name) / name.replace("/", "-")
        registry = self.results / "speakers/registry.json"
        export_checkpoint(
            self.results / name,
            self.results / BASE_MODEL,
            folder,
            "und",
            registry if registry.is_file() else None,
        )
        return folder
