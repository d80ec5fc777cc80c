"""The training loop of VITS (arXiv 2106.06103), from top to bottom.

The order is: setup of device, data and networks; where to start; epochs of optimizer steps of
micro-batches; validation, samples and checkpoints; the summary for the export.
"""

import logging
import math
import time
from collections.abc import Sequence
from functools import partial

from torch import Tensor
from transformers import VitsTokenizer

from lib.base_model.clips import encode_sample, load_clips
from lib.base_model.record import BaseModel
from lib.config.training import TrainingSettings
from lib.errors import ExpectedStop
from lib.signals import StopSignals
from lib.training.batching import Batches, StepBatch
from lib.training.checkpoint import (
    BEST,
    Checkpoint,
    TrainState,
    newest_checkpoint,
    recover_checkpoints,
    remove_surplus,
    replace_checkpoints,
    save_checkpoint,
    saved_step,
)
from lib.training.device import (
    Ranks,
    bound_memory,
    complete_in_memory,
    describe_memory,
    fits_in_memory,
    start_accelerator,
)
from lib.training.logging import Throughput, TrainingLog, archive_curves, write_outcome
from lib.training.non_finite_steps import NonFiniteSteps
from lib.training.resume import (
    Start,
    decide_start,
    make_keeper,
    make_signature,
    note_code,
    note_surplus_epochs,
    settle_best,
)
from lib.training.settings import LearningPhases, TrainingPaths
from lib.training.step import TrainStep
from lib.training.validation import ValidationResult, Validator
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)


STOPPED = "stopped by a signal; the state is saved, run again to go on"


