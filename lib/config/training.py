"""Section `training`: how the voice is fine-tuned."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from lib.config.keys import EXPERT, STRICT, InSchema, Text, bounds

Weight = Annotated[float, bounds(ge=0)]
Beta = Annotated[float, bounds(ge=0, lt=1)]
Count = Annotated[int, bounds(ge=0)]
Positive = Annotated[int, bounds(ge=1)]
Periods = Annotated[tuple[Annotated[int, bounds(ge=2)], ...], InSchema({"minItems": 1})]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the generator's losses; the defaults are those of VITS."""

    __pydantic_config__ = STRICT

    mel: Annotated[Weight, EXPERT] = 45.0
    """Weight of the mel reconstruction loss."""
    kl: Annotated[Weight, EXPERT] = 1.0
    """Weight of the KL divergence."""
    duration: Annotated[Weight, EXPERT] = 1.0
    """Weight of the duration loss."""
    feature: Annotated[Weight, EXPERT] = 1.0
    """Weight of the feature matching loss."""
    adversarial: Annotated[Weight, EXPERT] = 1.0
    """Weight of the adversarial loss."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the voice is fine-tuned."""

    __pydantic_config__ = STRICT

    epochs: Positive = 200
    """Passes over the data.

    200 to 300 for some hours of speech, watched on validation: on noisy recordings an earlier
    epoch often sounds better, which is why the milestones are kept.
    """
    learning_rate: Annotated[float, bounds(gt=0)] = 1e-4
    """Learning rate of generator and discriminator.

    Half of it where the voice gets worse instead of better.
    """
    learning_rate_decay: Annotated[float, bounds(gt=0, le=1), EXPERT] = 0.999875
    """Factor of the learning rate per epoch, as in VITS."""
    warmup_steps: Annotated[Count, EXPERT] = 0
    """Steps over which the learning rate rises at the start."""
    speaker_learning_rate_factor: Annotated[float, bounds(ge=0), EXPERT] = 1.0
    """Multiple of the learning rate with which the speaker table learns."""
    betas: Annotated[tuple[Beta, Beta], EXPERT] = (0.8, 0.99)
    """Betas of AdamW, as in VITS."""
    adam_epsilon: Annotated[float, bounds(gt=0), EXPERT] = 1e-9
    """Epsilon of AdamW, as in VITS."""
    weight_decay: Annotated[float, bounds(ge=0), EXPERT] = 0.01
    """Weight decay of AdamW, as in VITS."""
    max_grad_norm: Annotated[Annotated[float, bounds(gt=0)] | None, EXPERT] = None
    """Norm to which gradients are clipped; null does not clip, as in VITS."""
    mixed_precision: Literal["fp16", "bf16", "fp32"] = "fp16"
    """Arithmetic on the GPU; on the CPU fp16 means fp32.

    bf16 never overflows, and wants a newer GPU.
    """
    effective_batch_size: Positive = 48
    """Clips per optimizer step, 32 to 64; met exactly, whatever the memory."""
    gradient_accumulation_steps: Literal["auto"] | Positive = "auto"
    """Micro-batches per step; auto takes the fewest, from 2, that fit into memory_gb."""
    speaker_temperature: Annotated[float, bounds(ge=1)] = 1.0
    """How equally speakers of unequal size are trained: 1 as often as they have clips.

    With 2 a speaker with a hundredth of another's clips is trained a tenth as often, and the more
    the higher it is. An epoch has as many clips as before.
    """
    max_clip_repeats: Annotated[Positive, EXPERT] = 4
    """Most times that a clip comes in an epoch, whatever the temperature."""
    memory_gb: Annotated[float, bounds(gt=0)] = 12
    """GPU memory in GB that may be used, whatever the card has."""
    segment_frames: Annotated[int, bounds(ge=8), EXPERT] = 32
    """Frames of each clip that the decoder is trained on; 32 are 0.5 s."""
    loss_weights: Annotated[LossWeights, EXPERT] = field(default_factory=LossWeights)
    discriminator_channels: Annotated[Positive, EXPERT] = 16
    """Width of a fresh discriminator; 16 is VITS, and what MMS discriminators have."""
    discriminator_periods: Annotated[Periods, EXPERT] = (2, 3, 5, 7, 11)
    """Periods of a fresh discriminator's parts, after the one for the raw waveform."""
    discriminator_start_step: Annotated[Count, EXPERT] = 0
    """Steps in which the generator learns without a discriminator.

    0 for fine-tuning; a base with random weights finds its alignment first, and is faster until
    then.
    """
    discriminator_warmup_steps: Annotated[Count, EXPERT] = 200
    """Steps in which a fresh discriminator then learns alone."""
    ema_decay: Annotated[float, bounds(ge=0, lt=1), EXPERT] = 0.999
    """Decay of the moving average of weights that is validated and exported; 0 is off."""
    freeze_text_encoder_epochs: Annotated[Count, EXPERT] = 0
    """Epochs at the start in which the text encoder does not learn, and no new letter."""
    speakers_only_epochs: Annotated[Count, EXPERT] = 0
    """Epochs at the start in which only the speaker table learns, and what it acts on."""
    early_stopping_epochs: Positive | None = None
    """Epochs without a better validation score after which training stops; null never stops."""
    seed: Count = 1234
    """Seed of every random choice.

    The same one gives the same voice, on a CPU to the bit.
    """
    log_every: Annotated[Positive, EXPERT] = 10
    """Steps between points of the curves in TensorBoard."""
    validate_every: Positive = 1
    """Epochs between validations."""
    max_validation_clips: Positive = 200
    """Most clips that validation uses, always the same ones."""
    samples_every: Positive = 5
    """Epochs between spoken samples in TensorBoard."""
    checkpoint_every: Positive = 25
    """Epochs between milestones, checkpoints that are kept."""
    keep_checkpoints: Literal["all"] | Positive = "all"
    """Milestones to keep: all, or the last so many; the best weights are always kept."""
    save_minutes: Annotated[float, bounds(gt=0)] = 15
    """Minutes between saves within an epoch: what a crash can cost."""
    keep_at: Text | None = None
    """Folder, or rsync target, to which checkpoints are copied; null copies none.

    For machines that may vanish, like a rented one: on a new one the training goes on from there.
    An rsync target looks like me@host:kept. A place can hold several trainings.
    """
    resume: bool = True
    """Whether training goes on from the newest checkpoint.

    false starts afresh and moves the old checkpoints aside.
    """
    on_new_data: Literal["continue", "restart"] = "continue"
    """When audio was added: continue trains the earlier weights, restart starts from the base."""
    continue_epochs: Positive = 50
    """Epochs for which the earlier weights are trained when audio was added."""
    max_skipped_steps: Annotated[Positive, EXPERT] = 25
    """Steps in a row without a finite gradient before the training stops with advice."""

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
        return asdict(self) | {
            "betas": list(self.betas),
            "discriminator_periods": list(self.discriminator_periods),
        }
