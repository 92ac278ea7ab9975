// Draws a face, what is known of it, and the summary. Text from files is only ever set as text.

import { picture } from "./api.js";

const on = (id) => document.getElementById(id);

function make(tag, text = "", className = "") {
  const one = document.createElement(tag);
  one.textContent = text;
  if (className) one.className = className;
  return one;
}

export function words(decision, labels) {
  if (!decision) return "";
  if (decision.action === "keep") return "kept";
  return decision.action === "drop" ? "dropped" : `relabelled ${labels[decision.label].name}`;
}

function bars(table, lines) {
  table.replaceChildren(...lines.map(({ name, share, value, colour, own }) => {
    const row = make("tr", "", own ? "own" : "");
    const cell = make("td");
    const bar = make("div", "", "bar");
    const part = make("i");
    part.style.width = `${100 * share}%`;
    part.style.background = colour;
    bar.append(part);
    cell.append(bar);
    row.append(make("th", name), cell, make("td", value));
    row.firstChild.scope = "row";
    return row;
  }));
}

function showVotes(face) {
  on("votes").hidden = !face.votes.length;
  const most = Math.max(...face.votes.map(([, count]) => count), 1);
  bars(on("votes").querySelector("table"), face.votes.map(([name, count]) => ({
    name, share: count / most, value: count, colour: "var(--accent)",
  })));
}

function showReading(face, review) {
  const { labels, reader } = review;
  on("reading").hidden = !reader;
  if (!reader) return;
  on("reader").textContent = face.reading ? `Read by ${reader}.`
    : `${reader}: trained on this face, or not asked about it.`;
  const lines = (face.reading ?? []).map((share, label) => ({
    name: labels[label].name, share, value: `${Math.round(100 * share)}%`,
    colour: labels[label].colour, own: label === face.label,
  }));
  lines.sort((one, other) => other.share - one.share);
  bars(on("reading").querySelector("table"), lines.slice(0, 8));
}

function showCopies(face, labels, go) {
  on("copies").hidden = !face.copies.length;
  const strip = on("copies").querySelector(".strip");
  strip.replaceChildren(...face.copies.map((copy) => {
    const button = make("button", "", copy.label === face.label ? "" : "other");
    button.type = "button";
    const image = make("img");
    image.src = picture(copy.row);
    image.alt = "";
    const kind = copy.identical ? "identical" : "near";
    button.append(image, `${labels[copy.label].name}, ${copy.split}, ${kind} `, make("strong"));
    button.title = copy.id;
    button.onclick = () => go(copy.row);
    return button;
  }));
  if (face.more_copies) strip.append(make("p", `and ${face.more_copies} more`));
}

export function showFace({ face, image }, review, go) {
  const { labels } = review;
  const own = labels[face.label].name;
  on("face").replaceChildren(image);
  on("face").dataset.row = face.row;
  image.alt = `Face labelled ${own}`;
  on("name").textContent = `${face.id} · ${face.split}`;
  on("label").textContent = own;
  on("keep").querySelector("span").textContent = `${own} `;
  on("findings").replaceChildren(...face.findings.map(({ title, check, note }) => {
    const line = make("li", note ? `${check}: ${note}` : check);
    line.title = title;
    return line;
  }));
  showVotes(face);
  showReading(face, review);
  showCopies(face, labels, go);
  showState(face, labels);
}

// Shows what changes about a face: its decision, and those about its duplicates.
export function showState(face, labels) {
  const { decision } = face;
  on("decision").textContent = words(decision, labels);
  on("keep").ariaPressed = decision?.action === "keep";
  on("drop").ariaPressed = decision?.action === "drop";
  [...on("labels").children].forEach((button, label) => {
    button.ariaPressed = decision?.action === "relabel" && decision.label === label;
    button.classList.toggle("own", label === face.label);
  });
  face.copies.forEach((copy, place) => {
    const button = on("copies").querySelector(".strip").children[place];
    button.lastChild.textContent = words(copy.decision, labels);
  });
}

export function showSummary({ lines, summary }, review) {
  on("written").hidden = false;
  on("written-text").textContent =
    `${lines} ${lines === 1 ? "line" : "lines"} written to ${review.manifest}.`;
  on("command").textContent = review.command;
  on("command").hidden = !lines;
  const heading = ["", "reviewed", "kept", "relabelled", "dropped", "agreement", "most often"];
  const rows = summary.map((one) => {
    const changed = Object.entries(one.relabelled);
    const count = changed.reduce((sum, [, faces]) => sum + faces, 0);
    return [
      one.label, one.kept + count + one.dropped, one.kept, count, one.dropped,
      one.agreement === null ? "–" : `${Math.round(100 * one.agreement)}%`,
      changed.length ? `${changed[0][0]} (${changed[0][1]})` : "–",
    ];
  });
  on("summary").replaceChildren(...[heading, ...rows].map((cells, at) => {
    const row = make("tr");
    row.append(...cells.map((cell, place) => make(at && place ? "td" : "th", cell)));
    return row;
  }));
}
