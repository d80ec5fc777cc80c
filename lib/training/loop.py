"""The training loop of VITS (arXiv 2106.06103), from top to bottom.

setup: device, data, networks, optimizers -> where to go on -> epochs of windows of micro-batches
-> validation, samples, checkpoints -> the final model.
"""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn
from transformers import VitsModel, VitsTokenizer

from lib.training.base_model import BaseModel
from lib.training.batching import Window, plan_epoch, step_seed
from lib.training.checkpoint import (
    Checkpoint,
    Progress,
    archive_checkpoints,
    load_checkpoint,
    newest_checkpoint,
    remove_surplus,
    save_checkpoint,
)
from lib.training.data import collate, load_clips
from lib.training.ema import MovingAverage
from lib.training.export import export_model
from lib.training.interruption import Interruption
from lib.training.memory import bound_memory, choose_micro_batch, fits_in_memory, free_memory
from lib.training.monitor import Monitor, mel_picture
from lib.training.resumption import Resumption, decide_resumption, describe_recipe
from lib.training.settings import TrainingSettings
from lib.training.validation import choose_clips, validate
from lib.vits.adapt import warm_start
from lib.vits.model import Counts, backward_step, forward_step, prepare_for_training
from lib.vits.spectrogram import Spectrogram
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)

_LOG_EVERY = 10


@dataclass(frozen=True)
class TrainingPaths:
    """Where a training reads and writes."""

    dataset: Path
    base_model: Path
    checkpoints: Path
    tensorboard: Path
    model: Path


class TrainingDivergedError(RuntimeError):
    """Too many steps in a row gave no finite gradient."""


