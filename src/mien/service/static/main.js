// The page: photos and the camera in, readings out.

import { ask, key, readPhoto, useKey } from "./api.js";
import { Camera } from "./camera.js";
import { Readings, save } from "./csv.js";
import { drawBoxes, nameOf, showFaces, Timeline } from "./draw.js";

const on = (id) => document.getElementById(id);
const BETWEEN_WORDS_MS = 2000; // screen readers are told no more often

let card = null;
let readings = null;
let timeline = null;
let shown = null; // { result, mirrored }
let photos = []; // { name, address, result }
let toldAt = -Infinity;

const camera = new Camera(on("video"), {
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

async function loadCard() {
  try {
    card = await ask("/v1/model");
  } catch (error) {
    refused(error);
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
  if (!card && !(await loadCard())) return;
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
  if (!card && !(await loadCard())) return;
  complain("");
  on("history").hidden = true;
  const problems = [];
  for (const [number, file] of images.entries()) {
    say(images.length > 1 ? `Reading ${number + 1} of ${images.length}…` : "Reading…");
    try {
      if (file.size > card.limits.body_bytes) {
        throw new Error(`larger than the ${card.limits.body_bytes >> 20} MB that are taken`);
      }
      const result = await readPhoto(file);
      photos.push({ name: file.name, address: URL.createObjectURL(file), result });
      readings.add(file.name, null, result.faces);
      showPhoto(photos.length - 1);
    } catch (error) {
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
  const { name, address, result } = photos[number];
  on("stage").hidden = on("photo").hidden = false;
  on("photo").onload = () => show(result);
  on("photo").src = address;
  on("photo").alt = name;
  const strip = on("photos");
  strip.hidden = photos.length < 2;
  while (strip.children.length < photos.length) {
    const at = strip.children.length;
    const button = document.createElement("button");
    button.type = "button";
    const image = document.createElement("img");
    image.src = photos[at].address;
    image.alt = photos[at].name || `photo ${at + 1}`;
    button.append(image);
    button.onclick = () => showPhoto(at);
    strip.append(button);
  }
  [...strip.children].forEach((one, at) => one.setAttribute("aria-pressed", at === number));
}

function forget() {
  photos.forEach((photo) => URL.revokeObjectURL(photo.address));
  photos = [];
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
  if (await loadCard()) on("camera").focus();
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

loadCard();
