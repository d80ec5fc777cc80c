"use strict";

// The page as a whole: the data that it was made with, and what its user has chosen.
const data = JSON.parse(byId("data").textContent);
const SHAPES = ["M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0", "M-.9-.9h1.8v1.8h-1.8z",
  "M0-1.15L1.1.85H-1.1z", "M0-1.3L1.1 0L0 1.3L-1.1 0z"];
const PAGE_SIZE = 60;
const EXCLUDED = "excluded by you";
const CHECKBOXES = ["review", "playable"];

const speakers = data.speakers.map((row, number) => ({...row,
  label: row.name === row.id ? row.id : `${row.id} · ${row.name}`,
  colour: data.colours[number % data.colours.length],
  shape: SHAPES[Math.floor(number / data.colours.length) % SHAPES.length]}));
const clips = data.clips.map(
  ([id, speaker, confidence, seconds, x, y, text, reasons, sound, excluded]) =>
    ({id, speaker: speakers[speaker], confidence, seconds, x, y, text, reasons, sound, excluded,
      words: `${id} ${text}`.toLowerCase()}));

const marked = new Set();    // ids of the clips whose boxes are ticked
const points = new Map();    // clip -> its point on the map
const bars = new Map();      // speaker id -> its button in the list of speakers
let shownClips = [];         // clips that pass the filters
let numRows = PAGE_SIZE;     // so many of them are listed
let selected = null;         // the clip in the player
let suggested = null;        // ids of the clips of a review suggestion, while they are shown
let next = null;             // the clip to play when the present one ends, of a pair to compare
let overrides = null;        // corrections of the user, see overrides.js

// ---------------------------------------------------------------- filters

function applyFilters() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const speaker = byId("speaker").value;
  shownClips = clips.filter((clip) => (!speaker || clip.speaker.id === speaker)
    && (!byId("review").checked || clip.reasons.length)
    && (!byId("playable").checked || clip.sound >= 0)
    && (!suggested || suggested.has(clip.id))
    && words.every((word) => clip.words.includes(word)));
  numRows = PAGE_SIZE;
  saveFilters();
  showClips();
  const visible = new Set(shownClips);
  for (const [clip, point] of points) point.classList.toggle("dim", !visible.has(clip));
  for (const [id, button] of bars) button.setAttribute("aria-pressed", String(id === speaker));
  showSpeakerTools(speakers.find((row) => row.id === speaker));
}

// The address of the page keeps the filters, so that a reload or a link shows the same clips.
function saveFilters() {
  const state = new URLSearchParams();
  for (const id of ["speaker", "find"]) if (byId(id).value) state.set(id, byId(id).value);
  for (const id of CHECKBOXES) if (byId(id).checked) state.set(id, "1");
  history.replaceState(null, "", state.size ? `#${state}` : "#");
}

function restoreFilters() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const id of ["speaker", "find"]) byId(id).value = state.get(id) || "";
  for (const id of CHECKBOXES) byId(id).checked = state.has(id);
  applyFilters();
}

function clearFilters() {
  suggested = null;
  for (const id of ["speaker", "find"]) byId(id).value = "";
  for (const id of CHECKBOXES) byId(id).checked = false;
  applyFilters();
}

function toggleSpeaker(id) {
  byId("speaker").value = byId("speaker").value === id ? "" : id;
  suggested = null;
  applyFilters();
}

function showSuggestion(suggestion) {
  clearFilters();
  suggested = new Set(suggestion.clips);
  applyFilters();
  byId("filters").scrollIntoView();
}

// ---------------------------------------------------------------- clips

function showClips() {
  byId("clips").replaceChildren(...shownClips.slice(0, numRows).map(createRow));
  byId("count").textContent = `${shownClips.length.toLocaleString("en")} of `
    + `${clips.length.toLocaleString("en")} clips`;
  byId("more").hidden = shownClips.length <= numRows;
}

