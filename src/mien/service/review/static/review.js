// The page of a review: keys and buttons in, decisions to the server, the next face out.

import { Faces, get, post, renew } from "./api.js";
import { showFace, showState, showSummary, words } from "./show.js";

const on = (id) => document.getElementById(id);
const AHEAD = 12; // faces fetched before they are shown
const POLL_MS = 500; // what other tabs decide is asked for
// Keys of the labels: u and x are taken.
const KEYS = [..."123456789abcdefghijklmnopqrstvwyz"];

// The tab's own id, which a reload keeps: it undoes its own decisions, not those of other tabs.
const tab = (sessionStorage["mien-tab"] ??= crypto.randomUUID());
const filters = on("filters").elements;
const faces = new Faces(4 * AHEAD);

let review = null;
let rows = []; // of the queue, in order
let decided = new Set();
const versions = new Map(); // row -> number of the last event about it that is known
let sequence = 0;
let shown = null; // what the page shows of a face: { face, image }
let at = -1; // its place in rows; where it would be if it is not in them
let lost = false; // whether the server did not answer
let busy = false; // until the next face shows, no key is taken for it

function say(text) {
  on("status").textContent = text;
}

function complain(error) {
  on("problem").textContent = error ? error.message : "";
  on("problem").hidden = !error;
}

// Runs one step at a time; what is pressed meanwhile is not meant for the face that comes.
async function step(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    complain(null);
  } catch (error) {
    complain(error);
  } finally {
    busy = false;
  }
}

function passes(row) {
  const show = filters.show.value;
  return show === "all" || decided.has(row) === (show === "done");
}

// Returns the next place from one on that the filter lets through, or -1; undecided ones before
// it, which were passed over, come at the end.
function seek(from, { round = true } = {}) {
  for (let place = from; place < rows.length; place++) if (passes(rows[place])) return place;
  if (round) for (let place = 0; place < from; place++) if (passes(rows[place])) return place;
  return -1;
}

function tellProgress() {
  on("progress").max = Math.max(rows.length, 1);
  on("progress").value = rows.filter((row) => decided.has(row)).length;
  on("count").textContent = `${on("progress").value} of ${rows.length} decided`;
}

function fetchAhead() {
  const next = [];
  let place = at;
  while (next.length < AHEAD && (place = seek(place + 1, { round: false })) >= 0) {
    next.push(rows[place]);
  }
  // Half of them at a time, in one request.
  if (next.slice(0, AHEAD / 2).some((row) => !faces.known.has(row))) faces.fetch(next);
}

async function showRow(row) {
  const place = rows.indexOf(row);
  if (place >= 0) at = place;
  shown = await faces.get(row);
  on("end").hidden = true;
  on("review").hidden = false;
  showFace(shown, review, (other) => step(() => showRow(other)));
  fetchAhead();
}

async function showPlace(place) {
  tellProgress();
  if (place >= 0) {
    await showRow(rows[place]);
    return;
  }
  shown = null;
  at = rows.length;
  on("review").hidden = true;
  on("end").hidden = false;
  const all = rows.length && rows.every((row) => decided.has(row));
  on("end-title").textContent = all ? "All of these faces are decided" : "No face passes the filters";
  on("end-text").textContent = all ? "Write the manifest, or choose other faces above." : "";
  say(on("end-title").textContent);
}

async function loadQueue() {
  const { label, split, check, order } = filters;
  const queue = await get("queue", {
    label: label.value, split: split.value, check: check.value, order: order.value,
  });
  rows = queue.rows;
  decided = new Set(queue.decided);
  await catchUp(queue.sequence);
  at = -1;
  await showPlace(seek(0));
}

// Loads the queue anew, once the step in progress has ended.
function reload() {
  if (busy) setTimeout(reload, 20);
  else step(loadQueue);
}

function take(states) {
  for (const { row, decision, version } of states) {
    if (version < (versions.get(row) ?? 0)) continue;
    versions.set(row, version);
    if (decision) decided.add(row);
    else decided.delete(row);
  }
  faces.change(states);
  if (shown) renew(shown.face, states);
  if (shown) showState(shown.face, review.labels);
  tellProgress();
}

async function catchUp(until = Infinity) {
  if (sequence >= until) return;
  const changes = await get("changes", { since: sequence });
  if (changes.sequence === sequence) return;
  sequence = changes.sequence;
  take(changes.faces);
}

