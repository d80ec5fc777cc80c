"use strict";

// Finds and makes the elements of a page, and copies text from it.

const SVG = "http://www.w3.org/2000/svg";

function byId(id) {
  return document.getElementById(id);
}

function createElement(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function createShape(speaker) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", speaker.shape);
  path.setAttribute("fill", speaker.colour);
  return path;
}

function createSwatch(speaker) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-1.4 -1.4 2.8 2.8");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("aria-hidden", "true");
  svg.append(createShape(speaker));
  return svg;
}

function createOptions(rows) {
  return rows.map((row) => createElement("option", {value: row.id}, row.label));
}

function formatDuration(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(2)} h`;
}

// Copy a text, and say so in a status element.
async function copyText(text, status, copied) {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = copied;
  } catch {
    // Without the clipboard interface, as in a page that was opened as a file.
    const area = createElement("textarea", {});
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    status.textContent = done ? copied
      : "This browser does not let a page copy: mark the lines and copy them by hand.";
  }
}