function createRow(clip) {
  const box = createElement("input", {type: "checkbox", "aria-label": `mark ${clip.id}`});
  box.checked = marked.has(clip.id);
  box.addEventListener("change", () => markClip(clip, box.checked));

  const play = createElement("button",
    {type: "button", class: "play", "aria-label": `play ${clip.id}`}, "▶");
  play.disabled = clip.sound < 0;
  if (play.disabled) play.title = `not on this page; listen to clips/${clip.id}.wav`;
  play.addEventListener("click", () => playClip(clip));

  const speaker = createElement("button", {type: "button", class: "speaker"},
    createSwatch(clip.speaker), " ", clip.speaker.label);
  speaker.addEventListener("click", () => toggleSpeaker(clip.speaker.id));
  const head = createElement("p", {}, createElement("code", {}, clip.id), " ", speaker);

  const text = createElement("p", {class: "faint", dir: "auto", lang: data.language}, clip.text);
  const chips = createElement("p", {});
  const reasons = clip.reasons.map((number) => data.reasons[number]);
  for (const reason of [...reasons, ...clip.excluded ? [EXCLUDED] : []]) {
    chips.append(createElement("span", {class: "chip"}, reason), " ");
  }
  const middle = createElement("div", {}, head, text, chips);
  const figures = createElement("p", {class: "faint figures"},
    `${formatDuration(clip.seconds)}, confidence ${clip.confidence.toFixed(2)}`);

  const item = createElement("li", {"data-clip": clip.id}, box, play, middle, figures);
  item.classList.toggle("selected", clip === selected);
  item.classList.toggle("excluded", Boolean(clip.excluded));
  return item;
}

function markClip(clip, isMarked) {
  if (isMarked) marked.add(clip.id); else marked.delete(clip.id);
  byId("clip-tools").hidden = !marked.size;
  byId("marked").textContent = marked.size === 1 ? "1 clip marked" : `${marked.size} clips marked`;
}

function unmarkClips() {
  marked.clear();
  for (const box of byId("clips").querySelectorAll("input")) box.checked = false;
  byId("clip-tools").hidden = true;
}

// Play one clip, and the other when it ends.
function playPair([one, other]) {
  playClip(one);
  next = other;
}

function playClip(clip) {
  next = null;
  selectClip(clip);
  if (clip.sound < 0) return;
  byId("player").src = `data:audio/mpeg;base64,${data.sounds[clip.sound]}`;
  // A browser that refuses to start the sound shows the player, which the user can start.
  byId("player").play().catch(() => {});
}

function selectClip(clip) {
  if (points.has(selected)) points.get(selected).classList.remove("selected");
  selected = clip;
  const point = points.get(clip);
  if (point) {
    point.classList.add("selected");
    point.parentNode.append(point);  // above the others
  }
  const silent = clip.sound < 0 ? " (no sound on this page)" : "";
  byId("playing").textContent = `${clip.id}, ${clip.speaker.label}${silent}: ${clip.text}`;
  for (const item of byId("clips").children) {
    item.classList.toggle("selected", item.dataset.clip === clip.id);
  }
}

// ---------------------------------------------------------------- speaker map

