"""The base model in the box: small, loadable anywhere, and it speaks."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from transformers import VitsModel, VitsTokenizer

from lib.base_model.record import BaseModel
from lib.base_model.speaker_init import nearest_rows
from lib.config.training import TrainingSettings
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.recognition import Recogniser
from lib.files import read_json
from lib.synthesis.synthesizer import Synthesizer
from tests.fixtures.base_model import write_dataset
from tools.base_model.corpus import VOICES, invent_texts

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "resources/base_model"
ENGLISH = [voice for voice in VOICES if voice.language == "english"]


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    return Synthesizer(FOLDER)


def test_it_is_small_and_has_every_voice(voice):
    weights = sum(path.stat().st_size for path in FOLDER.glob("*.safetensors"))
    assert weights < 12_000_000
    assert voice.speakers.keys() == {v.name for v in VOICES}
    rows = sorted(entry["index"] for entry in voice.speakers.values())
    assert rows == list(range(voice.model.num_speakers))


def test_plain_transformers_loads_it():
    model, info = VitsModel.from_pretrained(FOLDER, dtype=torch.float32, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    inputs = VitsTokenizer.from_pretrained(FOLDER)("the quiet river", return_tensors="pt")
    with torch.no_grad():
        speech = model(**inputs, speaker_id=2).waveform[0]
    assert 0.5 < len(speech) / 16_000 < 3 and speech.abs().max() > 0.02


def test_the_demo_goes_on_with_its_discriminator():
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text("utf-8"))
    settings = TrainingSettings.from_config(config["training"])
    base = BaseModel(FOLDER, "", "", {}, {}, "own", fresh_discriminator=False)
    discriminator = base.load_discriminator(
        settings.discriminator_periods, settings.discriminator_channels, settings.seed
    )
    noise = torch.randn(1, 1, 8_192)
    with torch.no_grad():
        scores = discriminator(noise).scores
    assert all(torch.isfinite(score).all() for score in scores)


def test_a_recogniser_understands_it(voice):
    """Sentences that were held out of its training, one in three of all voices' English ones."""
    learnt, held_out = zip(*map(invent_texts, ENGLISH), strict=True)
    test = IntelligibilityTest(
        Recogniser(), [text for part in (*learnt, *held_out) for text in part]
    )
    understood = [
        test.recognises_sentence(voice.synthesize(text, speaker.name), text)
        for speaker, texts in zip(ENGLISH, held_out, strict=True)
        for text in texts[::3]
    ]
    assert np.mean(understood) >= 0.95


def test_a_voice_is_found_by_what_it_says(voice, tmp_path):
    """What a voice of the base says is best explained by its own row."""
    rows, names = [], ["eng-male-3", "eng-female-2", "ind-male"]
    for name in names:
        for number, text in enumerate(invent_texts(ENGLISH[0])[1][:4]):
            buffer = io.BytesIO()
            soundfile.write(buffer, voice.synthesize(text, name), 16_000, format="WAV")
            rows.append(
                {
                    "id": f"{name}_{number}",
                    "audio": {"bytes": buffer.getvalue(), "path": None},
                    "text": text,
                    "transcript": text,
                    "speaker_id": name,
                    "duration": 3.0,
                }
            )
    dataset = write_dataset(tmp_path / "dataset", rows, [])
    found = nearest_rows(voice.model.model, VitsTokenizer.from_pretrained(FOLDER), dataset, names)
    assert found == {name: voice.row(name) for name in names}


def test_its_figures_say_what_is_promised():
    """As measured by `python -m tools.base_model.measure` when it was made."""
    quality = read_json(FOLDER / "quality.json")
    recordings, model = quality["recordings"], quality["model"]
    assert recordings.keys() == model.keys() == {v.name for v in VOICES}
    tested = sum(found["sentences_tested"] for found in model.values())
    for key, share in (("sentences_understood", 0.95), ("words_understood", 0.8)):
        reached = sum(found[key] for found in recordings.values())
        wanted = share * (tested if key == "sentences_understood" else reached)
        assert sum(found[key] for found in model.values()) >= wanted