class Trainer:
    """One training, from setup to the exported model."""

    def __init__(
        self, settings: TrainingSettings, paths: TrainingPaths, use_gpu: bool, sample_text: str
    ) -> None:
        # ---- device and precision
        self.settings, self.paths = settings, paths
        on_gpu = use_gpu and torch.cuda.is_available()
        if use_gpu and not on_gpu:
            logger.warning(
                "No CUDA device is visible: training on the CPU. A full-size model needs weeks "
                "there; `--resources gpu=0` silences this."
            )
        precision = settings.precision if on_gpu or settings.precision == "bf16" else "fp32"
        mixed = {"fp32": "no"}.get(precision, precision)
        self.accelerator = Accelerator(mixed_precision=mixed, cpu=not on_gpu)
        self.device = self.accelerator.device
        bound_memory(self.device, settings.memory_gb)
        logger.info("Training on %s in %s", self.device, precision)

        # ---- data
        self.base = BaseModel.open(paths.base_model)
        self.tokenizer = VitsTokenizer.from_pretrained(paths.base_model)
        self.clips, held_out = (
            load_clips(paths.dataset / split, self.tokenizer, self.base.speakers, excluded)
            for split, excluded in (
                ("train", self.base.excluded),
                ("validation", self.base.excluded),
            )
        )
        if not self.clips:
            raise ValueError(f"{paths.dataset}: no clip to train on; see rejected.tsv")
        self.sample_ids = self.tokenizer(sample_text).input_ids if sample_text else []
        self.held_out = choose_clips(held_out, settings.max_validation_clips, settings.seed)

        # ---- networks and optimizers
        self.spectrogram = Spectrogram().to(self.device)
        self.model = prepare_for_training(VitsModel.from_pretrained(paths.base_model))
        self.model.to(self.device)
        self.discriminator = self.base.load_discriminator(settings).to(self.device)
        self.ema = MovingAverage(self.model, settings.ema_decay)
        self.optimizers = {
            "generator": self._optimizer(self.model),
            "discriminator": self._optimizer(self.discriminator),
        }
        self.scaler = self.accelerator.scaler or torch.amp.GradScaler(enabled=False)

        # ---- where to go on
        self.progress = Progress()
        self.recipe = describe_recipe(
            settings, self.base, self.tokenizer.get_vocab(), [*self.clips, *held_out]
        )
        self._go_on()
        self.epochs = settings.continue_epochs if self.recipe["continued"] else settings.epochs
        self.progress.micro_batch = self.progress.micro_batch or self._probe_micro_batch()
        self.micro_batch_limit = self.progress.micro_batch
        self.skipped_in_a_row = 0
        self.last_save = time.monotonic()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Train to the end, or until interrupted, and export the model.

        Raises
        ------
        TrainingInterrupted
            After SIGTERM or Ctrl-C, once the state is saved.
        TrainingDivergedError
            If steps keep giving no finite gradient.
        """
        progress = self.progress
        per_epoch = len(self._windows(0))
        total = self.epochs * per_epoch
        main = self.accelerator.is_main_process
        monitor = Monitor(self.paths.tensorboard, total, progress.step, 16_000, main)
        with Interruption() as interruption:
            while progress.epoch < self.epochs:
                windows = self._windows(progress.epoch)
                while progress.window < len(windows):
                    self._train_window(self._split(windows[progress.window]), monitor)
                    progress.window += 1
                    progress.step += 1
                    if interruption.requested or self._save_is_due():
                        self._save(f"step{progress.step:08d}")
                    interruption.stop_if_requested()
                progress.epoch += 1
                progress.window = 0
                self._finish_epoch(monitor)
                interruption.stop_if_requested()
        progress.finished = True
        self._save(f"epoch{progress.epoch:04d}")
        monitor.close()
        if main:
            self._export()

    def _train_window(self, window: Window, monitor: Monitor) -> None:
        """One optimizer step of both networks over a window of micro-batches."""
        settings, progress = self.settings, self.progress
        learning_rate = self._set_learning_rate()
        warming_up = self.base.fresh_discriminator and (
            progress.step < settings.discriminator_warmup_steps
        )
        try:
            means = self._accumulate(window, generator_learns=not warming_up)
        except torch.cuda.OutOfMemoryError:
            self._shrink_micro_batch()
            return self._train_window(self._split(window), monitor)
        norms = self._finish_gradients()
        if all(torch.isfinite(norm) for norm in norms.values()):
            self.skipped_in_a_row = 0
            for name, optimizer in self.optimizers.items():
                if name == "discriminator" or not warming_up:
                    self.scaler.step(optimizer)
            self.ema.update(progress.step)
        else:
            self._skip_step(window)
        self.scaler.update()
        shown = {}
        if progress.step % _LOG_EVERY == 0:
            shown = {name: float(value) for name, value in means.items()}
            monitor.scalars("train", shown, progress.step)
            monitor.scalars("gradient_norm", norms, progress.step)
            extra = {"learning_rate": learning_rate, "skipped_steps": progress.skipped_steps}
            if self.device.type == "cuda":
                extra["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
            monitor.scalars("optimizer", extra, progress.step)
        monitor.advance(progress.epoch, shown)

    def _accumulate(self, window: Window, generator_learns: bool) -> dict[str, torch.Tensor]:
        """Add the gradients of a window; every process takes its share of the micro-batches."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        counts = self._counts(window)
        scale = self.scaler.get_scale() if self.scaler.is_enabled() else 1.0
        means: dict[str, torch.Tensor] = {}
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        for number in range(rank, len(window), processes):
            batch = collate([self.clips[i] for i in window[number]]).to(self.device)
            torch.manual_seed(step_seed(self.settings.seed, self.progress.step, number))
            with self.accelerator.autocast():
                step = forward_step(
                    self.model,
                    self.discriminator,
                    batch,
                    self.spectrogram,
                    self.settings.segment_frames,
                )
            weights = self.settings.loss_weights
            backward_step(step, self.discriminator, counts, weights, scale, generator_learns)
            for name, value in step.means(counts).items():
                means[name] = means.get(name, 0) + value
        return means

    def _finish_gradients(self) -> dict[str, torch.Tensor]:
        """Sum gradients over processes, undo the loss scale, clip; return their norms."""
        norms = {}
        for name, optimizer in self.optimizers.items():
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            if self.accelerator.num_processes > 1:
                self._sum_over_processes(parameters)
            with_gradient = [p for p in parameters if p.grad is not None]
            if not with_gradient:
                continue
            self.scaler.unscale_(optimizer)
            limit = self.settings.gradient_clip or float("inf")
            norms[name] = nn.utils.clip_grad_norm_(with_gradient, limit)
        return norms

    def _finish_epoch(self, monitor: Monitor) -> None:
        """Validate, speak samples, save milestones and the best state."""
        settings, progress = self.settings, self.progress
        last = progress.epoch == self.epochs
        if self.held_out and (last or progress.epoch % settings.validate_every == 0):
            self._validate(monitor)
        if self.sample_ids and (last or progress.epoch % settings.samples_every == 0):
            with self.ema.applied():
                for speaker, row in self.base.speakers.items():
                    waveform = synthesize(self.model, self.sample_ids, row, settings.seed)
                    monitor.audio(f"samples/{speaker}", waveform, progress.step)
        if progress.epoch % settings.checkpoint_every == 0 and not last:
            self._save(f"epoch{progress.epoch:04d}")

    def _validate(self, monitor: Monitor) -> None:
        settings, progress = self.settings, self.progress
        with self.ema.applied(), self.accelerator.autocast():
            result = validate(
                self.model,
                self.held_out,
                self.spectrogram,
                settings.loss_weights,
                settings.segment_frames,
                progress.micro_batch,
                settings.seed,
                self.device,
            )
        monitor.scalars("validation", {**result.losses, "score": result.score}, progress.step)
        example = result.example
        monitor.picture("validation/mel_true", mel_picture(example.target_mel[0]), progress.step)
        monitor.picture("validation/mel_generated", mel_picture(example.mel[0]), progress.step)
        monitor.picture("validation/alignment", example.path[0].T, progress.step)
        logger.info("Epoch %d: validation score %.4f", progress.epoch, result.score)
        if progress.best_score is None or result.score < progress.best_score:
            progress.best_score, progress.best_epoch = result.score, progress.epoch
            self._save("best")

    # ------------------------------------------------------------------ parts

    def _optimizer(self, network: nn.Module) -> torch.optim.AdamW:
        """AdamW; the speaker table in a group with its own learning-rate factor."""
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
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
        )

    def _set_learning_rate(self) -> float:
        """Warm up by steps, decay by epochs: a function of the progress alone."""
        settings, progress = self.settings, self.progress
        rate = settings.learning_rate * settings.learning_rate_decay**progress.epoch
        if settings.warmup_steps:
            rate *= min(1.0, (progress.step + 1) / settings.warmup_steps)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
        return rate

    def _windows(self, epoch: int) -> list[Window]:
        micro_batch = self.progress.micro_batch
        accumulation = max(1, round(self.settings.effective_batch / micro_batch))
        lengths = [len(clip.audio) for clip in self.clips]
        return plan_epoch(lengths, micro_batch, accumulation, self.settings.seed, epoch)

    def _counts(self, window: Window) -> Counts:
        """Sizes of a whole window over all processes: what its losses are divided by."""
        clips = [self.clips[i] for micro_batch in window for i in micro_batch]
        return Counts(
            clips=len(clips),
            frames=sum(clip.num_frames() for clip in clips),
            tokens=sum(len(clip.input_ids) for clip in clips),
        )

    def _sum_over_processes(self, parameters: list[nn.Parameter]) -> None:
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([p.grad.flatten() for p in parameters])
        flat = self.accelerator.reduce(flat, reduction="sum")
        for parameter, part in zip(
            parameters, flat.split([p.numel() for p in parameters]), strict=True
        ):
            parameter.grad.copy_(part.view_as(parameter))

    def _skip_step(self, window: Window) -> None:
        self.progress.skipped_steps += 1
        self.skipped_in_a_row += 1
        clips = [self.clips[i].id for micro_batch in window for i in micro_batch]
        logger.warning(
            "Step %d skipped: no finite gradient. Clips: %s", self.progress.step, ", ".join(clips)
        )
        if self.skipped_in_a_row > self.settings.max_skipped_steps:
            raise TrainingDivergedError(
                f"{self.skipped_in_a_row} steps in a row gave no finite gradient. The last "
                f"checkpoint in {self.paths.checkpoints} is whole. Try training.precision: bf16 "
                "(or fp32), a lower training.learning_rate, or listen to the clips named above."
            )

    def _probe_micro_batch(self) -> int:
        """Find the largest micro-batch whose worst case stays within the memory budget."""
        settings = self.settings
        longest = sorted(range(len(self.clips)), key=lambda i: -len(self.clips[i].audio))

        def fits(micro_batch: int) -> bool:
            worst = (longest * micro_batch)[:micro_batch]
            return fits_in_memory(lambda: self._accumulate([worst], generator_learns=True))

        if self.device.type != "cuda":
            fits = lambda _: True  # noqa: E731
        chosen = choose_micro_batch(settings.effective_batch, settings.accumulation, fits)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        return chosen

    def _shrink_micro_batch(self) -> None:
        """Halve the micro-batch after running out of memory: no state has changed yet."""
        if self.micro_batch_limit == 1:
            raise MemoryError(
                "a single clip does not fit into training.memory_gb: raise it, or lower "
                "audio.max_duration"
            )
        self.micro_batch_limit = (self.micro_batch_limit + 1) // 2
        free_memory()
        logger.warning("Out of memory: micro-batches are split to %d", self.micro_batch_limit)

    def _split(self, window: Window) -> Window:
        """Cut micro-batches to the limit; the order of clips stays that of the plan."""
        size = self.micro_batch_limit
        return [part[i : i + size] for part in window for i in range(0, len(part), size)]

    # ------------------------------------------------------------------ state

    def _go_on(self) -> None:
        """Take up the newest checkpoint as far as the recipe allows."""
        found = newest_checkpoint(self.paths.checkpoints) if self.settings.resume else None
        decision = decide_resumption(found, self.recipe, self.settings)
        if decision is Resumption.RESUME:
            self._restore(found)
            return
        if self.accelerator.is_main_process:
            archived = archive_checkpoints(self.paths.checkpoints)
            if archived:
                logger.warning("Earlier checkpoints are kept in %s", archived)
        if decision is Resumption.WARM_START:
            earlier = found.recipe
            maps = (
                (earlier["speakers"], self.base.speakers),
                (earlier["vocabulary"], self.tokenizer.get_vocab()),
            )
            warm_start(self.model, {**found.generator, **found.ema}, *maps)
            self.discriminator.load_state_dict(found.discriminator)
            self.ema = MovingAverage(self.model, self.settings.ema_decay)
            self.base = replace(self.base, fresh_discriminator=False)
            self.recipe["continued"] = True
        self.accelerator.wait_for_everyone()

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.model.load_state_dict(checkpoint.generator)
        self.discriminator.load_state_dict(checkpoint.discriminator)
        self.ema.load({k: v.to(self.device) for k, v in checkpoint.ema.items()})
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(checkpoint.optimizers[name])
        self.scaler.load_state_dict(checkpoint.optimizers["scaler"])
        self.progress = checkpoint.progress
        self.recipe["continued"] = checkpoint.recipe["continued"]
        self.progress.finished = False
        logger.info("Going on at epoch %d, step %d", self.progress.epoch, self.progress.step)

    def _save_is_due(self) -> bool:
        return time.monotonic() - self.last_save > self.settings.save_minutes * 60

    def _save(self, name: str) -> None:
        self.last_save = time.monotonic()
        if not self.accelerator.is_main_process:
            return
        states = {key: optimizer.state_dict() for key, optimizer in self.optimizers.items()}
        checkpoint = Checkpoint(
            progress=self.progress,
            recipe=self.recipe,
            generator=self.model.state_dict(),
            ema=self.ema.average,
            discriminator=self.discriminator.state_dict(),
            optimizers={**states, "scaler": self.scaler.state_dict()},
        )
        save_checkpoint(self.paths.checkpoints / name, checkpoint)
        remove_surplus(self.paths.checkpoints, self.settings.keep)

    def _export(self) -> None:
        """Write the best (or last) averaged weights as a plain transformers model."""
        weights, epoch = self.ema.average, self.progress.epoch
        if self.settings.export == "best" and self.progress.best_epoch is not None:
            weights = load_checkpoint(self.paths.checkpoints / "best").ema
            epoch = self.progress.best_epoch
        export_model(self.base, weights, self.paths.model, epoch)