function drawMap() {
  const mapped = data.mapped.map((number) => clips[number]);
  const range = (key) =>
    [Math.min, Math.max].map((limit) => limit(...mapped.map((clip) => clip[key])));
  const [[left, right], [bottom, top]] = [range("x"), range("y")];
  const scale = Math.min(640 / (right - left || 1), 440 / (top - bottom || 1));
  const size = mapped.length > 600 ? 3.5 : mapped.length > 150 ? 5 : 7;
  for (const clip of mapped) {
    const x = 350 + scale * (clip.x - (left + right) / 2);
    const y = 250 - scale * (clip.y - (bottom + top) / 2);
    const point = createShape(clip.speaker);
    point.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`);
    point.setAttribute("vector-effect", "non-scaling-stroke");
    point.classList.toggle("review", clip.reasons.length > 0);
    point.classList.toggle("silent", clip.sound < 0);
    const title = document.createElementNS(SVG, "title");
    title.textContent = `${clip.id}, ${clip.speaker.label}`;
    point.append(title);
    point.addEventListener("click", () => playClip(clip));
    points.set(clip, point);
    byId("map").append(point);
  }
}

// The arrow keys go through the shown clips, and Enter plays the selected one.
function useMapKey(event) {
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  const reachable = shownClips.filter((clip) => points.has(clip));
  if (step && reachable.length) {
    const place = reachable.indexOf(selected) + (selected || step > 0 ? step : 0);
    selectClip(reachable[(place + reachable.length) % reachable.length]);
  } else if (event.key === "Enter" && selected) {
    playClip(selected);
  } else {
    return;
  }
  event.preventDefault();
}

// ---------------------------------------------------------------- speakers

function drawSpeakers() {
  const longest = Math.max(...speakers.map((row) => row.seconds), 1e-9);
  for (const speaker of speakers) {
    const bar = createElement("span", {class: "bar"});
    bar.style.background = speaker.colour;
    bar.style.width = `${100 * speaker.seconds / longest}%`;
    const count = `${speaker.clips} ${speaker.clips === 1 ? "clip" : "clips"}`;
    const amount = createElement("span", {class: "faint"},
      [formatDuration(speaker.seconds), count, ...speaker.excluded ? ["excluded"] : []].join(", "));
    const name = createElement("b", {title: speaker.label}, speaker.label);
    const button = createElement("button", {type: "button"},
      createSwatch(speaker), name, amount, bar);
    button.addEventListener("click", () => toggleSpeaker(speaker.id));
    bars.set(speaker.id, button);
    byId("speakers").append(createElement("li", {}, button));
  }
}

function showSpeakerTools(speaker) {
  byId("speaker-tools").hidden = !speaker;
  if (!speaker) return;
  byId("speaker-name").textContent = speaker.label;
  byId("same").replaceChildren(...createOptions(speakers.filter((row) => row !== speaker)));
  byId("do-merge").disabled = speakers.length < 2;
}

// ---------------------------------------------------------------- overrides

function discardOverrides() {
  overrides = createOverrides();
  showLines();
}

function overrideClips(kind, target) {
  for (const clip of marked) overrides.clips.set(clip, {kind, target});
  unmarkClips();
  showLines();
}

function splitClips() {
  const name = byId("new-speaker").value.trim();
  if (name) overrideClips("split", name); else byId("new-speaker").focus();
}

function nameSpeaker() {
  const name = byId("name").value.trim();
  if (!name) {
    byId("name").focus();
    return;
  }
  overrides.names.set(byId("speaker").value, name);
  byId("name").value = "";
  showLines();
}

function mergeSpeaker() {
  mergeSpeakers(overrides, byId("speaker").value, byId("same").value);
  showLines();
}

function excludeSpeaker() {
  overrides.speakers.add(byId("speaker").value);
  showLines();
}

function showLines() {
  byId("lines").textContent = writeOverrides(overrides);
  byId("overrides").hidden = !byId("lines").textContent;
  byId("copied").textContent = "";
}

function copyLines(lines, status) {
  return copyText(lines, status,
    `Copied. Paste the lines at the end of ${data.overridesFile}. ${data.hint}`);
}

// ---------------------------------------------------------------- start

drawSpeakers();
if (data.mapped.length) drawMap();
byId("speaker").append(...createOptions(speakers));
byId("to").append(...createOptions(speakers));
discardOverrides();

for (const id of ["find", "speaker", ...CHECKBOXES]) {
  byId(id).addEventListener("input", () => { suggested = null; applyFilters(); });
}
const actions = {
  "more": () => { numRows += PAGE_SIZE; showClips(); },
  "reset": clearFilters,
  "unmark": unmarkClips,
  "do-assign": () => overrideClips("assign", byId("to").value),
  "do-exclude": () => overrideClips("exclude"),
  "do-split": splitClips,
  "do-name": nameSpeaker,
  "do-merge": mergeSpeaker,
  "do-exclude-speaker": excludeSpeaker,
  "discard": discardOverrides,
  "copy": () => copyLines(byId("lines").textContent, byId("copied")),
};
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
byId("map").addEventListener("keydown", useMapKey);
for (const button of document.querySelectorAll("[data-show]")) {
  const suggestion = data.suggestions[button.dataset.show];
  button.addEventListener("click", () => showSuggestion(suggestion));
}
for (const key of ["lines", "settle"]) {
  for (const button of document.querySelectorAll(`[data-${key}]`)) {
    const suggestion = data.suggestions[button.dataset[key]];
    const status = createElement("span", {class: "faint", role: "status"});
    button.after(status);
    button.addEventListener("click", () => copyLines(suggestion[key], status));
  }
}
for (const button of document.querySelectorAll("[data-pair]")) {
  const pair = JSON.parse(button.dataset.pair).map((id) => clips.find((clip) => clip.id === id));
  button.disabled = !pair.every((clip) => clip && clip.sound >= 0);
  if (button.disabled) button.title = "not on this page; listen to the files in the folder clips";
  button.addEventListener("click", () => playPair(pair));
}
byId("player").addEventListener("ended", () => { if (next) playClip(next); });
addEventListener("hashchange", restoreFilters);
restoreFilters();
