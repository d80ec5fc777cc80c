"""The speaker review page: what is on it, and what it can do."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from lib.report.tables import MAX_DOUBTS
from lib.review import selection, speaker_review
from lib.review.selection import Item, choose_listed, choose_sounds
from lib.review.speaker_review import MIXED, OUTLIER, UNCERTAIN, ReviewPaths, write_speaker_review
from lib.speakers.overrides import resolve_overrides
from lib.speakers.overrides_file import read_overrides
from tests.fixtures.chromium import Browser

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    ROOT / "lib/review/templates" / name
    for name in ("elements.js", "overrides.js", "speaker_review.js")
]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/speakers.schema.yaml").read_text("utf-8"))
HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
TWO = [["clip_spk000_2"], ["clip_spk000_0", "clip_spk000_1", "clip_spk000_3"]]
SUGGESTION = {
    "reason": "several_speakers",
    "speakers": ["spk000"],
    "groups": TWO,
    "lines": "split:\n  spk000-b: [clip_spk000_2]\n",
}
DOUBT = {
    "reason": "unsettled_pair",
    "speakers": ["spk000", "spk001"],
    "groups": [["clip_spk000_0", "clip_spk000_1"], ["clip_spk001_0", "clip_spk001_1"]],
    "lines": "merge:\n  - [spk000, spk001]\n",
    "settle": "apart:\n  - [spk000, spk001]\n",
    "similarities": {"resemblyzer": 0.82, "campplus": 0.74},
    "threshold": 0.78,
    "share_session": False,
}


def write(run, texts=None, title="recordings", overrides="config/speakers.yaml"):
    """Write the page of a made-up run; return it with what its script is given."""
    path = run.folder / "speakers/review.html"
    folder = run.folder / "speakers"
    if not (folder / "excluded.tsv").exists():
        (folder / "excluded.tsv").write_text("clip\tdetail\n")
    texts = texts or {clip: f"{run.clip_text} in {clip}" for clip, _ in run.clips()}
    paths = ReviewPaths(
        folder / "assignments.tsv",
        folder / "map.tsv",
        folder / "registry.json",
        folder / "excluded.tsv",
        run.folder / "measurements.tsv",
        run.folder / "clips",
    )
    write_speaker_review(paths, texts, 0.1, 0.7, title, "eng", overrides, path)
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
    keys = ("clip", "speaker", "confidence", "seconds", "x", "y", "text", "reasons", "sound")
    keys += ("excluded",)
    return [dict(zip(keys, row, strict=True)) for row in data["clips"]]


# ---------------------------------------------------------------- what is on it


@pytest.mark.parametrize("overrides", ["config/people.yaml", None])
def test_the_page_names_the_file_that_the_run_reads_or_how_to_have_one_read(run, overrides):
    path, data = write(run.write(), overrides=overrides)
    text = path.read_text("utf-8")
    file = overrides or "config/speakers.yaml"
    assert data["overridesFile"] == file
    assert f"<code>{file}</code>" in text and f"For {file}" in text
    assert ("set speakers.overrides to its name" in text) == (overrides is None)
    assert ("set speakers.overrides to its name" in data["hint"]) == (overrides is None)


def test_every_clip_is_there_with_its_sound_and_those_to_review_come_first(run):
    run.suggestions = [SUGGESTION]
    _, data = write(run.write())
    shown = rows(data)
    assert sorted(row["clip"] for row in shown) == sorted(clip for clip, _ in run.clips())
    assert sorted(row["sound"] for row in shown) == list(range(7)) and len(data["sounds"]) == 7
    assert [(row["clip"], row["reasons"]) for row in shown[:3]] == [
        ("clip_spk000_1", [UNCERTAIN]),
        ("clip_spk001_1", [UNCERTAIN]),
        ("clip_spk000_2", [OUTLIER]),
    ]
    assert not any(row["reasons"] for row in shown[3:])
    assert [(s["id"], s["clips"], s["seconds"]) for s in data["speakers"]] == [
        ("spk000", 4, 4.0),
        ("spk001", 3, 3.0),
    ]


def test_a_clip_of_two_speakers_is_to_be_reviewed(run):
    run.write()
    table = run.folder / "speakers/assignments.tsv"
    table.write_text(
        table.read_text().replace(
            "clip_spk001_2\tspk001\t1.0000\t", "clip_spk001_2\tspk001\t1.0000\t0.6999"
        )
    )
    first = {row["clip"]: row["reasons"] for row in rows(write(run)[1])}
    assert first["clip_spk001_2"] == [MIXED]
    assert first["clip_spk001_0"] == []


def test_excluded_clips_are_marked(run):
    run.write()
    (run.folder / "speakers/excluded.tsv").write_text("clip\tdetail\nclip_spk000_3\tx\n")
    marked = {row["clip"]: row["excluded"] for row in rows(write(run)[1])}
    assert [clip for clip, excluded in marked.items() if excluded] == ["clip_spk000_3"]


def test_the_page_is_whole_and_lets_only_its_own_script_run(run):
    run.clip_text, run.names = HOSTILE, {"spk000": HOSTILE}
    run.suggestions = [SUGGESTION]
    path, data = write(run.write(), title=HOSTILE)
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    html = path.read_text("utf-8")
    parser.feed(html)
    assert [attributes.get("type") for tag, attributes in tags if tag == "script"] == [
        "application/json",
        *[None] * len(SCRIPTS),
    ]
    assert not [tag for tag, _ in tags if tag in ("img", "link", "iframe")]
    assert "http:" not in html.replace("http://www.w3.org/2000/svg", "") and "https:" not in html
    assert "url(" not in html
    policy = next(a["content"] for t, a in tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy and policy.count("'sha256-") == len(SCRIPTS)
    assert data["speakers"][0]["name"] == HOSTILE


def test_a_large_corpus_gives_a_page_of_bearable_size(run, monkeypatch):
    monkeypatch.setattr(selection, "TOTAL_SECONDS", 10.0)
    monkeypatch.setattr(selection, "MAX_POINTS", 20)
    monkeypatch.setattr(selection, "MAX_CLIPS", 30)
    run.clips_per_speaker = {f"spk{n:03d}": 10 for n in range(5)}
    path, data = write(run.write())
    with_sound = [row for row in rows(data) if row["sound"] >= 0]
    assert len(data["clips"]) == 30 and len(data["mapped"]) == 20
    assert len(with_sound) == len(data["sounds"]) == 10
    assert {row["speaker"] for row in with_sound} == set(range(5))
    assert {data["clips"][n][0] for n in data["mapped"]} >= {row["clip"] for row in with_sound}
    limits = re.findall(r'<p class="faint limit">(.+?)</p>', path.read_text("utf-8"), re.S)
    assert [limit.split()[0:3] for limit in limits] == [
        ["10", "of", "50"],
        ["The", "map", "shows"],
        ["The", "list", "has"],
    ]


def test_a_page_of_long_clips_plays_their_start(run, monkeypatch):
    monkeypatch.setattr(speaker_review, "MAX_SECONDS", 0.25)
    path, data = write(run.write())
    assert "Long clips play for their first 0.25 seconds." in path.read_text("utf-8")
    assert max(map(len, data["sounds"])) < 4 / 3 * 3000 * 0.5


def item(clip, speaker="a", confidence=1.0, seconds=4.0, reasons=()):
    return Item(clip, speaker, confidence, seconds, (0, 0), "", False, list(reasons))


def test_speakers_take_turns_and_typical_clips_alternate_with_those_to_review():
    many = [item(f"a{n:03d}", "a", seconds=2 + n % 5) for n in range(100)]
    to_review = [item(f"d{n}", "a", 0.0, reasons=[0]) for n in range(50)]
    few = [item("b0", "b"), item("b1", "b")]
    chosen = choose_sounds([*to_review, *many, *few], [])
    assert chosen[1] == "b0" and chosen[3] == "b1"
    own = [clip for clip in chosen if clip[0] != "b"]
    assert len(own) == selection.MAX_PLAYERS
    assert [clip[0] for clip in own[:6]] == list("adadad")
    assert {int(clip[1:]) % 5 for clip in own if clip[0] == "a"} == {2}


def test_clips_of_a_suggestion_have_sound():
    clips = [item(f"c{n:03d}", seconds=9.0) for n in range(100)]
    groups = [[f"c{n:03d}" for n in range(90, 100)], ["c050", "c051"]]
    chosen = choose_sounds(clips, groups)
    assert set(chosen[:5]) == {"c050", "c051", "c090", "c093", "c096"}


def test_the_list_keeps_clips_with_sound_and_those_to_review(monkeypatch):
    clips = [item(f"c{n}", reasons=[0] if n == 7 else ()) for n in range(40)]
    assert choose_listed(clips, ["c3"]) == clips
    monkeypatch.setattr(selection, "MAX_CLIPS", 5)
    kept = [row.clip for row in choose_listed(clips, ["c3"])]
    assert len(kept) == 5 and {"c3", "c7"} <= set(kept)


# ---------------------------------------------------------------- what it can do


def test_chromium_opens_it_without_a_complaint_and_with_the_filter_of_its_address(run, browser):
    run.suggestions = [SUGGESTION]
    run.clip_text, run.names = HOSTILE, {"spk001": HOSTILE}
    path, _ = write(run.write())
    browser.open(f"{path.as_uri()}#speaker=spk001&review=1")
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


def test_chromium_filters_by_text_speaker_and_suggestion(run, browser):
    run.suggestions = [SUGGESTION]
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
        set("review", "checked", true); found.both = listed();
        at("reset").click(); found.all = listed().length;
        document.querySelector("[data-show]").click(); found.suggestion = listed().sort();
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
    assert found["suggestion"] == found["bar"] == [f"clip_spk000_{n}" for n in range(4)]
    order = [row["clip"] for row in rows(write(run)[1])]
    assert found["walked"] == order[(order.index(found["point"]) + 1) % 7]


def test_a_doubt_says_what_is_not_settled(run):
    run.suggestions = [DOUBT, SUGGESTION]
    path, data = write(run.write())
    first = data["suggestions"][0]
    assert first["text"] == (
        "Are spk000 and spk001 one person? Their similarity is 0.74 (CAM++) and 0.82 "
        "(resemblyzer); one person is from 0.78 on by CAM++. No session has clips of both: another "
        "day or microphone may be all that differs."
    )
    assert first["pairs"] == [
        ["clip_spk000_0", "clip_spk001_0"],
        ["clip_spk000_1", "clip_spk001_1"],
    ]
    assert data["suggestions"][1]["pairs"] == []
    html = path.read_text("utf-8")
    assert html.index("Are spk000") < html.index("may be more than one speaker")
    assert "apart:" in html and "merge:" in html


def test_the_page_has_the_likeliest_doubts(run):
    run.suggestions = [SUGGESTION] + [DOUBT] * (MAX_DOUBTS + 3)
    path, data = write(run.write())
    assert len(data["suggestions"]) == MAX_DOUBTS + 1
    assert "3 more doubts are in speakers/doubts.tsv" in path.read_text("utf-8")


def test_chromium_plays_the_clips_of_a_doubt_one_after_the_other(run, browser):
    run.suggestions = [SUGGESTION, DOUBT]
    path, _ = write(run.write())
    found = act(
        browser,
        path,
        """const playing = () => document.getElementById("playing").textContent.split(",")[0];
        const ended = () => document.getElementById("player").dispatchEvent(new Event("ended"));
        const pairs = document.querySelectorAll("[data-pair]"), found = {pairs: pairs.length};
        pairs[1].click(); found.first = playing();
        ended(); found.second = playing();
        ended(); found.still = playing();
        pairs[0].click();
        document.querySelector("[data-clip=clip_spk000_3] .play").click();
        ended(); found.other = playing();
        const copied = [];
        document.execCommand = () => {
          copied.push(document.querySelector("body > textarea").value); return true;
        };
        Object.defineProperty(navigator, "clipboard", {value: {writeText: () => { throw 1; }}});
        document.querySelector("[data-settle]").click();
        document.querySelector("[data-lines]").click();
        await new Promise((done) => setTimeout(done, 50));
        found.copied = copied;
        return found;""",
    )
    assert found["pairs"] == 2
    assert (found["first"], found["second"], found["still"]) == (
        "clip_spk000_1",
        "clip_spk001_1",
        "clip_spk001_1",
    )
    assert found["other"] == "clip_spk000_3"
    assert found["copied"] == [DOUBT["settle"], DOUBT["lines"]]


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
        box("clip_spk002_1"); box("clip_spk002_2");
        at("new-speaker").value = "O'Brien: \\"Bo\\", 2nd"; at("do-split").click();
        box("clip_spk001_0"); at("to").value = "spk000"; at("do-assign").click();
        speaker("spk003"); at("same").value = "spk001"; at("do-merge").click();
        at("name").value = "Ámina #1"; at("do-name").click();
        speaker("spk002"); at("do-exclude-speaker").click();
        return at("lines").textContent;""",
    )
    file = tmp_path / "speakers.yaml"
    file.write_text(lines, "utf-8")
    overrides = read_overrides(str(file), SCHEMA)
    assert overrides.names == {"spk001": "Ámina #1"}
    assert overrides.merge == [["spk001", "spk003"]]
    assert overrides.assign == {"spk000": ["clip_spk001_0"], "spk001": ["clip_spk000_1"]}
    assert overrides.split == {'O\'Brien: "Bo", 2nd': ["clip_spk002_1", "clip_spk002_2"]}
    assert overrides.exclude == {"speakers": ["spk002"], "clips": ["clip_spk000_0"]}
    clips = [clip for clip, _ in run.clips()]
    known = {speaker: speaker for speaker in run.clips_per_speaker}
    assert resolve_overrides(overrides, clips, (), known).merged == {"spk003": "spk001"}


def test_whatever_a_name_is_the_lines_hold_it_as_a_text(run, browser):
    path, _ = write(run.write())
    browser.open(path.as_uri())
    names = ["Amina", "spk_1.a-b", "007", "1e3", "no", "True", "null", "~", "a: b", "# c", "'d'"]
    names += ['"e"', "é", "-", "[f]", "*g", "y", "0x1f", "2024-01-01", "h\\i", ".nan", "_"]
    lines = browser.run(f"writeList({json.dumps(names)})")
    assert yaml.safe_load(lines) == names
    assert lines.startswith("[Amina, spk_1.a-b, ")


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


def test_there_are_no_lines_without_corrections(run, browser):
    path, _ = write(run.write())
    hidden = 'return ["overrides", "clip-tools"].map((id) => at(id).hidden);'
    assert act(browser, path, ACT + hidden) == [True, True]
