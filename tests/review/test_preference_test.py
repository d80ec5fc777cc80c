"""The page of blind pairs: what is on it, and what it can do."""

import json
import re

import pytest

from lib.audio.wav import write_wav
from lib.files import write_json
from lib.preference.trials import write_spoken
from lib.preference.vote_file import USUAL_PLACE, read_votes
from lib.review.preference_test import write_preference_test
from tests.fixtures.made_run import hum

EPOCHS = {"epoch0025-aaaaaaaa": 25, "epoch0050-bbbbbbbb": 50}
TEXTS = {"clip0": "one <b>", "clip1": "</script><script>alert(1)</script>", "clip2": "tị́ng"}
STANDING = {
    "checkpoint": "epoch0050-bbbbbbbb",
    "epoch": 50,
    "won": 2,
    "lost": 0,
    "same": 1,
    "strength": 0.412,
    "deviation": 0.531,
    "probability_best": 0.734,
}
FOUND = {
    "reason": "epoch 50 is the best with a probability of 73%, by 3 votes",
    "counted": 3,
    "left_out": 1,
    "listeners": ["<i>Amina"],
    "first_share": 0.5,
    "standings": [STANDING],
}
NONE = {"reason": "there are no votes", "counted": 0, "left_out": 0, "listeners": []}


@pytest.fixture
def write(tmp_path):
    """Write the page; return it with what its script is given."""
    speech = tmp_path / "speech"
    (tmp_path / "clips").mkdir()
    for name in EPOCHS:
        (speech / name).mkdir(parents=True)
        for clip in TEXTS:
            write_wav(speech / name / f"{clip}.wav", hum(0.2), 16_000)
            write_wav(tmp_path / f"clips/{clip}.wav", hum(0.3), 16_000)
    write_spoken(speech, TEXTS, EPOCHS)

    def write(found=None, votes=None, votes_file=USUAL_PLACE):
        found = found or {**NONE, "first_share": None, "standings": []}
        write_json(tmp_path / "standings.json", found)
        page = tmp_path / "test.html"
        write_preference_test(
            *(speech, tmp_path / "standings.json", votes, tmp_path / "clips"),
            *(votes_file, "data", "yor", page),
        )
        text = page.read_text("utf-8")
        return page, text, json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])

    return write


@pytest.fixture
def browser(chromium):
    """A browser that must have nothing to complain of."""
    chromium.complaints.clear()
    yield chromium
    assert not chromium.complaints


def test_every_trial_has_its_sounds_and_the_page_does_not_tell_which_is_which(write):
    _, page, data = write()
    assert len(data["trials"]) == 3
    assert {trial["clip"]: trial["text"] for trial in data["trials"]} == TEXTS
    for trial in data["trials"]:
        assert {trial["a"], trial["b"]} == set(EPOCHS)
        assert len({trial["sounds"][side] for side in ("a", "b", "recording")}) == 3
    assert len(data["sounds"]) == 9
    assert all(sound.startswith("data:audio/mpeg") for sound in data["sounds"])
    shown = page[: page.index('id="data"')]
    assert "epoch0" not in shown and "No votes yet" in shown
    assert "<script>alert" not in page


def test_the_votes_are_told_with_how_sure_they_are(write):
    page = " ".join(write(FOUND)[1].split())
    assert "Epoch 50 is the best with a probability of 73%, by 3 votes." in page
    assert "&lt;i&gt;Amina" in page and "<i>Amina" not in page
    assert "<td>73%</td><td>+0.41 ± 0.53</td> <td>2</td><td>0</td><td>1</td>" in page
    assert "preferred in 50% of the votes" in page
    assert "1 votes are of weights that are not kept any more" in page
    assert page.index("<details>") < page.index("Epoch 50 is the best") < page.index("</details>")


def test_a_run_that_reads_no_votes_is_told(write, tmp_path):
    assert "set export.votes to config/votes.csv" in write(votes_file=None)[1]
    assert "set export.votes" not in write()[1].replace("export.checkpoint: votes", "")
    votes = tmp_path / "mine.csv"
    votes.write_text("listener,clip,a,b,vote\n")
    assert write()[2]["header"] and not write(votes=votes)[2]["header"]


def test_votes_are_given_kept_and_become_lines(write, browser, tmp_path):
    page, _, data = write()
    browser.open(page.as_uri())
    browser.run("discard()")
    # Nobody votes on what was not heard.
    assert browser.run("['vote-a', 'vote-same', 'vote-b'].every((id) => byId(id).disabled)")
    browser.run("byId('vote-a').click(); byId('play-a').click()")
    assert browser.run("votes.size") == 0 and browser.run("byId('vote-a').disabled")
    source = browser.run("byId('player').src")
    assert source == data["sounds"][data["trials"][0]["sounds"]["a"]]
    browser.run("byId('listener').value = 'Bola, \"B\"'; byId('play-b').click()")
    browser.run("byId('vote-b').click()")
    assert browser.run("byId('progress').textContent") == "Pair 2 of 3, 1 voted on"
    # By keys, and back to correct the first.
    for key in ("a", "b", "2", "ArrowLeft", "ArrowLeft", "1"):
        browser.run(send(key))
    assert browser.run("[...votes].join(';')") == "0,a;1,same"
    # A reload loses nothing, and goes on where a vote is missing.
    browser.open(page.as_uri())
    assert browser.run("byId('progress').textContent") == "Pair 3 of 3, 2 voted on"
    assert browser.run("byId('text').textContent") == data["trials"][2]["text"]
    for key in ("r", "a", "b", "3"):
        browser.run(send(key))
    assert browser.run("byId('trial').hidden") and not browser.run("byId('end').hidden")
    lines = browser.run("byId('lines').textContent")
    assert browser.run("decodeURIComponent(byId('save').href).split(/,(.*)/s)[1]") == lines
    browser.run("byId('copy').click()")
    path = tmp_path / "votes.csv"
    path.write_text(lines + lines, "utf-8")
    found = {(vote.clip, vote.a, vote.b): vote for vote in read_votes(path)}
    assert {vote.listener for vote in found.values()} == {'Bola, "B"'}
    wanted = [
        (trial["clip"], trial["a"], trial["b"], vote)
        for trial, vote in zip(data["trials"], ("a", "same", "b"), strict=True)
    ]
    assert [(*key, vote.vote) for key, vote in found.items()] == wanted
    browser.run("byId('discard').click()")
    assert browser.run("byId('progress').textContent") == "Pair 1 of 3, 0 voted on"


def send(key: str) -> str:
    event = f"new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}})"
    return f"document.body.dispatchEvent({event})"


@pytest.mark.parametrize("width", [400, 1300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out(write, browser, width, scheme):
    page, *_ = write(FOUND)
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    browser.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    browser.open(page.as_uri())
    browser.run("document.querySelector('details').open = true")
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run("finish()")
    assert browser.run("document.documentElement.scrollWidth") <= width
