"use strict";

// Corrections of speakers, and the lines of the overrides file that say them.

function createOverrides() {
  return {
    names: new Map(),     // speaker id -> name
    merged: new Map(),    // speaker id -> speaker id that it is merged into
    clips: new Map(),     // clip id -> {kind: "assign" | "split" | "exclude", target}
    speakers: new Set(),  // ids of excluded speakers
  };
}

// Return the speaker that is left of a speaker after all merges.
function resolveMerges(overrides, id) {
  let kept = id;
  while (overrides.merged.has(kept)) kept = overrides.merged.get(kept);
  return kept;
}

// Merge two speakers; the smaller id is kept.
function mergeSpeakers(overrides, first, second) {
  const [kept, merged] = [first, second].map((id) => resolveMerges(overrides, id)).sort();
  if (kept !== merged) overrides.merged.set(merged, kept);
}

// Return the lines, empty without corrections.
function writeOverrides(overrides) {
  const lines = [];
  const addSection = (name, rows) => {
    if (rows.length) lines.push(`${name}:`, ...rows.map((row) => `  ${row}`));
  };
  const resolve = (id) => resolveMerges(overrides, id);

  const names = new Map([...overrides.names].map(([id, name]) => [resolve(id), name]));
  addSection("names", [...names].map(([id, name]) => `${id}: ${writeScalar(name)}`));

  const merges = new Map();
  for (const id of overrides.merged.keys()) {
    merges.set(resolve(id), [...merges.get(resolve(id)) || [resolve(id)], id]);
  }
  addSection("merge", [...merges.values()].map((ids) => `- ${writeList(ids)}`));

  for (const kind of ["assign", "split"]) {
    const groups = [...groupClips(overrides, kind)];
    addSection(kind, groups.map(([target, ids]) => `${writeScalar(target)}: ${writeList(ids)}`));
  }

  const speakers = [...new Set([...overrides.speakers].map(resolve))];
  const clips = [...groupClips(overrides, "exclude").values()].flat();
  addSection("exclude", [
    ...speakers.length ? [`speakers: ${writeList(speakers)}`] : [],
    ...clips.length ? [`clips: ${writeList(clips)}`] : []]);
  return lines.length ? `${lines.join("\n")}\n` : "";
}

// Return the clips with corrections of one kind, by target.
function groupClips(overrides, kind) {
  const groups = new Map();
  for (const [clip, override] of overrides.clips) {
    if (override.kind !== kind) continue;
    // A clip may be assigned to a speaker that was merged later.
    const target = kind === "assign" ? resolveMerges(overrides, override.target) : override.target;
    groups.set(target, [...groups.get(target) || [], clip]);
  }
  return groups;
}

function writeList(texts) {
  return `[${texts.map(writeScalar).join(", ")}]`;
}

// YAML reads a plain word as a text, unless it begins with a digit or is one of a few words.
function writeScalar(text) {
  const isPlain = /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text)
    && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
