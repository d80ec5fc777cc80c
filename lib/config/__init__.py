"""The configuration: every key's type, default, bounds and meaning, once.

What is made of it by `python -m lib.config`: the JSON schema that a run is checked against, the
user's file config/config.yaml, and the tables of config/README.md.
"""

from dataclasses import dataclass, field

from lib.config.audio import AudioSettings
from lib.config.base_model import BaseModelSettings
from lib.config.dataset import DatasetSettings
from lib.config.keys import STRICT, Text
from lib.config.outcome import EvaluationSettings, ExportSettings, SampleSettings, SpeechSettings
from lib.config.source import SourceSettings
from lib.config.speakers import SpeakerSettings
from lib.config.text import TextSettings
from lib.config.training import TrainingSettings


@dataclass(frozen=True)
class Config:
    """Configuration of a run."""

    __pydantic_config__ = STRICT

    output: Text = "results"
    """Folder of everything that is written.

    Two corpora live side by side with two values.
    """
    source: SourceSettings = field(default_factory=SourceSettings)
    audio: AudioSettings = field(default_factory=AudioSettings)
    speakers: SpeakerSettings = field(default_factory=SpeakerSettings)
    text: TextSettings = field(default_factory=TextSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    base_model: BaseModelSettings = field(default_factory=BaseModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    samples: SampleSettings = field(default_factory=SampleSettings)
    speech: SpeechSettings = field(default_factory=SpeechSettings)
