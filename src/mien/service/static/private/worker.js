// The reader of the private mode: model and detector, in a worker of the browser. Its messages are
// { id, kind, ... }, and each gets one answer: { id, result } or { id, error }.

import { cropFace, fromImageData } from "./pixels.js";
import { Smoother, Tracker } from "./tracks.js";
import { withAnySize, YuNet } from "./yunet.js";

const MOST_FACES = 100; // that are read in one picture, the largest first
const MOST_THREADS = 4;

const TOLERANCE = 1e-3;

let ort = null; // onnxruntime-web
let gpu = false; // whether there is a graphics processor
let forced = false;
const onGpu = new Set(); // sessions
let model = null; // { about, session }
let detector = null;
let tracker = new Tracker();
let smoother = new Smoother();

async function bytesOf(address) {
  const reply = await fetch(address).catch(() => null);
  if (!reply?.ok) {
    const why = reply ? ` (${reply.status})` : "";
    throw new Error(`${new URL(address).pathname} cannot be loaded${why}; try again.`);
  }
  const bytes = new Uint8Array(await reply.arrayBuffer());
  // Some web hosts declare the compression of .gz files, and the browser has undone it then.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

// Loads onnxruntime-web: the build that can use the graphics processor too if there is one.
async function start({ hasGpu, mustUseGpu }) {
  const adapter = hasGpu && WebAssembly.Suspending
    ? await navigator.gpu?.requestAdapter().catch(() => null) : null;
  // Without a processor for it, some browsers compute graphics in software, which is slow.
  gpu = Boolean(adapter) && (mustUseGpu || !adapter.info.isFallbackAdapter);
  forced = gpu && mustUseGpu;
  const name = gpu ? "ort.gpu" : "ort";
  ort = await import(`../ort/${name}.mjs`);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = await bytesOf(new URL(`../ort/${name}.wasm.gz`, import.meta.url));
  // Threads share memory, which browsers allow to isolated pages only.
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
}

async function timed(session, feeds) {
  await session.run(feeds()); // compiles what is needed
  const started = performance.now();
  const outputs = await session.run(feeds());
  return { ms: performance.now() - started, outputs };
}

function agree(one, other) {
  return Object.keys(one).every((name) => one[name].data.every(
    (value, at) => Math.abs(value - other[name].data[at]) < TOLERANCE,
  ));
}

// Returns a session. The graphics processor is used if it is faster, and gives the same answer, for
// what `feeds` returns: for small networks the way to it takes longer than the work.
async function open(file, feeds, options = {}) {
  const create = (provider) => ort.InferenceSession.create(file, {
    ...options, executionProviders: [provider],
  });
  const plain = await create("wasm");
  if (!gpu) return plain;
  try {
    const other = await create("webgpu");
    const [slow, fast] = [await timed(plain, feeds), await timed(other, feeds)];
    const isBetter = (forced || fast.ms < slow.ms) && agree(slow.outputs, fast.outputs);
    await (isBetter ? plain : other).release();
    if (isBetter) onGpu.add(other);
    return isBetter ? other : plain;
  } catch {
    return plain; // the processor or its driver cannot run it
  }
}

let started = null;

// Loads a model, and the detector unless it is there: { about, modelAt, detectorAt, hasGpu }. Tests
// have no fast processor, and ask for it all the same by mustUseGpu.
async function load({ about, modelAt, detectorAt, hasGpu, mustUseGpu = false }) {
  await (started ??= start({ hasGpu, mustUseGpu }));
  const { size_px: side, channels } = about.crop;
  const shape = [1, side, side, ...(channels === 1 ? [] : [channels])];
  const session = await open(await bytesOf(modelAt), () => ({
    images: new ort.Tensor("uint8", new Uint8Array(side * side * channels), shape),
  }));
  await model?.session.release();
  onGpu.delete(model?.session);
  model = { about, session };
  if (detectorAt && !detector) {
    const frame = () => ({
      input: new ort.Tensor("float32", new Float32Array(3 * 256 * 320), [1, 3, 256, 320]),
    });
    // Its outputs are declared for 640 by 640 pixels too, of which each search would warn.
    const found = await open(withAnySize(await bytesOf(detectorAt)), frame, { logSeverityLevel: 3 });
    detector = new YuNet(ort, found);
  }
  return { threads: ort.env.wasm.numThreads, usesGpu: onGpu.size > 0 };
}

// Returns the probabilities of face crops, a Float32Array each.
async function predict(crops) {
  const { size_px: side, channels } = model.about.crop;
  const pixels = new Uint8Array(crops.length * side * side * channels);
  crops.forEach((crop, at) => pixels.set(crop, at * crop.length));
  const shape = [crops.length, side, side, ...(channels === 1 ? [] : [channels])];
  const images = new ort.Tensor("uint8", pixels, shape);
  const { probabilities, logits } = await model.session.run({ images });
  const count = model.about.labels.length;
  const rows = crops.map((_, at) => probabilities.data.slice(at * count, (at + 1) * count));
  probabilities.dispose();
  logits.dispose();
  return rows;
}

function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  return fromImageData(pen.getImageData(0, 0, canvas.width, canvas.height));
}

// Reads a picture: { bitmap, box, seconds }. With a box, that square is the face; with seconds, the
// picture is a frame of the camera, whose faces are followed.
async function read({ bitmap, box = null, seconds = null }) {
  const isFrame = seconds !== null;
  const image = pixelsOf(bitmap);
  const found = box ? [{ box, score: 1, tilt_degrees: 0 }]
    : await detector.detect(image, { isFrame });
  const { crop, crop_margin: margin, labels, uncertain_below: threshold } = model.about;
  const wanted = found.slice(0, MOST_FACES);
  const crops = wanted.map((face) => cropFace(image, face, box ? 0 : margin, crop));
  let rows = crops.length ? await predict(crops) : [];
  let tracks = wanted.map(() => null);
  if (isFrame) {
    tracks = tracker.update(wanted.map((face) => face.box), seconds);
    rows = rows.map((row, at) => smoother.update(tracks[at], row, seconds));
  }
  return {
    width: image.width,
    height: image.height,
    faces_found: found.length,
    faces: wanted.map((face, at) => {
      const row = Array.from(rows[at]);
      const probability = Math.max(...row);
      return {
        ...face,
        emotion: labels[row.indexOf(probability)],
        probability,
        uncertain: probability < threshold,
        probabilities: Object.fromEntries(labels.map((name, one) => [name, row[one]])),
        track: tracks[at],
      };
    }),
  };
}

// Forgets the faces that were followed.
function forget() {
  tracker = new Tracker();
  smoother = new Smoother();
}

// Returns the probabilities of crops that are made already, for tests and measurements.
async function readCrops({ crops }) {
  return (await predict(crops)).map((row) => Array.from(row));
}

const KINDS = { load, read, forget, readCrops };
let before = Promise.resolve(); // sessions serve one call at a time

self.onmessage = ({ data: { id, kind, ...rest } }) => {
  before = before.then(async () => {
    try {
      self.postMessage({ id, result: await KINDS[kind](rest) });
    } catch (error) {
      self.postMessage({ id, error: error.message ?? String(error) });
    }
  });
};
