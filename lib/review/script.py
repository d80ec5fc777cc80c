"""The script of the audition page: filters, map, player, and lines for the user's file."""

SCRIPT = r"""
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const SHAPES = ["M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0", "M-.9-.9h1.8v1.8h-1.8z",
  "M0-1.15L1.1.85H-1.1z", "M0-1.3L1.1 0L0 1.3L-1.1 0z"];
const PAGE = 60, LEFT_OUT = "left out by you";
const speakers = data.speakers.map((row, number) => ({...row,
  label: row.name === row.id ? row.id : `${row.id} · ${row.name}`,
  colour: data.colours[number % data.colours.length],
  shape: SHAPES[Math.floor(number / data.colours.length) % SHAPES.length]}));
const clips = data.clips.map(([id, speaker, sure, seconds, x, y, text, why, sound, out]) =>
  ({id, speaker: speakers[speaker], sure, seconds, x, y, text, why, sound, out,
    words: `${id} ${text}`.toLowerCase()}));
const known = new Map(clips.map((clip) => [clip.id, clip]));
const chosen = new Set();
let shown = [], limit = PAGE, now = null, group = null;

// ---- small parts
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
function draw(shape, colour) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shape);
  path.setAttribute("fill", colour);
  return path;
}
function swatch(speaker) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-1.4 -1.4 2.8 2.8");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("aria-hidden", "true");
  svg.append(draw(speaker.shape, speaker.colour));
  return svg;
}
function length(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(2)} h`;
}

// ---- what is shown
function filter() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const speaker = at("speaker").value;
  shown = clips.filter((clip) => (!speaker || clip.speaker.id === speaker)
    && (!at("doubtful").checked || clip.why.length) && (!at("playable").checked || clip.sound >= 0)
    && (!group || group.has(clip.id)) && words.every((word) => clip.words.includes(word)));
  limit = PAGE;
  remember();
  list();
  const visible = new Set(shown);
  for (const [clip, point] of points) point.classList.toggle("dim", !visible.has(clip));
  for (const [id, button] of bars) button.setAttribute("aria-pressed", String(id === speaker));
  const one = speakers.find((row) => row.id === speaker);
  at("own").hidden = !one;
  if (one) {
    at("own-name").textContent = one.label;
    at("same").replaceChildren(...options(speakers.filter((row) => row !== one)));
    at("do-merge").disabled = speakers.length < 2;
  }
}
function remember() {
  const state = new URLSearchParams();
  if (at("speaker").value) state.set("speaker", at("speaker").value);
  if (at("find").value) state.set("find", at("find").value);
  for (const id of ["doubtful", "playable"]) if (at(id).checked) state.set(id, "1");
  history.replaceState(null, "", state.size ? `#${state}` : "#");
}
function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  at("speaker").value = state.get("speaker") || "";
  at("find").value = state.get("find") || "";
  for (const id of ["doubtful", "playable"]) at(id).checked = state.has(id);
  filter();
}
function list() {
  at("clips").replaceChildren(...shown.slice(0, limit).map(row));
  at("count").textContent = `${shown.length.toLocaleString("en")} of `
    + `${clips.length.toLocaleString("en")} clips`;
  at("more").hidden = shown.length <= limit;
}
function row(clip) {
  const box = make("input", {type: "checkbox", "aria-label": `mark ${clip.id}`});
  box.checked = chosen.has(clip.id);
  box.addEventListener("change", () => mark(clip, box.checked));
  const play = make("button", {class: "play", "aria-label": `play ${clip.id}`}, "▶");
  play.disabled = clip.sound < 0;
  if (play.disabled) play.title = `not on this page; listen to clips/${clip.id}.wav`;
  play.addEventListener("click", () => hear(clip));
  const who = make("button", {class: "who"}, swatch(clip.speaker), " ", clip.speaker.label);
  who.addEventListener("click", () => only(clip.speaker.id));
  const head = make("p", {}, make("code", {}, clip.id), " ", who);
  const said = make("p", {class: "faint", dir: "auto", lang: data.language}, clip.text);
  const chips = make("p", {});
  for (const why of [...clip.why.map((n) => data.reasons[n]), ...clip.out ? [LEFT_OUT] : []]) {
    chips.append(make("span", {class: "chip"}, why), " ");
  }
  const figures = `${length(clip.seconds)}, confidence ${clip.sure.toFixed(2)}`;
  const sure = make("p", {class: "faint sure"}, figures);
  const middle = make("div", {}, head, said, chips);
  const item = make("li", {"data-clip": clip.id}, box, play, middle, sure);
  item.classList.toggle("now", clip === now);
  item.classList.toggle("out", Boolean(clip.out));
  return item;
}
function only(speaker) {
  at("speaker").value = at("speaker").value === speaker ? "" : speaker;
  group = null;
  filter();
}

// ---- listening
function hear(clip) {
  select(clip);
  if (clip.sound < 0) return;
  at("player").src = `data:audio/mpeg;base64,${data.sounds[clip.sound]}`;
  at("player").play().catch(() => {});
}
function select(clip) {
  if (now && points.has(now)) points.get(now).classList.remove("now");
  now = clip;
  const point = points.get(clip);
  if (point) { point.classList.add("now"); point.parentNode.append(point); }
  const mute = clip.sound < 0 ? " (no sound on this page)" : "";
  at("playing").textContent = `${clip.id}, ${clip.speaker.label}${mute}: ${clip.text}`;
  for (const item of at("clips").children) {
    item.classList.toggle("now", item.dataset.clip === clip.id);
  }
}

// ---- map and bars
const points = new Map(), bars = new Map();
function drawMap() {
  const placed = data.mapped.map((number) => clips[number]);
  const range = (key) => [Math.min, Math.max].map((end) => end(...placed.map((c) => c[key])));
  const [[left, right], [bottom, top]] = [range("x"), range("y")];
  const scale = Math.min(640 / (right - left || 1), 440 / (top - bottom || 1));
  const size = placed.length > 600 ? 3.5 : placed.length > 150 ? 5 : 7;
  for (const clip of placed) {
    const x = 350 + scale * (clip.x - (left + right) / 2);
    const y = 250 - scale * (clip.y - (bottom + top) / 2);
    const point = draw(clip.speaker.shape, clip.speaker.colour);
    point.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`);
    point.setAttribute("vector-effect", "non-scaling-stroke");
    point.classList.toggle("unsure", clip.why.length > 0);
    point.classList.toggle("mute", clip.sound < 0);
    const title = document.createElementNS(SVG, "title");
    title.textContent = `${clip.id}, ${clip.speaker.label}`;
    point.append(title);
    point.addEventListener("click", () => hear(clip));
    points.set(clip, point);
    at("map").append(point);
  }
}
function walk(event) {
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  const reachable = shown.filter((clip) => points.has(clip));
  if (step && reachable.length) {
    const place = reachable.indexOf(now) + (now || step > 0 ? step : 0);
    select(reachable[(place + reachable.length) % reachable.length]);
  } else if (event.key === "Enter" && now) {
    hear(now);
  } else {
    return;
  }
  event.preventDefault();
}
function drawBars() {
  const longest = Math.max(...speakers.map((row) => row.seconds), 1e-9);
  for (const speaker of speakers) {
    const bar = make("span", {class: "bar", style: ""});
    bar.style.background = speaker.colour;
    bar.style.width = `${100 * speaker.seconds / longest}%`;
    const number = `${speaker.clips} ${speaker.clips === 1 ? "clip" : "clips"}`;
    const amount = make("span", {class: "faint"},
      [length(speaker.seconds), number, ...speaker.out ? ["left out"] : []].join(", "));
    const name = make("b", {title: speaker.label}, speaker.label);
    const button = make("button", {type: "button"}, swatch(speaker), name, amount, bar);
    button.addEventListener("click", () => only(speaker.id));
    bars.set(speaker.id, button);
    at("speakers").append(make("li", {}, button));
  }
}
function options(rows) {
  return rows.map((row) => make("option", {value: row.id}, row.label));
}

// ---- the user's word
let word;
function forget() {
  word = {names: new Map(), merged: new Map(), moves: new Map(), left: new Set()};
  tell();
}
function keeper(id) {
  while (word.merged.has(id)) id = word.merged.get(id);
  return id;
}
function mark(clip, on) {
  if (on) chosen.add(clip.id); else chosen.delete(clip.id);
  at("chosen").hidden = !chosen.size;
  at("number").textContent = chosen.size === 1 ? "1 clip marked" : `${chosen.size} clips marked`;
}
function unmark() {
  chosen.clear();
  for (const box of at("clips").querySelectorAll("input")) box.checked = false;
  at("chosen").hidden = true;
}
function move(kind, target) {
  for (const clip of chosen) word.moves.set(clip, {kind, target});
  unmark();
  tell();
}
function text(value) {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(value) ? value : JSON.stringify(value);
}
function gather(kind) {
  const found = new Map();
  for (const [clip, move] of word.moves) {
    if (move.kind !== kind) continue;
    const target = kind === "assign" ? keeper(move.target) : move.target;
    found.set(target, [...found.get(target) || [], clip]);
  }
  return found;
}
function compose() {
  const lines = [];
  const section = (name, rows) => {
    if (rows.length) lines.push(`${name}:`, ...rows.map((line) => `  ${line}`));
  };
  const inline = (values) => `[${values.map(text).join(", ")}]`;
  const grouped = (kind) => [...gather(kind)].map(([key, ids]) => `${text(key)}: ${inline(ids)}`);
  const names = new Map([...word.names].map(([id, name]) => [keeper(id), name]));
  section("names", [...names].map(([id, name]) => `${id}: ${text(name)}`));
  const merges = new Map();
  for (const id of word.merged.keys()) {
    merges.set(keeper(id), [...merges.get(keeper(id)) || [keeper(id)], id]);
  }
  section("merge", [...merges.values()].map((ids) => `- ${inline(ids)}`));
  section("assign", grouped("assign"));
  section("split", grouped("split"));
  const left = [...new Set([...word.left].map(keeper))];
  const out = [...gather("exclude").values()].flat();
  section("exclude", [...left.length ? [`speakers: ${inline(left)}`] : [],
    ...out.length ? [`clips: ${inline(out)}`] : []]);
  return lines.length ? `${lines.join("\n")}\n` : "";
}
function tell() {
  at("lines").textContent = compose();
  at("result").hidden = !at("lines").textContent;
  at("said").textContent = "";
}
async function copy(lines, status) {
  try {
    await navigator.clipboard.writeText(lines);
    status.textContent = `Copied. Paste it at the end of ${data.file}. ${data.hint}`;
  } catch {
    const area = make("textarea", {});
    area.value = lines;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    status.textContent = done ? `Copied. Paste it at the end of ${data.file}. ${data.hint}`
      : "This browser does not let a page copy: mark the lines and copy them by hand.";
  }
}

// ---- wiring
drawBars();
if (data.mapped.length) drawMap();
at("speaker").append(...options(speakers));
at("to").append(...options(speakers));
forget();
for (const id of ["find", "speaker", "doubtful", "playable"]) {
  at(id).addEventListener("input", () => { group = null; filter(); });
}
at("map").addEventListener("keydown", walk);
at("more").addEventListener("click", () => { limit += PAGE; list(); });
at("reset").addEventListener("click", () => { group = null; location.hash = ""; recall(); });
at("none").addEventListener("click", unmark);
at("forget").addEventListener("click", forget);
at("copy").addEventListener("click", () => copy(at("lines").textContent, at("said")));
at("do-assign").addEventListener("click", () => move("assign", at("to").value));
at("do-exclude").addEventListener("click", () => move("exclude"));
at("do-split").addEventListener("click", () => {
  const name = at("voice").value.trim();
  if (name) move("split", name); else at("voice").focus();
});
at("do-name").addEventListener("click", () => {
  const name = at("name").value.trim();
  if (!name) return at("name").focus();
  word.names.set(at("speaker").value, name);
  at("name").value = "";
  tell();
});
at("do-merge").addEventListener("click", () => {
  const [one, other] = [keeper(at("speaker").value), keeper(at("same").value)].sort();
  if (one !== other) word.merged.set(other, one);
  tell();
});
at("do-drop").addEventListener("click", () => { word.left.add(at("speaker").value); tell(); });
for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    at("speaker").value = at("find").value = "";
    at("doubtful").checked = at("playable").checked = false;
    group = new Set(data.doubts[button.dataset.show].clips);
    filter();
    at("filters").scrollIntoView();
  });
}
for (const button of document.querySelectorAll("[data-lines]")) {
  const status = make("span", {class: "faint", role: "status"});
  button.after(status);
  button.addEventListener("click", () => copy(data.doubts[button.dataset.lines].lines, status));
}
addEventListener("hashchange", recall);
recall();
"""
