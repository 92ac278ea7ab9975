// The private mode: pictures are read by a worker of this browser, and go nowhere.

const MOST_PIXELS = 25_000_000;
const PAGE = new URL("..", import.meta.url);

export class PrivateReader {
  constructor() {
    Object.assign(this, { models: null, findsFaces: true, waiting: new Map(), count: 0, box: null });
  }

  // Asks which models there are; raises an Error whose message is for the person.
  async open() {
    if (this.models) return;
    const reply = await fetch(new URL("models/models.json", PAGE)).catch(() => null);
    if (!reply?.ok) throw new Error("The models of the private mode cannot be loaded; try again.");
    const { models, detector, gpu } = await reply.json();
    // Without a detector, the person says where the face is: the middle, to begin with.
    Object.assign(this, { models, detector, gpu, findsFaces: Boolean(detector) });
  }

  // Loads the model of this number, the smallest one first, and returns its card.
  async load(number) {
    const about = this.models[number];
    const at = (file) => new URL(`models/${file}`, PAGE).href;
    this.worker ??= this.startWorker();
    try {
      const { threads, usesGpu } = await this.ask("load", {
        about, modelAt: at(about.file), detectorAt: this.detector && at(this.detector),
        hasGpu: this.gpu,
      });
      Object.assign(this, { threads, usesGpu });
    } catch (error) {
      this.worker?.terminate(); // the next try begins with another one
      this.worker = null;
      throw error;
    }
    this.card = {
      ...about,
      detector: this.findsFaces ? "yunet, in this browser" : "none: mark the face yourself",
      limits: { body_bytes: Infinity },
    };
    return this.card;
  }

  startWorker() {
    const worker = new Worker(new URL("private/worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { id, result, error } }) => {
      const { done, failed } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) done(result);
      else failed(new Error(error));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const problem = new Error("This browser cannot run the private mode; it needs WebAssembly "
        + "with SIMD and modules in workers.");
      this.waiting.forEach(({ failed }) => failed(problem));
      this.waiting.clear();
    };
    return worker;
  }

  ask(kind, content = {}, moved = []) {
    return new Promise((done, failed) => {
      this.count += 1;
      this.waiting.set(this.count, { done, failed });
      this.worker.postMessage({ id: this.count, kind, ...content }, moved);
    });
  }

  // Returns the box for a picture of this size: whole pixels, a square. Null if faces are found.
  boxIn(width, height) {
    if (this.findsFaces) return null;
    const { x, y, side } = this.box ?? { x: 0.5, y: 0.5, side: 0.7 };
    const length = Math.max(1, Math.round(side * Math.min(width, height)));
    const left = Math.min(Math.max(0, Math.round(x * width - length / 2)), width - length);
    const top = Math.min(Math.max(0, Math.round(y * height - length / 2)), height - length);
    return [left, top, left + length, top + length];
  }

  async readPhoto(file) {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => {
      throw new Error("not an image that this browser can decode");
    });
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) {
      bitmap.close();
      throw new Error(`${width}×${height} pixels, more than the ${MOST_PIXELS / 1e6} million that are `
        + "taken; make it smaller");
    }
    const box = this.boxIn(width, height);
    return { name: file.name, ...await this.ask("read", { bitmap, box }, [bitmap]) };
  }

  // Opens a stream with the shape of the server's: see openStream in api.js.
  openStream({ opened, told, ended }) {
    let isOpen = true;
    let count = 0;
    const started = performance.now();
    this.ask("forget").then(opened);
    return {
      get isOpen() {
        return isOpen;
      },
      send: async (canvas) => {
        const bitmap = await createImageBitmap(canvas);
        const frame = count++;
        const at = performance.now();
        const seconds = (at - started) / 1000;
        const box = this.boxIn(canvas.width, canvas.height);
        this.ask("read", { bitmap, box, seconds }, [bitmap]).then((result) => {
          const latencyMs = performance.now() - at;
          if (isOpen) told({ ...result, frame, seconds, dropped: 0, latency_ms: latencyMs });
        }, (error) => {
          isOpen = false;
          ended(error.message);
        });
        return true;
      },
      close: () => {
        isOpen = false;
      },
    };
  }
}
