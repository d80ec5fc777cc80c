"""One optimizer step of both networks, and the state that it changes."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import VitsModel

from lib.base_model.record import BaseModel
from lib.config.training import TrainingSettings
from lib.training.batching import StepBatch
from lib.training.checkpoint import Checkpoint, TrainState
from lib.training.settings import NETWORKS
from lib.vits.adapt import warm_start
from lib.vits.clips import collate, noise_seed
from lib.vits.model import Counts, backward_step, forward_step, prepare_for_training
from lib.vits.spectrogram import Spectrogram

_BUCKET = 2**22
"""Number of gradient values that processes exchange at once: 16 MB."""


class TrainStep:
    """Generator, discriminator, their optimizers, the gradient scaler and the moving average."""

    def __init__(
        self, settings: TrainingSettings, base: BaseModel, accelerator: Accelerator
    ) -> None:
        self.settings, self.accelerator = settings, accelerator
        self.device = accelerator.device
        self.spectrogram = Spectrogram().to(self.device)
        self.model = prepare_for_training(VitsModel.from_pretrained(base.directory))
        self.model.to(self.device)
        self.discriminator = base.load_discriminator(
            settings.discriminator_periods, settings.discriminator_channels, settings.seed
        ).to(self.device)
        if settings.speakers_only_epochs and self.model.config.num_speakers < 2:
            raise ValueError(
                "training.speakers_only_epochs asks for a base with several speakers, and "
                f"{base.source} with this dataset has one; set it to 0"
            )
        self.ema = MovingAverage(self.model, settings.ema_decay)
        self.optimizers = {
            "generator": self._optimizer(self.model),
            "discriminator": self._optimizer(self.discriminator),
        }
        for optimizer in self.optimizers.values():
            _make_state(optimizer)
        self.learning = list(NETWORKS)
        self.data_seconds = 0.0
        self.scaler = accelerator.scaler or torch.amp.GradScaler(enabled=False)

    # ------------------------------------------------------------------ one step

    def accumulate(
        self, batch: StepBatch, step: int, learning: Collection[str] = NETWORKS
    ) -> dict[str, Tensor]:
        """Compute the gradients of a step; every process computes its share of micro-batches.

        The sums of losses are divided by the sizes of the whole batch over all processes. So the
        number of micro-batches and of processes does not change the gradients.

        Parameters
        ----------
        step
            Number of the step, from which the noise is computed.
        learning
            Names of the networks that learn. Without the discriminator there is no adversarial
            loss.

        Returns
        -------
        dict
            This process's part of the losses, ``()`` each on the device; see `sum_over_processes`.
        """
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        self.learning = [name for name in NETWORKS if name in learning]
        discriminator = self.discriminator if "discriminator" in learning else None
        generator_learns = "generator" in learning
        counts = count_batch(batch)
        # The scale stays a tensor on the device, because reading it would wait for the GPU.
        scale = self.scaler.scale(torch.ones((), device=self.device))
        means = {name: torch.zeros((), device=self.device) for name in self._loss_names()}
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        for number in range(rank, len(batch), processes):
            began = time.perf_counter()
            micro_batch = collate(batch[number]).to(self.device)
            self.data_seconds += time.perf_counter() - began
            torch.manual_seed(noise_seed(self.settings.seed, step, number))
            with self.accelerator.autocast():
                losses = forward_step(
                    self.model,
                    discriminator,
                    micro_batch,
                    self.spectrogram,
                    self.settings.segment_frames,
                )
            weights = self.settings.loss_weights
            backward_step(losses, discriminator, counts, weights, scale, generator_learns)
            for name, value in losses.means(counts).items():
                means[name] = means[name] + value
        return means

    def rehearse(self, batch: StepBatch) -> None:
        """Use as much memory as a step over a batch needs, without changing any weight."""
        self.accumulate(batch, step=0)
        for optimizer in self.optimizers.values():
            _step_without_effect(optimizer)
            optimizer.zero_grad(set_to_none=True)

    def apply(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Step the optimizers if all gradients are finite, without waiting for the device.

        It needs no more memory than `rehearse` does.

        Returns
        -------
        tuple
            Whether the step was taken, ``()`` bool on the device, and the gradient norm of each
            network that learns.
        """
        norms = self._finish_gradients()
        finite = torch.isfinite(torch.stack(list(norms.values()))).all()
        for name in norms:
            # A fused optimizer reads this on the device; if it is 1, the step changes nothing.
            self.optimizers[name].found_inf = (~finite).float()
            self.optimizers[name].step()
        self.ema.update(step)
        self.scaler.update()
        return finite, norms

    def overflowed(self, taken: Tensor, means: Mapping[str, Tensor]) -> Tensor:
        """Return whether a step was not taken because the loss scale was too high; ``()`` bool."""
        finite = torch.isfinite(torch.stack(list(means.values()))).all()
        return ~taken & finite if self.scaler.is_enabled() else torch.zeros_like(taken)

    def set_learning_rate(self, state: TrainState) -> float:
        """Set and return the learning rate, which depends on the train state alone.

        It rises over the warm-up steps and decays from epoch to epoch.
        """
        settings = self.settings
        rate = settings.learning_rate * settings.learning_rate_decay**state.epoch
        if settings.warmup_steps:
            rate *= min(1.0, (state.step + 1) / settings.warmup_steps)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
        return rate

    def freeze(self, epoch: int) -> None:
        """Freeze those parts of the generator that do not learn in an epoch, by the settings."""
        text_frozen = epoch < self.settings.freeze_text_encoder_epochs
        others_frozen = epoch < self.settings.speakers_only_epochs
        for name, parameter in self.model.named_parameters():
            of_speakers = name.startswith("embed_speaker") or ".cond" in name
            frozen = others_frozen or (text_frozen and name.startswith("text_encoder"))
            parameter.requires_grad_(of_speakers or not frozen)

    def _optimizer(self, network: nn.Module) -> torch.optim.AdamW:
        """Return AdamW with the speaker table in a group with its own learning-rate factor."""
        settings = self.settings
        speakers, others = [], []
        for name, parameter in network.named_parameters():
            (speakers if name.startswith("embed_speaker") else others).append(parameter)
        groups = [{"params": others, "factor": 1.0}]
        if speakers:
            groups.append({"params": speakers, "factor": settings.speaker_learning_rate_factor})
        return torch.optim.AdamW(
            groups,
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.adam_epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def _finish_gradients(self) -> dict[str, Tensor]:
        """Sum gradients over processes, undo the loss scale, clip; return their norms."""
        norms = {}
        for name in self.learning:
            optimizer = self.optimizers[name]
            groups = optimizer.param_groups
            parameters = [p for group in groups for p in group["params"] if p.requires_grad]
            if self.accelerator.num_processes > 1:
                self._sum_gradients(parameters)
            self.scaler.unscale_(optimizer)
            gradients = [p.grad for p in parameters if p.grad is not None]
            norms[name] = nn.utils.get_total_norm(gradients)
            if self.settings.max_grad_norm is not None:
                limit = self.settings.max_grad_norm
                nn.utils.clip_grads_with_norm_(parameters, limit, norms[name])
        return norms

    def sum_over_processes(self, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses of the step: the sums of all processes' parts."""
        if self.accelerator.num_processes == 1:
            return dict(means)
        total = self.accelerator.reduce(torch.stack(list(means.values())), reduction="sum")
        return dict(zip(means, total.unbind(), strict=True))

    def _loss_names(self) -> list[str]:
        names = ["mel", "kl", "duration"]
        if "discriminator" in self.learning:
            names += ["adversarial", "feature", "discriminator"]
        return names

    def _sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Sum gradients over processes, some millions of values at a time."""
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        bucket: list[Tensor] = []
        for number, parameter in enumerate(parameters, 1):
            bucket.append(parameter.grad)
            if number < len(parameters) and sum(g.numel() for g in bucket) < _BUCKET:
                continue
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            flat = self.accelerator.reduce(flat, reduction="sum")
            parts = flat.split([gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
            bucket = []

    # ------------------------------------------------------------------ state

    def checkpoint(self, state: TrainState, signature: Mapping) -> Checkpoint:
        """Return everything that resuming needs."""
        states = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return Checkpoint(
            state=state,
            signature=signature,
            generator=self.model.state_dict(),
            ema=self.ema.average,
            discriminator=self.discriminator.state_dict(),
            optimizers={**states, "scaler": self.scaler.state_dict()},
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Load the state of a checkpoint, so that the training resumes exactly there."""
        self.model.load_state_dict(checkpoint.generator)
        self.discriminator.load_state_dict(checkpoint.discriminator)
        self.ema.load(checkpoint.ema)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(checkpoint.optimizers[name])
        # The scaler's state is empty if the earlier part of the training had another precision or
        # ran on the CPU. Then the scale is found anew.
        if checkpoint.optimizers["scaler"]:
            self.scaler.load_state_dict(checkpoint.optimizers["scaler"])

    def averaged(self, state: TrainState, signature: Mapping) -> Checkpoint:
        """Return what an export needs, which is an eighth of what resuming needs."""
        return Checkpoint(state=state, signature=signature, ema=self.ema.average)

    def warm_start(
        self,
        checkpoint: Checkpoint,
        speakers: Mapping[str, int],
        vocabulary: Mapping[str, int],
    ) -> None:
        """Load a checkpoint's averaged weights into networks fitted to new data."""
        earlier = checkpoint.signature
        warm_start(
            self.model,
            {**checkpoint.generator, **checkpoint.ema},
            (earlier["speakers"], speakers),
            (earlier["vocabulary"], vocabulary),
        )
        self.discriminator.load_state_dict(checkpoint.discriminator)
        self.ema = MovingAverage(self.model, self.settings.ema_decay)


class MovingAverage:
    """Moving average of a model's weights over its steps; its decay is smaller in early steps."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(model.named_parameters())
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after optimizer step ``step`` (from 0) to the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = [p.detach() for p in self.parameters.values()]
        torch._foreach_lerp_(list(self.average.values()), current, 1 - decay)

    @contextmanager
    def applied(self, weights: Mapping[str, Tensor] | None = None) -> Iterator[None]:
        """Put the average, or an earlier one, into the model for the time of the block."""
        average = self.average
        if weights is not None:
            average = {name: weights[name].to(own.device) for name, own in average.items()}
        self._swap(average)
        try:
            yield
        finally:
            self._swap(average)

    def load(self, average: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, value in average.items():
            self.average[name].copy_(value)

    def _swap(self, weights: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.data, weights[name] = weights[name], parameter.data


def _make_state(optimizer: torch.optim.Optimizer) -> None:
    """Make an optimizer's moments now, because memory might be short in the first step."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    _step_without_effect(optimizer)
    optimizer.zero_grad(set_to_none=True)


def _step_without_effect(optimizer: torch.optim.Optimizer) -> None:
    """Call an optimizer's step as after a gradient that was not finite: no weight changes."""
    device = optimizer.param_groups[0]["params"][0].device
    optimizer.found_inf = torch.ones((), device=device)
    optimizer.step()


def count_batch(batch: StepBatch) -> Counts:
    """Return the sizes of a whole batch, by which the sums of its losses are divided."""
    clips = [clip for micro_batch in batch for clip in micro_batch]
    return Counts(
        clips=len(clips),
        frames=sum(clip.num_frames() for clip in clips),
        tokens=sum(len(clip.input_ids) for clip in clips),
    )
