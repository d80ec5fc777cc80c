"""Writes a trained voice as a directory that plain transformers loads."""

from pathlib import Path

from transformers import VitsModel, VitsTokenizer

from lib.files import atomic_directory, write_json
from lib.text.frontend import TextFrontend
from lib.training.base_model import BaseModel
from lib.training.checkpoint import load_checkpoint
from lib.training.summary import find_checkpoint
from lib.vits.model import fuse_weight_norm, prepare_for_training

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


def export_checkpoint(checkpoint: Path, base_model: Path, directory: Path, language: str) -> None:
    """Write a checkpoint's averaged weights as model, tokenizer, speaker map and model card.

    Raises
    ------
    DamagedCheckpointError
        If there is no whole checkpoint.
    ValueError
        If the base model has been fitted to other speakers or letters since.
    """
    saved = load_checkpoint(checkpoint, voice_only=True)
    base = BaseModel.open(base_model)
    tokenizer = VitsTokenizer.from_pretrained(base_model)
    fitted = {"speakers": dict(base.speakers), "vocabulary": tokenizer.get_vocab()}
    for part, now in fitted.items():
        if saved.recipe[part] != now:
            raise ValueError(
                f"{checkpoint} was trained with other {part} than {base_model} has: data was added "
                "since. Give the base model of that training, or export a later checkpoint"
            )
    model = prepare_for_training(VitsModel.from_pretrained(base_model))
    model.load_state_dict(dict(saved.ema))
    with atomic_directory(directory) as temporary:
        fuse_weight_norm(model).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_json(temporary / "speakers.json", base.speaker_map())
        TextFrontend.read(base_model).save(temporary)
        card = _describe(base, saved.progress.epoch, language)
        (temporary / "README.md").write_text(card, "utf-8")


def export_trained(
    summary: Path, choice: str, base_model: Path, directory: Path, language: str
) -> None:
    """Export the ``best`` or ``last`` checkpoint of a finished training, as its summary names."""
    export_checkpoint(find_checkpoint(summary, choice), base_model, directory, language)


def _describe(base: BaseModel, epoch: int, language: str) -> str:
    mms = "mms-tts" in base.source
    return _CARD.format(
        source=base.source,
        language=language,
        epoch=epoch,
        discriminator=base.discriminator_origin,
        speakers=", ".join(f"{s} ({base.names.get(s, s)})" for s in base.speakers),
        first=next(iter(base.speakers)),
        licence="license: cc-by-nc-4.0\n" if mms else "",
        terms=_MMS_TERMS if mms else _OTHER_TERMS,
    )
