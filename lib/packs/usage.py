"""How a pack is used in other programs, for its README."""

from collections.abc import Sequence

_SHERPA = """\
## How to use it

`model.onnx` and `tokens.txt` are what sherpa-onnx (https://k2-fsa.github.io/sherpa/onnx/) and the
programs built on it import; `{name}.tar.bz2` has the same files. Speakers are numbers there, those
of the table above.

In Python (`pip install sherpa-onnx soundfile`):

```python
import sherpa_onnx, soundfile

vits = sherpa_onnx.OfflineTtsVitsModelConfig(
    model="{name}/model.onnx", tokens="{name}/tokens.txt",
    noise_scale={noise:g}, noise_scale_w={duration_noise:g}, length_scale={length:g},
)
config = sherpa_onnx.OfflineTtsConfig(model=sherpa_onnx.OfflineTtsModelConfig(vits=vits))
audio = sherpa_onnx.OfflineTts(config).generate("TEXT", sid={speaker}, speed=1.0)
soundfile.write("speech.wav", audio.samples, audio.sample_rate)
```

On a command line, with the programs of sherpa-onnx:

```
sherpa-onnx-offline-tts --vits-model={name}/model.onnx --vits-tokens={name}/tokens.txt \\
  --sid={speaker} --output-filename=speech.wav "TEXT"
```

By itself sherpa-onnx shortens the pauses within speech to a fifth: `silence_scale=1` in
`OfflineTtsConfig` or in a `GenerationConfig` keeps them.

On Android: engines built on sherpa-onnx take `model.onnx`, `tokens.txt` and `lang`, which has the
language and the name.

With transformers the voice is the folder `model/` of the run that made this pack.
"""
_TEXT = """\
### Text

These programs have no text front end. Capitals, accents that the voice does not know and marks with
the same meaning are in `tokens.txt`. All other characters that are not there, such as digits and
most punctuation, are left out. Besides:

{points}
"""


def describe_usage(
    name: str, speaker: int, scales: tuple[float, float, float], text: Sequence[str], precision: str
) -> str:
    """Return the part of a README on the use of a pack, in Markdown.

    Parameters
    ----------
    speaker
        Number of the first speaker.
    scales
        Noise of the sound, noise of the durations, and length of the speech, as the voice has them.
    text
        What has to be done with a text before, a sentence each.
    precision
        How exact the file is, in a sentence.
    """
    noise, duration_noise, length = scales
    usage = _SHERPA.format(
        name=name, speaker=speaker, noise=noise, duration_noise=duration_noise, length=length
    )
    points = "\n".join(f"- {point}" for point in text or ["Nothing has to be done with a text."])
    return f"{usage}\n{_TEXT.format(points=points)}\n{precision}\n"
