"""Write a trained voice as a directory that plain transformers loads."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import VitsModel, VitsTokenizer

from lib.base_model.record import SPEAKERS_FILE, BaseModel
from lib.base_model.weights import read_trained_weights
from lib.files import atomic_directory, read_json, write_json
from lib.text.frontend import TextFrontend
from lib.vits.model import fuse_weight_norm, prepare_for_training

logger = logging.getLogger(__name__)

_CARD = """---
library_name: transformers
pipeline_tag: text-to-speech
language: {language}
{licence}tags:
- vits
- text-to-speech
---

# A voice fine-tuned from {source}

Epoch {epoch}; discriminator at the start: {discriminator}. Speakers: {speakers}.

```python
import json, torch
from transformers import VitsModel, VitsTokenizer

model = VitsModel.from_pretrained("PATH")
tokenizer = VitsTokenizer.from_pretrained("PATH")
speakers = json.load(open("PATH/speakers.json"))
speaker = speakers["{first}"]["index"]  # a model with one speaker ignores it
with torch.no_grad():
    waveform = model(**tokenizer("TEXT", return_tensors="pt"), speaker_id=speaker).waveform[0]
```

{terms}
"""
_MMS_TERMS = (
    "The weights derive from Meta's MMS-TTS, which are licensed CC BY-NC 4.0: no commercial use."
)
_OTHER_TERMS = "The terms of the base model's weights apply to this model too."


def export_checkpoint(
    checkpoint: Path,
    base_model: Path,
    directory: Path,
    language: str,
    registry: Path | None = None,
) -> None:
    """Write a checkpoint's averaged weights as model, tokenizer, speaker map and model card.

    Parameters
    ----------
    registry
        Names of the speakers, from rule name_speakers. Neither the fitted base nor the training
        depends on them. Without it the names are the ids.

    Raises
    ------
    DamagedCheckpointError
        If there is no complete checkpoint.
    ValueError
        If the base model has been fitted to other speakers or letters since.
    """
    model, epoch = load_trained(checkpoint, base_model)
    base = BaseModel.open(base_model)
    speakers = base.speaker_map(_read_names(registry))
    with atomic_directory(directory) as temporary:
        fuse_weight_norm(model).save_pretrained(temporary)
        VitsTokenizer.from_pretrained(base_model).save_pretrained(temporary)
        write_json(temporary / SPEAKERS_FILE, speakers)
        TextFrontend.read(base_model).save(temporary)
        card = _describe(base, speakers, epoch, language)
        (temporary / "README.md").write_text(card, "utf-8")


def load_trained(checkpoint: Path, base_model: Path) -> tuple[VitsModel, int]:
    """Load a checkpoint's averaged weights, in the layout of the training.

    Returns
    -------
    tuple
        The model on the CPU, and its epoch.

    Raises
    ------
    DamagedCheckpointError
        If there is no complete checkpoint.
    ValueError
        If the base model has been fitted to other speakers or letters since.
    """
    trained = read_trained_weights(checkpoint)
    vocabulary = VitsTokenizer.from_pretrained(base_model).get_vocab()
    fitted = {"speakers": dict(BaseModel.open(base_model).speakers), "vocabulary": vocabulary}
    for part, now in fitted.items():
        if getattr(trained, part) != now:
            raise ValueError(
                f"{checkpoint} was trained with other {part} than {base_model} has: data was added "
                "since. Give the base model of that training, or export a later checkpoint"
            )
    model = prepare_for_training(VitsModel.from_pretrained(base_model))
    model.load_state_dict(dict(trained.average))
    return model, trained.epoch


def export_trained(
    summary: Path,
    choice: str,
    base_model: Path,
    directory: Path,
    language: str,
    registry: Path | None = None,
    chosen: Sequence[Path] = (),
) -> None:
    """Export a checkpoint of a finished training, see `find_checkpoint`."""
    checkpoint = find_checkpoint(summary, choice, chosen)
    export_checkpoint(checkpoint, base_model, directory, language, registry)


def find_checkpoint(summary: Path, choice: str, chosen: Sequence[Path] = ()) -> Path:
    """Return the checkpoint of a training that becomes the voice.

    Parameters
    ----------
    summary
        Summary of the training.
    choice
        ``votes``, ``best``, ``lowest_loss`` or ``last``.
    chosen
        JSON files with the ``checkpoint`` that votes or its speech have chosen; the first that
        names one counts for ``votes`` and ``best``. Where none does, the best is that with the
        lowest loss.

    Raises
    ------
    ValueError
        If it does not exist.
    """
    files = chosen if choice in ("votes", "best") else ()
    choices = [(name, file) for file in files if (name := read_json(file)["checkpoint"])]
    fallback = read_json(summary)["last" if choice == "last" else "best"], summary
    named, file = next(iter(choices), fallback)
    logger.info("%s: %s, chosen by %s", choice, named, file)
    path = summary.parent / named
    if not path.is_dir():
        raise ValueError(
            f"{summary} names {named} as its {choice} checkpoint, and {path} is not there. Bring "
            f"it back, or remove {summary} and run again: the training goes on from what is left"
        )
    return path


def _read_names(registry: Path | None) -> dict[str, str]:
    speakers = read_json(registry)["speakers"] if registry else {}
    return {speaker: entry["name"] for speaker, entry in speakers.items()}


def _describe(
    base: BaseModel, speakers: Mapping[str, Mapping[str, Any]], epoch: int, language: str
) -> str:
    mms = "mms-tts" in base.source
    return _CARD.format(
        source=base.source,
        language=language,
        epoch=epoch,
        discriminator=base.discriminator_origin,
        speakers=", ".join(f"{s} ({entry['name']})" for s, entry in speakers.items()),
        first=next(iter(speakers)),
        licence="license: cc-by-nc-4.0\n" if mms else "",
        terms=_MMS_TERMS if mms else _OTHER_TERMS,
    )
