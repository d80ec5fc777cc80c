"""The training loop of VITS (arXiv 2106.06103), from top to bottom.

setup: device, data, networks -> where to go on -> epochs of windows of micro-batches ->
validation, samples, checkpoints -> a summary for the export.
"""

import logging
import math
import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from transformers import VitsTokenizer

from lib.training.base_model import BaseModel
from lib.training.checkpoint import (
    BEST,
    Checkpoint,
    Progress,
    newest_checkpoint,
    recover_checkpoints,
    remove_surplus,
    replace_checkpoints,
    save_checkpoint,
    saved_step,
)
from lib.training.data import encode_sample, load_clips
from lib.training.device import describe_memory, start_accelerator
from lib.training.guard import SkippedSteps
from lib.training.interruption import Interruption, TrainingInterrupted
from lib.training.learner import NETWORKS, ClipWindow, Learner
from lib.training.memory import bound_memory, complete_in_memory, fits_in_memory
from lib.training.monitor import Monitor, Pace, archive_curves, mel_picture
from lib.training.processes import Ranks
from lib.training.resumption import (
    Resumption,
    decide_resumption,
    describe_recipe,
    digest_validation,
    note_code,
    settle_best,
)
from lib.training.settings import TrainingPaths, TrainingSettings
from lib.training.summary import write_summary
from lib.training.validation import BATCH, ValidationResult, choose_clips, validate
from lib.training.windows import Windows
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)


