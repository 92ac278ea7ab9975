// The page: photos and the camera in, readings out.

import { key, useKey } from "./api.js";
import { letDraw } from "./box.js";
import { Camera } from "./camera.js";
import { Readings, save } from "./csv.js";
import { drawBoxes, nameOf, showFaces, Timeline } from "./draw.js";
import { Mode } from "./mode.js";

const on = (id) => document.getElementById(id);
const BETWEEN_WORDS_MS = 2000; // screen readers are told no more often

let card = null;
let readings = null;
let timeline = null;
let shown = null; // { result, mirrored }
let photos = []; // { file, address, result, rows }
let current = null; // the photo that is shown
let rereading = null; // "now", or "again" if the square was moved since
let toldAt = -Infinity;
let loading = null; // { turn, done }: the reader that is being loaded

const mode = new Mode({ changed: changeMode });
const camera = new Camera(on("video"), {
  openStream: (listeners) => mode.reader.openStream(listeners),
  state: (text) => complain(text),
  told: showFrame,
});

function say(text) {
  on("status").textContent = text;
}

function complain(text) {
  on("problem").textContent = text;
  on("problem").hidden = !text;
}

function refused(error) {
  if (error.status === 401) {
    on("lock").hidden = false;
    on("key").focus();
    complain(key() ? "This API key is wrong." : "");
  } else complain(error.message);
}

// Returns whether there is a reader, once it is loaded.
async function isReady() {
  if (card) return true;
  if (loading?.turn !== mode.turn) loading = { turn: mode.turn, done: loadCard() };
  const mine = loading;
  const isLoaded = await mine.done;
  if (loading === mine) loading = null;
  return isLoaded;
}

async function loadCard() {
  const { turn } = mode;
  try {
    const opened = await mode.open();
    if (turn !== mode.turn) return false; // another mode was chosen meanwhile
    card = opened;
  } catch (error) {
    if (turn === mode.turn) refused(error);
    return false;
  }
  on("lock").hidden = true;
  complain("");
  readings ??= new Readings(card.labels);
  on("about").textContent = `Model ${card.name}, detector ${card.detector}. ${card.note}`;
  return true;
}

function show(result, { mirrored = false } = {}) {
  shown = { result, mirrored };
  drawBoxes(on("boxes"), result, card.colours, { mirrored });
  showFaces(on("faces"), result.faces, card.colours);
  const left = result.faces_found - result.faces.length;
  on("nobody").textContent = left ? `${left} smaller faces were found and not read.`
    : "No face was found.";
  on("nobody").hidden = result.faces.length > 0 && !left;
  on("save").disabled = on("forget").disabled = readings.rows.length === 0;
}

function tellFaces(result) {
  const now = performance.now();
  if (now - toldAt < BETWEEN_WORDS_MS) return;
  toldAt = now;
  const words = result.faces.map(nameOf).join("; ");
  say(words || "No face was found.");
}

function showFrame(reply, { rate, latencyMs }) {
  if (!camera.isOn) return;
  if (reply.problem) {
    complain(reply.problem.detail);
    return;
  }
  readings.add("camera", reply.seconds, reply.faces);
  show(reply, { mirrored: true });
  timeline.add(reply.seconds, reply.faces[0] ?? null);
  timeline.draw();
  on("rate").textContent = `${rate.toFixed(1)} / s`;
  on("latency").textContent = `${Math.round(latencyMs)} ms`;
  on("dropped").textContent = reply.dropped;
  if (performance.now() - toldAt >= BETWEEN_WORDS_MS) timeline.tell();
  tellFaces(reply);
}

async function toggleCamera() {
  if (camera.isOn) {
    stopCamera();
    say("The camera is off.");
    return;
  }
  complain("");
  if (!(await isReady())) return;
  on("camera").disabled = true;
  say("Starting the camera…");
  timeline = new Timeline(on("timeline"), card.labels, card.colours);
  try {
    await camera.start();
  } catch (error) {
    say("");
    complain(error.message);
    return;
  } finally {
    on("camera").disabled = false;
  }
  on("camera").textContent = "Stop camera";
  on("photo").hidden = on("photos").hidden = true;
  for (const id of ["stage", "video", "figures", "history"]) on(id).hidden = false;
}

function stopCamera() {
  camera.stop();
  complain("");
  on("camera").textContent = "Start camera";
  on("video").hidden = on("figures").hidden = true;
  on("stage").hidden = true;
}

