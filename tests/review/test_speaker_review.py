"""The page on which speakers are heard and put right: what is on it, and what it can do."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from lib.review import speaker_review as audition
from lib.review.speaker_review import (
    AuditionPaths,
    Item,
    choose_clips,
    choose_shown,
    write_audition,
)
from lib.speakers.overrides import resolve_overrides
from lib.speakers.overrides_file import read_overrides
from tests.fixtures.chromium import Browser

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/speakers.schema.yaml").read_text("utf-8"))
HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
TWO = [["clip_spk000_2"], ["clip_spk000_0", "clip_spk000_1", "clip_spk000_3"]]
DOUBT = {
    "reason": "two_voices",
    "speakers": ["spk000"],
    "groups": TWO,
    "lines": "split:\n  spk000-b: [clip_spk000_2]\n",
}


def write(run, texts=None, name="recordings", file="config/speakers.yaml"):
    """Write the page of a made-up run; return it with what its script is given."""
    path = run.folder / "speakers/audition.html"
    folder = run.folder / "speakers"
    if not (folder / "excluded.tsv").exists():
        (folder / "excluded.tsv").write_text("clip\tdetail\n")
    texts = texts or {clip: f"{run.clip_text} in {clip}" for clip, _ in run.clips()}
    paths = AuditionPaths(
        folder / "assignments.tsv",
        folder / "map.tsv",
        folder / "registry.json",
        folder / "excluded.tsv",
        run.folder / "measurements.tsv",
        run.folder / "clips",
    )
    write_audition(paths, texts, 0.1, 0.7, name, "eng", file, path)
    data = re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.S)[1]
    return path, json.loads(data)


@pytest.fixture
def browser(chromium):
    """A browser that must have nothing to complain of."""
    chromium.complaints.clear()
    yield chromium
    assert not chromium.complaints


def act(browser: Browser, path: Path, script: str):
    """Open a page and do what its user would do."""
    browser.open(path.as_uri())
    return browser.run(f"(async () => {{{script}}})()")


def rows(data):
    keys = ("clip", "speaker", "sure", "seconds", "x", "y", "text", "why", "sound", "out")
    return [dict(zip(keys, row, strict=True)) for row in data["clips"]]


# ---------------------------------------------------------------- what is on it


@pytest.mark.parametrize("file", ["config/people.yaml", None])
def test_the_page_names_the_file_that_the_run_reads_or_how_to_have_one_read(run, file):
    path, data = write(run.write(), file=file)
    text = path.read_text("utf-8")
    assert data["file"] == (file or "config/speakers.yaml")
    assert f"<code>{data['file']}</code>" in text and f"For {data['file']}" in text
    assert ("set speakers.overrides to its name" in text) == (file is None)
    assert ("set speakers.overrides to its name" in data["hint"]) == (file is None)


def test_every_clip_is_there_with_its_sound_and_the_doubtful_come_first(run):
    run.doubts = [DOUBT]
    _, data = write(run.write())
    shown = rows(data)
    assert sorted(row["clip"] for row in shown) == sorted(clip for clip, _ in run.clips())
    assert sorted(row["sound"] for row in shown) == list(range(7)) and len(data["sounds"]) == 7
    assert [(row["clip"], row["why"]) for row in shown[:3]] == [
        ("clip_spk000_1", [audition.UNSURE]),
        ("clip_spk001_1", [audition.UNSURE]),
        ("clip_spk000_2", [audition.SECOND_VOICE]),
    ]
    assert not any(row["why"] for row in shown[3:])
    assert [(s["id"], s["clips"], s["seconds"]) for s in data["speakers"]] == [
        ("spk000", 4, 4.0),
        ("spk001", 3, 3.0),
    ]


def test_a_clip_of_two_voices_is_doubtful(run):
    run.write()
    table = run.folder / "speakers/assignments.tsv"
    table.write_text(
        table.read_text().replace(
            "clip_spk001_2\tspk001\t1.0000\t", "clip_spk001_2\tspk001\t1.0000\t0.6999"
        )
    )
    first = {row["clip"]: row["why"] for row in rows(write(run)[1])}
    assert first["clip_spk001_2"] == [audition.MIXED]
    assert first["clip_spk001_0"] == []


def test_what_the_user_leaves_out_is_marked(run):
    run.write()
    (run.folder / "speakers/excluded.tsv").write_text("clip\tdetail\nclip_spk000_3\tx\n")
    marked = {row["clip"]: row["out"] for row in rows(write(run)[1])}
    assert [clip for clip, out in marked.items() if out] == ["clip_spk000_3"]


def test_the_page_is_whole_and_lets_only_its_own_script_run(run):
    run.clip_text, run.names = HOSTILE, {"spk000": HOSTILE}
    run.doubts = [DOUBT]
    path, data = write(run.write(), name=HOSTILE)
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    html = path.read_text("utf-8")
    parser.feed(html)
    assert [attributes.get("type") for tag, attributes in tags if tag == "script"] == [
        "application/json",
        None,
    ]
    assert not [tag for tag, _ in tags if tag in ("img", "link", "iframe")]
    assert "http:" not in html.replace("http://www.w3.org/2000/svg", "") and "https:" not in html
    assert "url(" not in html
    policy = next(a["content"] for t, a in tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy
    assert data["speakers"][0]["name"] == HOSTILE


def test_a_large_corpus_gives_a_page_of_bearable_size(run, monkeypatch):
    monkeypatch.setattr(audition, "TOTAL_SECONDS", 10.0)
    monkeypatch.setattr(audition, "MAX_POINTS", 20)
    monkeypatch.setattr(audition, "MAX_CLIPS", 30)
    run.clips_per_speaker = {f"spk{n:03d}": 10 for n in range(5)}
    path, data = write(run.write())
    heard = [row for row in rows(data) if row["sound"] >= 0]
    assert len(data["clips"]) == 30 and len(data["mapped"]) == 20
    assert len(heard) == len(data["sounds"]) == 10
    assert {row["speaker"] for row in heard} == set(range(5))
    assert {data["clips"][n][0] for n in data["mapped"]} >= {row["clip"] for row in heard}
    limits = re.findall(r'<p class="faint limit">(.+?)</p>', path.read_text("utf-8"), re.S)
    assert [limit.split()[0:3] for limit in limits] == [
        ["10", "of", "50"],
        ["The", "map", "shows"],
        ["The", "list", "has"],
    ]


def test_a_page_of_long_clips_plays_their_start(run, monkeypatch):
    monkeypatch.setattr(audition, "MAX_SECONDS", 0.25)
    path, data = write(run.write())
    assert "Of long clips the first 0.25 seconds are heard" in path.read_text("utf-8")
    assert max(map(len, data["sounds"])) < 4 / 3 * 3000 * 0.5


def item(clip, speaker="a", confidence=1.0, seconds=4.0, why=()):
    return Item(clip, speaker, confidence, seconds, (0, 0), "", False, list(why))


def test_players_go_round_and_typical_and_doubtful_ones_alternate():
    many = [item(f"a{n:03d}", "a", seconds=2 + n % 5) for n in range(100)]
    doubtful = [item(f"d{n}", "a", 0.0, why=[0]) for n in range(50)]
    few = [item("b0", "b"), item("b1", "b")]
    heard = choose_clips([*doubtful, *many, *few], [])
    assert heard[1] == "b0" and heard[3] == "b1"
    own = [clip for clip in heard if clip[0] != "b"]
    assert len(own) == audition.MAX_PLAYERS
    assert [clip[0] for clip in own[:6]] == list("adadad")
    assert {int(clip[1:]) % 5 for clip in own if clip[0] == "a"} == {2}


def test_clips_that_a_doubt_is_about_can_be_heard():
    clips = [item(f"c{n:03d}", seconds=9.0) for n in range(100)]
    groups = [[f"c{n:03d}" for n in range(90, 100)], ["c050", "c051"]]
    heard = choose_clips(clips, groups)
    assert set(heard[:5]) == {"c050", "c051", "c090", "c093", "c096"}


def test_the_list_keeps_what_is_heard_and_doubtful():
    clips = [item(f"c{n}", why=[0] if n == 7 else ()) for n in range(40)]
    audition_clips = choose_shown(clips, ["c3"])
    assert audition_clips == clips
    limit, audition.MAX_CLIPS = audition.MAX_CLIPS, 5
    try:
        kept = [row.clip for row in choose_shown(clips, ["c3"])]
    finally:
        audition.MAX_CLIPS = limit
    assert len(kept) == 5 and {"c3", "c7"} <= set(kept)


# ---------------------------------------------------------------- what it can do


def test_chromium_opens_it_without_a_complaint_and_with_the_filter_of_its_address(run, browser):
    run.doubts = [DOUBT]
    run.clip_text, run.names = HOSTILE, {"spk001": HOSTILE}
    path, _ = write(run.write())
    browser.open(f"{path.as_uri()}#speaker=spk001&doubtful=1")
    shown = browser.run("document.documentElement.outerHTML")
    assert re.findall(r'<li data-clip="(\w+)"', shown) == ["clip_spk001_1"]
    assert "1 of 7 clips" in shown
    assert len(re.findall(r"<path [^>]*vector-effect", shown)) == 7
    assert shown.count("<li><button") == 2
    assert browser.run("document.querySelectorAll('img, [onerror]').length") == 0


def test_chromium_plays_every_sound(run, browser):
    path, _ = write(run.write())
    lengths = act(
        browser,
        path,
        """const lengths = {}, player = document.getElementById("player");
        for (const button of document.querySelectorAll("#clips .play")) {
          const loaded = new Promise((done) => { player.onloadedmetadata = done; });
          button.click();
          await loaded;
          lengths[button.closest("li").dataset.clip] = player.duration;
        }
        return lengths;""",
    )
    assert lengths.keys() == {clip for clip, _ in run.clips()}
    for clip, seconds in lengths.items():
        assert seconds == pytest.approx(1.0, abs=0.15), clip


def test_chromium_filters_by_text_speaker_and_doubt(run, browser):
    run.doubts = [DOUBT]
    path, _ = write(run.write())
    found = act(
        browser,
        path,
        """const at = (id) => document.getElementById(id);
        const set = (id, key, value) => {
          at(id)[key] = value;
          at(id).dispatchEvent(new Event("input"));
        };
        const listed = () => [...at("clips").children].map((row) => row.dataset.clip);
        const found = {};
        set("find", "value", "IN clip_spk000_3 said"); found.text = listed();
        set("find", "value", "nothing like it"); found.nothing = listed();
        set("find", "value", ""); set("speaker", "value", "spk001"); found.speaker = listed();
        found.dimmed = document.querySelectorAll("#map .dim").length;
        set("doubtful", "checked", true); found.both = listed();
        at("reset").click(); found.all = listed().length;
        document.querySelector("[data-show]").click(); found.doubt = listed().sort();
        at("reset").click();
        document.querySelector("#speakers button").click(); found.bar = listed().sort();
        document.querySelector("#map path").dispatchEvent(new Event("click"));
        found.point = at("playing").textContent.split(",")[0];
        const key = (name) => at("map").dispatchEvent(new KeyboardEvent("keydown", {key: name}));
        at("reset").click();
        key("ArrowRight"); found.walked = at("playing").textContent.split(",")[0];
        return found;""",
    )
    assert found["text"] == ["clip_spk000_3"] and found["nothing"] == []
    assert sorted(found["speaker"]) == [f"clip_spk001_{n}" for n in range(3)]
    assert found["dimmed"] == 4
    assert found["both"] == ["clip_spk001_1"]
    assert found["all"] == 7
    assert found["doubt"] == found["bar"] == [f"clip_spk000_{n}" for n in range(4)]
    order = [row["clip"] for row in rows(write(run)[1])]
    assert found["walked"] == order[(order.index(found["point"]) + 1) % 7]


ACT = """const at = (id) => document.getElementById(id);
const box = (clip) => document.querySelector(`[data-clip=${clip}] input`).click();
const speaker = (id) => {
  at("speaker").value = id;
  at("speaker").dispatchEvent(new Event("input"));
};
"""


def test_the_lines_are_what_the_workflow_reads(run, browser, tmp_path):
    run.clips_per_speaker = {f"spk00{n}": 4 for n in range(4)}
    path, _ = write(run.write())
    lines = act(
        browser,
        path,
        ACT
        + """
        box("clip_spk000_0"); box("clip_spk001_0"); at("do-exclude").click();
        box("clip_spk000_1"); at("to").value = "spk001"; at("do-assign").click();
        box("clip_spk002_1"); box("clip_spk002_2"); at("voice").value = "O'Brien: \\"Bo\\", 2nd";
        at("do-split").click();
        box("clip_spk001_0"); at("to").value = "spk000"; at("do-assign").click();
        speaker("spk003"); at("same").value = "spk001"; at("do-merge").click();
        at("name").value = "Ámina #1"; at("do-name").click();
        speaker("spk002"); at("do-drop").click();
        return at("lines").textContent;""",
    )
    file = tmp_path / "speakers.yaml"
    file.write_text(lines, "utf-8")
    word = read_overrides(str(file), SCHEMA)
    assert word.names == {"spk001": "Ámina #1"}
    assert word.merge == [["spk001", "spk003"]]
    assert word.assign == {"spk000": ["clip_spk001_0"], "spk001": ["clip_spk000_1"]}
    assert word.split == {'O\'Brien: "Bo", 2nd': ["clip_spk002_1", "clip_spk002_2"]}
    assert word.exclude == {"speakers": ["spk002"], "clips": ["clip_spk000_0"]}
    clips = [clip for clip, _ in run.clips()]
    known = {speaker: speaker for speaker in run.clips_per_speaker}
    assert resolve_overrides(word, clips, (), known).merged == {"spk003": "spk001"}


def test_lines_can_be_pasted_under_earlier_ones(run, browser, tmp_path):
    run.clips_per_speaker = {f"spk00{n}": 3 for n in range(4)}
    path, _ = write(run.write())
    lines = act(
        browser,
        path,
        ACT
        + """speaker("spk002"); at("same").value = "spk000"; at("do-merge").click();
        speaker(""); box("clip_spk003_0"); at("do-exclude").click();
        return at("lines").textContent;""",
    )
    file = tmp_path / "speakers.yaml"
    file.write_text(f"exclude:\n  clips: [clip_spk003_1]\nmerge:\n  - [spk000, spk001]\n{lines}")
    known = {speaker: speaker for speaker in run.clips_per_speaker}
    clips = [clip for clip, _ in run.clips()]
    ruling = resolve_overrides(read_overrides(str(file), SCHEMA), clips, (), known)
    assert ruling.merged == {"spk001": "spk000", "spk002": "spk000"}
    assert ruling.excluded_clips.keys() == {"clip_spk003_0", "clip_spk003_1"}


def test_nothing_is_told_before_anything_is_said(run, browser):
    path, _ = write(run.write())
    assert act(browser, path, ACT + 'return [at("result").hidden, at("chosen").hidden];') == [
        True,
        True,
    ]