class TrainingInterrupted(RuntimeError, ExpectedStop):  # noqa: N818 - an event, not an error
    """The training was asked to stop and has saved its state."""


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
        tokenizer = VitsTokenizer.from_pretrained(paths.base_model)
        self.clips, held_out = (
            load_clips(paths.dataset / split, tokenizer, self.base.speakers)
            for split in ("train", "validation")
        )
        if not self.clips:
            raise ValueError(f"{paths.dataset}: no clip to train on; see rejected.tsv")
        self.validator = Validator(held_out, settings, self.accelerator)
        clips = [*self.validator.clips, *self.clips]
        self.sample_ids = encode_sample(texts, clips, tokenizer, paths.base_model)

        # ---- networks, and where they start
        self.train_step = TrainStep(settings, self.base, self.accelerator)
        self.state = TrainState()
        vocabulary = tokenizer.get_vocab()
        clips = [*self.clips, *held_out]
        self.signature = make_signature(settings, self.base, vocabulary, clips)
        self.non_finite = NonFiniteSteps(self.state, settings.max_skipped_steps)
        self.keeper = make_keeper(settings, self.signature, self.is_main)
        self._start()
        continued = self.signature["continued"]
        self.epochs = settings.continue_epochs if continued else settings.epochs
        self.phases = LearningPhases.choose(settings, self.base.fresh_discriminator, continued)
        self.batches = Batches(self.clips, settings, self.state)
        self.batches.probe(self._fits, describe_memory(self.device, settings))
        self.throughput = Throughput(self.device)
        self.last_save = time.monotonic()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Train to the end, or until interrupted.

        Raises
        ------
        TrainingInterrupted
            After SIGTERM or Ctrl-C, once the state is saved.
        TrainingDivergedError
            If too many steps in a row have no finite gradient.
        """
        state = self.state
        note_code(self.signature, self.code, state, is_over=self._is_over())
        total = self.epochs * self.batches.steps_per_epoch
        with (
            TrainingLog(self.paths.tensorboard, total, state.step, self.is_main) as log,
            StopSignals() as signals,
            self.keeper,
        ):
            while not self._is_over():
                self.train_step.freeze(state.epoch)
                state.finished = False
                while state.batch < self.batches.steps_per_epoch:
                    self._take_step(log)
                    state.batch += 1
                    state.step += 1
                    (stop,) = self.ranks.any(signals.requested)
                    if stop or self._save_is_due():
                        self._save(f"step{state.step:08d}")
                    if stop:
                        raise TrainingInterrupted(STOPPED)
                state.epoch += 1
                state.batch = 0
                self._finish_epoch(log)
                self.batches.probe(self._fits, describe_memory(self.device, self.settings))
        with self.keeper:
            self._finish()

    def _take_step(self, log: TrainingLog) -> None:
        """Take one optimizer step of both networks and log it."""
        state, train_step = self.state, self.train_step
        learning_rate = train_step.set_learning_rate(state)
        batch, means = self._accumulate()
        means = train_step.sum_over_processes(means)
        taken, norms = train_step.apply(state.step)
        self.non_finite.add(state.step, taken, train_step.overflowed(taken, means), batch)
        self.throughput.count(sum(map(len, batch)))
        shown = {}
        if state.step % self.settings.log_every == 0:
            # The loop waits for the device only here and before a save.
            self.non_finite.read()
            shown = {name: float(value) for name, value in means.items()}
            extra = {"learning_rate": learning_rate, **state.count_not_taken()}
            extra |= self.throughput.read(train_step.data_seconds)
            groups = {"train": shown, "gradient_norm": norms, "optimizer": extra}
            for group, values in groups.items():
                log.scalars(group, values, state.step)
        log.advance(state.epoch, shown)

    def _accumulate(self) -> tuple[StepBatch, dict[str, Tensor]]:
        """Compute the gradients of a step; halve the micro-batches until they fit into memory.

        Return the batch, and this process's share of the losses.
        """
        step, means = self.state.step, {}

        def compute(batch: StepBatch) -> None:
            means.update(self.train_step.accumulate(batch, step, self.phases.networks(step)))

        while True:
            batch = self.batches.current()
            (ran_out,) = self.ranks.any(not complete_in_memory(partial(compute, batch)))
            if not ran_out:
                return batch, means
            # No state has changed yet, so that the same clips can be tried again.
            means.clear()
            self.batches.shrink(batch)

    def _finish_epoch(self, log: TrainingLog) -> None:
        """Validate, synthesize samples, save milestones and the best state."""
        settings, state = self.settings, self.state
        last = state.epoch == self.epochs
        # Logged under the last step taken: a resumed run logs anew from the next one.
        step = state.step - 1
        if self.validator.clips and (last or state.epoch % settings.validate_every == 0):
            self._validate(log, step)
        if self._is_stale():
            logger.info("No better validation score since epoch %d: stopping", state.best_epoch)
            last = True
        if last or state.epoch % settings.samples_every == 0:
            with self.train_step.ema.applied():
                for speaker, row in self.base.learnt_speakers().items():
                    waveform = synthesize(
                        self.train_step.model, self.sample_ids, row, settings.seed
                    )
                    log.audio(f"samples/{speaker}", waveform, step)
        state.finished = last
        self._save_epoch()

    def _is_over(self) -> bool:
        """Return whether no epoch is left to train."""
        return self.state.epoch >= self.epochs or self._is_stale()

    def _is_stale(self) -> bool:
        """Return whether validation has not improved for as long as early stopping waits."""
        patience, best = self.settings.early_stopping_epochs, self.state.best_epoch
        return None not in (patience, best) and self.state.epoch - best >= patience

    def _fits(self, batch: StepBatch) -> bool:
        """Return whether every process has enough memory for a step over a batch."""
        if self.device.type != "cuda":
            return True
        enough = fits_in_memory(lambda: self.train_step.rehearse(batch))
        return not self.ranks.any(not enough)[0]

    def _validate(self, log: TrainingLog, step: int) -> None:
        """Measure the averaged weights on the validation clips, and note the best score."""
        with self.train_step.ema.applied():
            result = self._measure()
        log.validation(result, step)
        logger.info("Epoch %d: validation score %.4f", self.state.epoch, result.score)
        # A score that is not a number is never better.
        best = math.inf if self.state.best_score is None else self.state.best_score
        if result.score < best:
            self.state.note_best(result.score, result.weighted, self.state.epoch)

    def _measure(self) -> ValidationResult:
        return self.validator.measure(self.train_step.model, self.train_step.spectrogram)

    # ------------------------------------------------------------------ state

    def _start(self) -> None:
        """Resume from the newest checkpoint, start warm from it, or start from the base model."""
        root = self.paths.checkpoints
        if self.is_main:
            recover_checkpoints(root)
            if self.settings.resume:
                self.keeper.fetch(root, self.paths.tensorboard)
        self.accelerator.wait_for_everyone()
        found = newest_checkpoint(root) if self.settings.resume else None
        decision = decide_start(found, self.signature, self.settings)
        if decision is Start.RESUME:
            self._resume(found)
            return
        first = None
        if decision is Start.WARM_START:
            self.train_step.warm_start(found, self.base.speakers, self.signature["vocabulary"])
            self.signature["continued"] = True
            first = self.train_step.checkpoint(self.state, self.signature)
        self.state.validated_on = self.validator.comparable
        self.accelerator.wait_for_everyone()
        if self.is_main:
            archive_curves(self.paths.tensorboard)
            self.keeper.start_anew()
            if archived := replace_checkpoints(root, first):
                logger.warning("Earlier checkpoints are kept in %s", archived)

    def _resume(self, found: Checkpoint) -> None:
        """Resume from a checkpoint, with the best weights so far."""
        self.train_step.restore(found)
        state = self.state = self.non_finite.state = found.state
        self.signature["continued"] = found.signature["continued"]
        self.signature["code"] = list(found.signature.get("code", []))
        logger.info("Going on at epoch %d, step %d", state.epoch, state.step)
        if state.best_epoch is not None:
            self._resume_best()
        # The others have read the checkpoints before this process writes any.
        self.accelerator.wait_for_everyone()
        state.validated_on = self.validator.comparable
        if state.epoch and not state.batch:
            self._save_epoch()

    def _resume_best(self) -> None:
        """Settle which epoch is the best so far, by scores that can be compared."""
        path = self.paths.checkpoints / BEST
        best = settle_best(self.state, path, self.validator.comparable)
        if best is None or not self.validator.clips:
            return
        with self.train_step.ema.applied(best.ema):
            result = self._measure()
        logger.info("The best epoch is measured anew, since scores are no longer comparable")
        # The train state and the record beside the best weights both get the new score.
        self.state.note_best(result.score, result.weighted, self.state.best_epoch)
        best.state.note_best(result.score, result.weighted, best.state.best_epoch)
        best.state.validated_on = self.validator.comparable
        if self.is_main:
            save_checkpoint(path, best)

    def _save_epoch(self) -> None:
        """Save the best epoch and the milestones, unless a run that was killed here has."""
        state = self.state
        # The best is saved first, because the state saved next refers to it.
        names = [BEST] if state.best_epoch == state.epoch else []
        if state.finished or state.epoch % self.settings.checkpoint_every == 0:
            names.append(f"epoch{state.epoch:04d}")
        for name in names:
            if saved_step(self.paths.checkpoints / name) != state.step:
                self._save(name)

    def _save_is_due(self) -> bool:
        return time.monotonic() - self.last_save > self.settings.save_minutes * 60

    def _save(self, name: str) -> None:
        self.non_finite.read()
        if name != BEST:
            self.last_save = time.monotonic()
        if self.is_main:
            collect = self.train_step.averaged if name == BEST else self.train_step.checkpoint
            save_checkpoint(self.paths.checkpoints / name, collect(self.state, self.signature))
            remove_surplus(self.paths.checkpoints, self.settings.keep_checkpoints)
            self.keeper.keep_checkpoint(self.paths.checkpoints / name)

    def _finish(self) -> None:
        """Make sure that the state reached is saved, and write what came of it."""
        state, root = self.state, self.paths.checkpoints
        if state.epoch > self.epochs or (state.epoch == self.epochs and state.batch):
            note_surplus_epochs(self.epochs, state.epoch, root)
        # Fewer epochs, or early stopping, may have been asked for after this state was reached.
        state.finished = True
        last = f"step{state.step:08d}" if state.batch else f"epoch{state.epoch:04d}"
        if saved_step(root / last) != state.step:
            self._save(last)
        if self.is_main:
            write_outcome(
                self.paths,
                state,
                self.signature,
                best=last if state.best_epoch is None else BEST,
                last=last,
                num_clips=(len(self.clips), len(self.validator.clips)),
                code=self.code,
            )
            self.keeper.keep_outcome(self.paths.tensorboard, self.paths.summary)
