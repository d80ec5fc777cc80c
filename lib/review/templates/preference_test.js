"use strict";

// Plays blind pairs, keeps the votes in the browser, and writes them as lines of the votes file.

const data = JSON.parse(byId("data").textContent);
const STORE = `preference-test-${data.key}`;
const SIDES = ["a", "b", "recording"];
const VOTES = ["a", "same", "b"];
const KEYS = {
  a: () => play("a"), b: () => play("b"), r: () => play("recording"),
  1: () => vote("a"), 2: () => vote("same"), 3: () => vote("b"),
  ArrowLeft: () => go(current - 1), ArrowRight: () => go(current + 1),
};

let votes = new Map();   // number of the trial -> vote
let heard = new Set();   // sides of the present trial that were heard
let current = 0;

// ---------------------------------------------------------------- trials

function showTrial() {
  const trial = data.trials[current];
  const text = byId("text");
  text.textContent = trial.text;
  text.lang = data.language;
  byId("player").removeAttribute("src");
  byId("player").load();
  heard = new Set(votes.has(current) ? ["a", "b"] : []);
  showState();
}

function showState() {
  byId("progress").textContent = `Pair ${current + 1} of ${data.trials.length}, `
    + `${votes.size} voted on`;
  byId("bar").value = votes.size;
  for (const side of SIDES) byId(`play-${side}`).classList.toggle("heard", heard.has(side));
  for (const choice of VOTES) {
    const button = byId(`vote-${choice}`);
    button.disabled = !(heard.has("a") && heard.has("b"));
    button.setAttribute("aria-pressed", String(votes.get(current) === choice));
  }
  byId("back").disabled = current === 0;
  byId("forth").disabled = current === data.trials.length - 1;
}

function go(number) {
  if (number < 0 || number >= data.trials.length) return;
  current = number;
  showTrial();
}

function play(side) {
  const player = byId("player");
  player.src = data.sounds[data.trials[current].sounds[side]];
  player.play().catch(() => {});
  heard.add(side);
  showState();
}

function vote(choice) {
  if (byId(`vote-${choice}`).disabled) return;
  votes.set(current, choice);
  keepVotes();
  if (votes.size === data.trials.length) finish();
  else if (current < data.trials.length - 1) go(current + 1);
  else go(data.trials.findIndex((_, number) => !votes.has(number)));
}

function useKey(event) {
  if (byId("trial").hidden || event.ctrlKey || event.metaKey || event.altKey
      || event.target.matches("input, audio")) return;
  const action = KEYS[event.key];
  if (!action) return;
  action();
  event.preventDefault();
}

// ---------------------------------------------------------------- votes

// A browser may refuse a page to keep anything: then the votes last as long as the page.
function keepVotes() {
  try {
    localStorage.setItem(STORE, JSON.stringify({listener: byId("listener").value, votes: [...votes]}));
  } catch { /* nothing is kept */ }
}

function restoreVotes() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) || "{}");
    byId("listener").value = kept.listener || "";
    votes = new Map(kept.votes || []);
  } catch { votes = new Map(); }
  const open = data.trials.findIndex((_, number) => !votes.has(number));
  current = Math.max(0, open);
}

function writeCell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function writeLines() {
  const listener = byId("listener").value.trim();
  const rows = [...votes].sort(([one], [other]) => one - other).map(([number, choice]) => {
    const {clip, a, b} = data.trials[number];
    return [listener, clip, a, b, choice].map(writeCell).join(",");
  });
  return rows.length ? `${data.header}${rows.join("\n")}\n` : "";
}

function finish() {
  byId("player").pause();
  const lines = writeLines();
  byId("lines").textContent = lines;
  byId("save").href = `data:text/csv;charset=utf-8,${encodeURIComponent(lines)}`;
  byId("thanks").textContent = votes.size
    ? `${votes.size} of ${data.trials.length} pairs. Copy the lines to the end of ${data.votesFile}, `
      + "or send them to whoever runs the workflow."
    : "There are no votes yet.";
  for (const id of ["copy", "save", "lines", "discard"]) byId(id).hidden = !votes.size;
  show("end");
}

function discard() {
  votes = new Map();
  keepVotes();
  current = 0;
  goOn();
}

function goOn() {
  showTrial();
  show("trial");
}

function show(section) {
  for (const id of ["trial", "end"]) byId(id).hidden = id !== section;
  byId("copied").textContent = "";
}

// ---------------------------------------------------------------- start

const actions = {
  "play-a": () => play("a"),
  "play-b": () => play("b"),
  "play-recording": () => play("recording"),
  "vote-a": () => vote("a"),
  "vote-same": () => vote("same"),
  "vote-b": () => vote("b"),
  "back": () => go(current - 1),
  "forth": () => go(current + 1),
  "finish": finish,
  "go-on": goOn,
  "discard": discard,
  "copy": () => copyText(byId("lines").textContent, byId("copied"),
    `Copied. Paste the lines at the end of ${data.votesFile}. ${data.hint}`),
};
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
byId("listener").addEventListener("input", keepVotes);
addEventListener("keydown", useKey);
restoreVotes();
if (data.trials.length && votes.size === data.trials.length) finish(); else goOn();
