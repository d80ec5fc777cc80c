"""Settings of a training, as the section `training` of the configuration holds them; its paths."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lib.vits.losses import LossWeights


@dataclass(frozen=True)
class TrainingPaths:
    """Where a training reads and writes."""

    dataset: Path
    base_model: Path
    checkpoints: Path
    tensorboard: Path
    summary: Path


@dataclass(frozen=True)
class TrainingSettings:
    """What decides a training. `config/config.yaml` explains every key."""

    epochs: int = 200
    learning_rate: float = 1e-4
    learning_rate_decay: float = 0.999875
    warmup_steps: int = 0
    speaker_learning_rate_factor: float = 1.0
    betas: tuple[float, float] = (0.8, 0.99)
    adam_epsilon: float = 1e-9
    weight_decay: float = 0.01
    max_grad_norm: float | None = None
    mixed_precision: Literal["fp16", "bf16", "fp32"] = "fp16"
    effective_batch_size: int = 48
    gradient_accumulation_steps: int | Literal["auto"] = "auto"
    memory_gb: float = 12.0
    segment_frames: int = 32
    loss_weights: LossWeights = LossWeights()
    discriminator_channels: int = 16
    discriminator_periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    discriminator_start_step: int = 0
    discriminator_warmup_steps: int = 200
    ema_decay: float = 0.999
    freeze_text_encoder_epochs: int = 0
    speakers_only_epochs: int = 0
    early_stopping_epochs: int | None = None
    seed: int = 1234
    log_every: int = 10
    validate_every: int = 1
    max_validation_clips: int = 200
    samples_every: int = 5
    checkpoint_every: int = 25
    keep_checkpoints: int | Literal["all"] = "all"
    save_minutes: float = 15.0
    resume: bool = True
    on_new_data: Literal["continue", "restart"] = "continue"
    continue_epochs: int = 50
    max_skipped_steps: int = 25

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> "TrainingSettings":
        """Build from a validated configuration section."""
        values = dict(section)
        values["loss_weights"] = LossWeights(**values.get("loss_weights", {}))
        for name in ("betas", "discriminator_periods"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as a checkpoint stores them."""
        values = asdict(self)
        values["loss_weights"] = self.loss_weights._asdict()
        for name in ("betas", "discriminator_periods"):
            values[name] = list(values[name])
        return values


# What versions before 0.2 called them, as earlier checkpoints still do.
EARLIER_KEYS = {
    "epsilon": "adam_epsilon",
    "gradient_clip": "max_grad_norm",
    "precision": "mixed_precision",
    "effective_batch": "effective_batch_size",
    "accumulation": "gradient_accumulation_steps",
    "keep": "keep_checkpoints",
}

# Changing one of these alters how a training runs, not what a step learns: it goes on with the
# new value. Any other change asks for a new start.
RESUMABLE = frozenset(
    {
        "epochs",
        "early_stopping_epochs",
        "mixed_precision",
        "memory_gb",
        "log_every",
        "validate_every",
        "max_validation_clips",
        "samples_every",
        "checkpoint_every",
        "keep_checkpoints",
        "save_minutes",
        "resume",
        "on_new_data",
        "continue_epochs",
        "max_skipped_steps",
    }
)


def changed_keys(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, as ``{key: (earlier, now)}``."""
    keys = sorted(set(earlier) | set(now))
    return {k: (earlier.get(k), now.get(k)) for k in keys if earlier.get(k) != now.get(k)}