async function readFiles(files) {
  const images = [...files].filter((file) => file.type.startsWith("image/") || !file.type);
  if (!images.length) {
    complain("Expected photos, such as JPEG or PNG.");
    return;
  }
  if (camera.isOn) stopCamera();
  if (!(await isReady())) return;
  complain("");
  on("history").hidden = true;
  const problems = [];
  const mine = card;
  for (const [number, file] of images.entries()) {
    say(images.length > 1 ? `Reading ${number + 1} of ${images.length}…` : "Reading…");
    try {
      if (file.size > card.limits.body_bytes) {
        throw new Error(`larger than the ${card.limits.body_bytes >> 20} MB that are taken`);
      }
      const result = await mode.reader.readPhoto(file);
      if (card !== mine) return; // another mode was chosen meanwhile
      const rows = readings.add(file.name, null, result.faces);
      photos.push({ file, address: URL.createObjectURL(file), result, rows });
      showPhoto(photos.length - 1);
    } catch (error) {
      if (card !== mine) return;
      if (error.status === 401) {
        refused(error);
        return;
      }
      problems.push(`${file.name}: ${error.message}`);
    }
  }
  complain(problems.join(" · "));
  const faces = photos.slice(-images.length).flatMap((photo) => photo.result.faces);
  toldAt = -Infinity;
  tellFaces({ faces: problems.length === images.length ? [] : faces });
}

function showPhoto(number) {
  current = photos[number];
  const { file, address, result } = current;
  on("stage").hidden = on("photo").hidden = false;
  on("photo").onload = () => show(result);
  on("photo").src = address;
  on("photo").alt = file.name;
  const strip = on("photos");
  strip.hidden = photos.length < 2;
  while (strip.children.length < photos.length) {
    const at = strip.children.length;
    const button = document.createElement("button");
    button.type = "button";
    const image = document.createElement("img");
    image.src = photos[at].address;
    image.alt = photos[at].file.name || `photo ${at + 1}`;
    button.append(image);
    button.onclick = () => showPhoto(at);
    strip.append(button);
  }
  [...strip.children].forEach((one, at) => one.setAttribute("aria-pressed", at === number));
}

// Reads the photo that is shown once more, after the square around the face was moved.
async function reread() {
  if (camera.isOn || !current || rereading) {
    rereading &&= "again";
    return;
  }
  do {
    rereading = "now";
    const photo = current;
    try {
      photo.result = await mode.reader.readPhoto(photo.file);
    } catch (error) {
      complain(error.message);
      break;
    }
    if (photo !== current) continue;
    readings.remove(photo.rows);
    photo.rows = readings.add(photo.file.name, null, photo.result.faces);
    show(photo.result);
    tellFaces(photo.result);
  } while (rereading === "again");
  rereading = null;
}

// Reads with another reader from here on. What was read with the former one is cleared, since one
// table does not mix two models; the photos are read again.
async function changeMode() {
  const wasOn = camera.isOn;
  const files = photos.map((photo) => photo.file);
  if (wasOn) stopCamera();
  if (card) forget();
  on("history").hidden = true;
  card = readings = timeline = null;
  say(mode.isPrivate ? "Loading the model into this browser…" : "");
  if (!(await isReady())) {
    say("");
    return;
  }
  say(mode.isPrivate ? "Private mode is on." : "Private mode is off.");
  if (files.length) await readFiles(files);
  else if (wasOn) await toggleCamera();
}

function forget() {
  photos.forEach((photo) => URL.revokeObjectURL(photo.address));
  photos = [];
  current = null;
  readings = new Readings(card.labels);
  on("photos").replaceChildren();
  on("faces").replaceChildren();
  on("photo").removeAttribute("src");
  on("photos").hidden = on("photo").hidden = true;
  on("stage").hidden = !camera.isOn;
  on("save").disabled = on("forget").disabled = true;
  on("nobody").hidden = false;
  on("nobody").textContent = "Nothing was read yet.";
  shown = null;
  say("");
}

on("camera").onclick = toggleCamera;
on("save").onclick = () => save(readings);
on("forget").onclick = forget;
on("files").onchange = (event) => {
  readFiles([...event.target.files]);
  event.target.value = "";
};
on("lock").onsubmit = async (event) => {
  event.preventDefault();
  useKey(on("key").value);
  on("key").value = "";
  if (await isReady()) on("camera").focus();
};
addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (files.length) readFiles(files);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", () => document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  if (event.dataTransfer.files.length) readFiles(event.dataTransfer.files);
});
addEventListener("resize", () => {
  if (shown) drawBoxes(on("boxes"), shown.result, card.colours, shown);
  timeline?.draw();
});
addEventListener("pagehide", () => camera.stop());
letDraw(on("boxes"), { reader: () => mode.reader, shown: () => shown, moved: reread });

isReady();
