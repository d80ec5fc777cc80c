"""Another sample rate than the base's is refused before any work."""

import json

import pytest

from lib.base_model.hub import BaseModelError, check_sample_rate
from lib.base_model.tiny import write_tiny_model


@pytest.mark.parametrize("layout", ["transformers", "original"])
@pytest.mark.parametrize("of_base", [22_050, 16_000])
def test_a_directory_says_its_rate(tmp_path, layout, of_base):
    content = {"sampling_rate": of_base}
    content = content if layout == "transformers" else {"data": content}
    (tmp_path / "config.json").write_text(json.dumps(content))
    if of_base == 16_000:
        check_sample_rate(str(tmp_path), 16_000)
        return
    with pytest.raises(BaseModelError, match=r"base_model.source: .* at 22050 Hz, expected 16000"):
        check_sample_rate(str(tmp_path), 22_050)


@pytest.mark.parametrize("source", ["tiny", "directory", "facebook/mms-tts-not-here"])
def test_clips_at_another_rate_are_refused(tmp_path, source):
    if source == "directory":
        source = str(tmp_path)
        write_tiny_model(tmp_path)
    check_sample_rate(source, 16_000)
    with pytest.raises(
        BaseModelError, match=r"audio.sample_rate is 22050 .*audio.sample_rate: 16000"
    ):
        check_sample_rate(source, 22_050)


def test_a_configuration_that_is_none_is_named(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(BaseModelError, match="config.json is no model's configuration"):
        check_sample_rate(str(tmp_path), 16_000)