async function decide(action, label = null) {
  if (!shown) return;
  const { face } = shown;
  let state;
  try {
    state = await post("decisions", { row: face.row, action, label, version: face.version, tab });
  } catch (error) {
    if (error.kind === "decided-elsewhere") await catchUp();
    throw error;
  }
  take([state]);
  const done = words(state.decision, review.labels);
  const place = rows[at] === face.row ? at + 1 : Math.max(at, 0);
  await showPlace(seek(place, { round: filters.show.value === "open" }));
  if (shown) say(`${done}. Next: ${review.labels[shown.face.label].name}`);
}

async function undo() {
  const { face } = await post("undo", { tab });
  if (!face) {
    say("Nothing to undo");
    return;
  }
  take([face]);
  await showRow(face.row);
  say(`Undone: ${review.labels[shown.face.label].name}`);
}

function turn(by) {
  if (by > 0) {
    const place = seek(at + 1, { round: filters.show.value === "open" });
    return place < 0 || place === at ? say("This is the last face") : showPlace(place);
  }
  return at > 0 ? showRow(rows[at - 1]) : say("This is the first face");
}

async function write() {
  showSummary(await post("manifest"), review);
  on("written").scrollIntoView({ block: "nearest" });
}

function options(name, choices, all) {
  const lines = all ? [["", all], ...choices] : choices;
  filters[name].replaceChildren(...lines.map(([value, text]) => new Option(text, value)));
  filters[name].parentElement.hidden = choices.length < 2;
}

function addLabels() {
  const buttons = review.labels.map(({ name, colour }, label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(name);
    if (KEYS[label]) {
      const key = document.createElement("kbd");
      key.textContent = KEYS[label];
      button.append(key);
    }
    button.style.borderLeftColor = colour;
    button.onclick = () => step(() => decide("relabel", label));
    return button;
  });
  on("labels").replaceChildren(...buttons);
}

function remember() {
  localStorage["mien-review"] = JSON.stringify({
    key: review.key,
    ...Object.fromEntries([...filters].map((one) => [one.name, one.value])),
  });
}

function recall() {
  let kept = {};
  try {
    kept = JSON.parse(localStorage["mien-review"] ?? "{}");
  } catch { /* another version's */ }
  if (kept.key !== review.key) return;
  for (const one of filters) {
    if ([...one.options].some(({ value }) => value === kept[one.name])) one.value = kept[one.name];
  }
}

async function start() {
  review = await get("review");
  const { data, labels, splits, findings, orders, noun } = review;
  on("data").textContent = data;
  document.title = `${data}: review`;
  on("noun").textContent = noun[0].toUpperCase() + noun.slice(1);
  options("label", labels.map(({ name }, label) => [label, name]), "all");
  options("split", splits.map((split) => [split, split]), "all");
  options("check", findings.map(({ check, faces: count }) => [check, `${check} (${count})`]), "all");
  const names = { found: "as found", doubted: "most doubted", unsure: "least sure" };
  options("order", orders.map((order) => [order, names[order]]));
  filters.order.value = findings.length ? "found" : orders.at(-1);
  addLabels();
  recall();
  await loadQueue();
}

on("keep").onclick = () => step(() => decide("keep"));
on("drop").onclick = () => step(() => decide("drop"));
on("undo").onclick = on("undo-end").onclick = () => step(undo);
on("back").onclick = () => step(() => turn(-1));
on("forth").onclick = () => step(() => turn(1));
on("write").onclick = () => step(write);
on("filters").onchange = (event) => {
  event.target.blur(); // keys are for the face again
  remember();
  reload();
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !review) return;
  if (event.target.closest("select")) return;
  // The digits of a French keyboard need no shift here.
  const key = /^Digit[1-9]$/.test(event.code) ? event.code.at(-1) : event.key.toLowerCase();
  const label = KEYS.indexOf(key);
  let work = null;
  if (key === " ") {
    if (event.target.closest("button")) return; // it presses the button
    work = () => decide("keep");
  } else if (key === "x") work = () => decide("drop");
  else if (key === "u") work = undo;
  else if (key === "arrowleft") work = () => turn(-1);
  else if (key === "arrowright") work = () => turn(1);
  else if (label >= 0 && label < review.labels.length) work = () => decide("relabel", label);
  if (!work) return;
  event.preventDefault();
  step(work);
});
addEventListener("click", (event) => {
  // A press of the mouse leaves no focus on the button, so that space keeps the next face.
  if (event.detail) event.target.closest("button")?.blur();
});
setInterval(() => {
  if (!review || busy || document.hidden) return;
  catchUp().then(
    () => {
      if (lost) complain(null);
      lost = false;
    },
    (error) => {
      lost = true;
      complain(error);
    },
  );
}, POLL_MS);

step(start);