class Trainer:
    """One training, from setup to the last checkpoint."""

    def __init__(
        self,
        settings: TrainingSettings,
        paths: TrainingPaths,
        use_gpu: bool,
        texts: Sequence[str] = (),
        code: str | None = None,
    ) -> None:
        self.settings, self.paths, self.code = settings, paths, code

        # ---- device and precision
        self.accelerator = start_accelerator(settings, use_gpu)
        self.device = self.accelerator.device
        self.is_main = self.accelerator.is_main_process
        self.ranks = Ranks(self.accelerator)
        bound_memory(self.device, settings.memory_gb)

        # ---- data
        self.base = BaseModel.open(paths.base_model)
        self.tokenizer = VitsTokenizer.from_pretrained(paths.base_model)
        known = self.base.texts()
        self.clips, held_out = (
            load_clips(paths.dataset / split, self.tokenizer, self.base.speakers, known)
            for split in ("train", "validation")
        )
        if not self.clips:
            raise ValueError(f"{paths.dataset}: no clip to train on; see rejected.tsv")
        self.held_out = choose_clips(held_out, settings.max_validation_clips, settings.seed)
        # What validation scores can be compared with.
        self.validated_on = digest_validation(self.held_out, self.accelerator)
        clips = [*self.held_out, *self.clips]
        self.sample_ids = encode_sample(texts, clips, self.tokenizer, paths.base_model)

        # ---- networks, and where they go on
        self.learner = Learner(settings, self.base, self.accelerator)
        self.progress = Progress()
        vocabulary = self.tokenizer.get_vocab()
        self.recipe = describe_recipe(settings, self.base, vocabulary, [*self.clips, *held_out])
        self.skipped = SkippedSteps(self.progress, settings.max_skipped_steps)
        self._go_on()
        continued = self.recipe["continued"]
        self.epochs = settings.continue_epochs if continued else settings.epochs
        fresh = self.base.fresh_discriminator and not continued
        start = 0 if continued else settings.discriminator_start_step
        # Steps in which the generator learns alone, then steps in which the discriminator does.
        self.phases = start, start + (settings.discriminator_warmup_steps if fresh else 0)
        self.windows = Windows(self.clips, settings, self.progress)
        self.windows.probe(self._fits, describe_memory(self.device, settings))
        self.pace = Pace()
        self.last_save = time.monotonic()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Train to the end, or until interrupted.

        Raises
        ------
        TrainingInterrupted
            After SIGTERM or Ctrl-C, once the state is saved.
        TrainingDivergedError
            If steps keep giving no finite gradient.
        """
        progress = self.progress
        note_code(self.recipe, self.code, progress, is_over=self._is_over())
        total = self.epochs * len(self.windows.of_epoch(0))
        with (
            Monitor(self.paths.tensorboard, total, progress.step, self.is_main) as monitor,
            Interruption() as interruption,
        ):
            while not self._is_over():
                windows = self.windows.of_epoch(progress.epoch)
                self.learner.freeze(progress.epoch)
                progress.finished = False
                while progress.window < len(windows):
                    self._train_window(windows[progress.window], monitor)
                    progress.window += 1
                    progress.step += 1
                    (stop,) = self.ranks.any(interruption.requested)
                    if stop or self._save_is_due():
                        self._save(f"step{progress.step:08d}")
                    if stop:
                        raise TrainingInterrupted(
                            "stopped by a signal; the state is saved, run again to go on"
                        )
                progress.epoch += 1
                progress.window = 0
                self._finish_epoch(monitor)
                self.windows.probe(self._fits, describe_memory(self.device, self.settings))
        self._finish()

    def _train_window(self, window: ClipWindow, monitor: Monitor) -> None:
        """One optimizer step of both networks."""
        progress, learner = self.progress, self.learner
        learning_rate = learner.set_learning_rate(progress)
        window, means = self._accumulate(window)
        means = learner.sum_over_processes(means)
        taken, norms = learner.apply(progress.step)
        self.skipped.add(progress.step, taken, learner.overflowed(taken, means), window)
        self.pace.count(sum(map(len, window)))
        shown = {}
        if progress.step % self.settings.log_every == 0:
            # Only here, and before a save, does the loop wait for the device.
            self.skipped.read()
            shown = {name: float(value) for name, value in means.items()}
            extra = {
                "learning_rate": learning_rate,
                "skipped_steps": progress.skipped_steps,
                "overflowed_steps": progress.overflowed_steps,
            }
            extra |= self.pace.read(learner.data_seconds)
            if self.device.type == "cuda":
                extra["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
            for group, values in (
                ("train", shown),
                ("gradient_norm", norms),
                ("optimizer", extra),
            ):
                monitor.scalars(group, values, progress.step)
        monitor.advance(progress.epoch, shown)

    def _accumulate(self, window: ClipWindow) -> tuple[ClipWindow, dict[str, Tensor]]:
        """Compute the gradients of a window, in ever smaller parts until they fit into memory.

        Returns
        -------
        tuple
            The window in its parts, and this process's share of the losses.
        """
        means: dict[str, Tensor] = {}
        while True:
            parts = self.windows.fit(window)
            enough = complete_in_memory(partial(self._compute, parts, means))
            (ran_out,) = self.ranks.any(not enough)
            if not ran_out:
                return parts, means
            # No state has changed yet: the same window again.
            means.clear()
            self.windows.shrink(parts)

    def _compute(self, window: ClipWindow, means: dict[str, Tensor]) -> None:
        """Compute the gradients of a window; put the losses into `means`."""
        step = self.progress.step
        means |= self.learner.accumulate(window, step, self._learning(step))

    def _learning(self, step: int) -> tuple[str, ...]:
        """Name the networks that learn in a step."""
        generator_alone, discriminator_alone = self.phases
        if step < generator_alone:
            return ("generator",)
        return ("discriminator",) if step < discriminator_alone else NETWORKS

    def _finish_epoch(self, monitor: Monitor) -> None:
        """Validate, speak samples, save milestones and the best state."""
        settings, progress = self.settings, self.progress
        last = progress.epoch == self.epochs
        # Under the last step taken: what a resumed run repeats begins with the next one.
        step = progress.step - 1
        if self.held_out and (last or progress.epoch % settings.validate_every == 0):
            self._validate(monitor, step)
        if self._is_stale():
            logger.info("No better validation score since epoch %d: stopping", progress.best_epoch)
            last = True
        if last or progress.epoch % settings.samples_every == 0:
            with self.learner.ema.applied():
                for speaker, row in self.base.learnt_speakers().items():
                    waveform = synthesize(self.learner.model, self.sample_ids, row, settings.seed)
                    monitor.audio(f"samples/{speaker}", waveform, step)
        progress.finished = last
        self._save_epoch()

    def _is_over(self) -> bool:
        """Whether there is nothing left to train."""
        return self.progress.epoch >= self.epochs or self._is_stale()

    def _is_stale(self) -> bool:
        """Whether validation has not improved for as long as early stopping waits."""
        patience, best = self.settings.early_stopping_epochs, self.progress.best_epoch
        return None not in (patience, best) and self.progress.epoch - best >= patience

    def _fits(self, window: ClipWindow) -> bool:
        """Whether every process can learn from a window at once."""
        if self.device.type != "cuda":
            return True
        enough = fits_in_memory(lambda: self.learner.rehearse(window))
        return not self.ranks.any(not enough)[0]

    def _validate(self, monitor: Monitor, at: int) -> None:
        """Measure the averaged weights on the validation clips; keep the best."""
        progress = self.progress
        with self.learner.ema.applied():
            result = self._measure()
        monitor.scalars("validation", {**result.losses, "score": result.score}, at)
        if example := result.example:
            monitor.picture("validation/mel_true", mel_picture(example.target_mel[0]), at)
            monitor.picture("validation/mel_generated", mel_picture(example.mel[0]), at)
            monitor.picture("validation/alignment", example.path[0].T, at)
        logger.info("Epoch %d: validation score %.4f", progress.epoch, result.score)
        # A score that is not a number is worse than any.
        best = math.inf if progress.best_score is None else progress.best_score
        if result.score < best:
            self._note_best(result, progress.epoch)

    def _measure(self) -> ValidationResult:
        """Measure the weights in the model on the validation clips."""
        with self.accelerator.autocast():
            return validate(
                self.learner.model,
                self.held_out,
                self.learner.spectrogram,
                self.settings.loss_weights,
                self.settings.segment_frames,
                BATCH,
                self.settings.seed,
                self.accelerator,
            )

    def _note_best(self, result: ValidationResult, epoch: int) -> None:
        progress = self.progress
        progress.best_score, progress.best_epoch = result.score, epoch
        progress.best_losses = result.weighted

    # ------------------------------------------------------------------ state

    def _go_on(self) -> None:
        """Take up the newest checkpoint as far as the recipe allows."""
        root = self.paths.checkpoints
        if self.is_main:
            recover_checkpoints(root)
        self.accelerator.wait_for_everyone()
        found = newest_checkpoint(root) if self.settings.resume else None
        decision = decide_resumption(found, self.recipe, self.settings)
        if decision is Resumption.RESUME:
            self._resume(found)
            return
        first = None
        if decision is Resumption.WARM_START:
            self.learner.warm_start(found, self.base.speakers, self.recipe["vocabulary"])
            self.recipe["continued"] = True
            first = self.learner.checkpoint(self.progress, self.recipe)
        self.progress.validated_on = self.validated_on
        self.accelerator.wait_for_everyone()
        if self.is_main:
            archive_curves(self.paths.tensorboard)
            archived = replace_checkpoints(root, first)
            if archived:
                logger.warning("Earlier checkpoints are kept in %s", archived)

    def _resume(self, found: Checkpoint) -> None:
        """Go on from a checkpoint, with the best weights so far."""
        self.learner.restore(found)
        progress = self.progress = self.skipped.progress = found.progress
        self.recipe["continued"] = found.recipe["continued"]
        self.recipe["code"] = list(found.recipe.get("code", []))
        logger.info("Going on at epoch %d, step %d", progress.epoch, progress.step)
        if progress.best_epoch is not None:
            self._take_up_best()
        progress.validated_on = self.validated_on
        if progress.epoch and not progress.window:
            self._save_epoch()

    def _take_up_best(self) -> None:
        """Settle which epoch is the best so far, by scores that can be compared."""
        path = self.paths.checkpoints / BEST
        best = settle_best(self.progress, path, self.validated_on)
        if best is None or not self.held_out:
            return
        with self.learner.ema.applied(best.ema):
            result = self._measure()
        logger.info("The best epoch is measured anew, since scores are no longer comparable")
        self._note_best(result, self.progress.best_epoch)
        # Its own record stands beside the weights.
        best.progress.best_score, best.progress.best_losses = result.score, result.weighted
        best.progress.validated_on = self.validated_on
        if self.is_main:
            save_checkpoint(path, best)

    def _save_epoch(self) -> None:
        """Save what the end of an epoch asks for, unless a run that was killed here has."""
        progress = self.progress
        # The best first: what a state tells of it must be there when that state is taken up.
        names = [BEST] if progress.best_epoch == progress.epoch else []
        if progress.finished or progress.epoch % self.settings.checkpoint_every == 0:
            names.append(f"epoch{progress.epoch:04d}")
        for name in names:
            if saved_step(self.paths.checkpoints / name) != progress.step:
                self._save(name)

    def _save_is_due(self) -> bool:
        return time.monotonic() - self.last_save > self.settings.save_minutes * 60

    def _save(self, name: str) -> None:
        self.skipped.read()
        if name != BEST:
            self.last_save = time.monotonic()
        if self.is_main:
            collect = self.learner.voice if name == BEST else self.learner.checkpoint
            save_checkpoint(self.paths.checkpoints / name, collect(self.progress, self.recipe))
            remove_surplus(self.paths.checkpoints, self.settings.keep)

    def _finish(self) -> None:
        """Make sure that the state reached is saved, and say where the weights are."""
        progress, root = self.progress, self.paths.checkpoints
        if progress.epoch > self.epochs or (progress.epoch == self.epochs and progress.window):
            logger.warning(
                "training.epochs is %d, and epoch %d is done already: nothing more is trained. "
                "Any milestone below %s becomes a voice by python -m lib.training",
                self.epochs,
                progress.epoch,
                root,
            )
        # Fewer epochs, or early stopping, may have been asked for after this state was reached.
        progress.finished = True
        last = f"step{progress.step:08d}" if progress.window else f"epoch{progress.epoch:04d}"
        if saved_step(root / last) != progress.step:
            self._save(last)
        if self.is_main:
            write_summary(
                self.paths,
                progress,
                self.recipe,
                best=root / (last if progress.best_epoch is None else BEST),
                last=root / last,
                num_clips=(len(self.clips), len(self.held_out)),
                excluded=self.base.excluded,
                code=self.code,
            )
