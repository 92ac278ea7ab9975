// YuNet as OpenCV's FaceDetectorYN and mien.vision.detectors.yunet run it: scales, decoding, overlap.

import { part, round, shrink } from "./pixels.js";

export const LONGEST_SIDE = 1280; // pixels, to which photos are shrunk; frames to less

const MIN_SCORE = 0.7;
const MAX_OVERLAP = 0.3;
const CONTAINED = 0.8; // share of the smaller box from which on it is a part of the larger one
const STRIDES = [8, 16, 32];
const CLOSE_UP_SHARE = 1 / 4;
const CLOSE_UP_SIDE = 192;
const MAX_SIDE = 320;
const SURE_SCORE = 0.8;
const FINE_SIDE = 3600;
const FINE_GAIN = 1.25;
const FINE_MIN_SCORE = 0.79;
const SMALL = 1 / 12;
const SMALL_FACE = 64;
const OVERLAP = 72;
const EDGE = 2;
const MIN_INPUT = 64;

// The graph's input is declared as 640 by 640 pixels, although it takes any multiple of 32. The two
// sizes (dim_value 640) become names (dim_param), which take as many bytes.
const DECLARED = [0x0a, 2, 8, 1, 0x0a, 2, 8, 3, 0x0a, 3, 8, 0x80, 5, 0x0a, 3, 8, 0x80, 5];

export function withAnySize(file) {
  const bytes = file.slice();
  for (let at = 0; at + DECLARED.length <= bytes.length; at += 1) {
    if (DECLARED.every((byte, offset) => bytes[at + offset] === byte)) {
      bytes.set([0x12, 1, 0x48], at + 10);
      bytes.set([0x12, 1, 0x57], at + 15);
    }
  }
  return bytes;
}

// Returns the side to which a frame of a video is shrunk before it is searched.
export function videoSide(image) {
  return Math.min(Math.max(320, Math.floor(Math.max(image.width, image.height) / 2)), 640);
}

export class YuNet {
  // ort: onnxruntime-web; session: an InferenceSession of the file `withAnySize` returned.
  constructor(ort, session) {
    Object.assign(this, { ort, session });
  }

  // Returns faces, the largest first: { box, score, tilt_degrees }, in pixels of the image.
  async detect(image, { isFrame = false } = {}) {
    const [shrunk, scale] = shrink(image, isFrame ? videoSide(image) : LONGEST_SIDE);
    let faces = (await this.rows(shrunk)).map((row) => faceOf(row, scale, image));
    if (!isFrame || faces.every((face) => face.score < SURE_SCORE)) {
      faces.push(...await this.closeUps(shrunk, scale, image));
    }
    faces = withoutDuplicates(faces);
    if (!isFrame && (!faces.length || share(faces[0], image) < SMALL)) {
      faces = withoutDuplicates([...faces, ...await this.small(shrunk, image)]);
    }
    return faces;
  }

  async closeUps(shrunk, scale, image) {
    const found = [];
    let side = Math.max(shrunk.width, shrunk.height);
    while (side > MAX_SIDE) {
      side = Math.max(CLOSE_UP_SIDE, round(side * CLOSE_UP_SHARE));
      const [smaller, more] = shrink(shrunk, side);
      for (const row of await this.rows(smaller)) found.push(faceOf(row, scale * more, image));
    }
    return found;
  }

  async small(shrunk, image) {
    const longest = Math.max(shrunk.width, shrunk.height);
    if (Math.max(image.width, image.height) < FINE_GAIN * longest) return [];
    const [fine, scale] = shrink(image, Math.max(FINE_SIDE, longest));
    const found = [];
    for (const tile of tiles(fine, shrunk)) {
      for (const row of await this.rows(part(fine, tile))) {
        row.x += tile.left;
        row.y += tile.top;
        const isSmall = row.score >= FINE_MIN_SCORE && Math.max(row.width, row.height) <= SMALL_FACE;
        if (isSmall && !isCut(row, tile, fine)) found.push(faceOf(row, scale, image));
      }
    }
    return found;
  }

  // Returns what the network finds in a picture: { x, y, width, height, points, score }.
  async rows(image) {
    const width = 32 * Math.ceil(Math.max(image.width, MIN_INPUT) / 32);
    const height = 32 * Math.ceil(Math.max(image.height, MIN_INPUT) / 32);
    const planes = new Float32Array(3 * width * height); // blue, green, red; zeros beyond the image
    for (let y = 0, from = 0; y < image.height; y += 1) {
      let to = y * width;
      for (let x = 0; x < image.width; x += 1, to += 1, from += 3) {
        planes[to + 2 * width * height] = image.data[from];
        planes[to + width * height] = image.data[from + 1];
        planes[to] = image.data[from + 2];
      }
    }
    const input = new this.ort.Tensor("float32", planes, [1, 3, height, width]);
    const outputs = await this.session.run({ [this.session.inputNames[0]]: input });
    const found = STRIDES.flatMap((stride) => decode(outputs, stride, width, height));
    Object.values(outputs).forEach((one) => one.dispose());
    return suppressed(found);
  }
}

function decode(outputs, stride, width, height) {
  const [cls, obj, box, points] = ["cls", "obj", "bbox", "kps"].map(
    (name) => outputs[`${name}_${stride}`].data,
  );
  const columns = width / stride;
  const inUnit = (value) => Math.min(Math.max(value, 0), 1);
  const found = [];
  for (let at = 0; at < columns * (height / stride); at += 1) {
    const score = Math.sqrt(inUnit(cls[at]) * inUnit(obj[at]));
    if (score < MIN_SCORE) continue;
    const column = at % columns;
    const row = Math.floor(at / columns);
    const size = [Math.exp(box[4 * at + 2]) * stride, Math.exp(box[4 * at + 3]) * stride];
    const eyes = [0, 1, 2, 3].map(
      (one) => (points[10 * at + one] + (one % 2 ? row : column)) * stride,
    );
    found.push({
      x: (column + box[4 * at]) * stride - size[0] / 2,
      y: (row + box[4 * at + 1]) * stride - size[1] / 2,
      width: size[0],
      height: size[1],
      eyes,
      score,
    });
  }
  return found.filter((one) => [one.x, one.y, one.width, one.height].every(Number.isFinite));
}

// Returns the rows without those that overlap a surer one; OpenCV compares boxes of whole pixels.
function suppressed(rows) {
  const kept = [];
  for (const row of rows.sort((one, other) => other.score - one.score)) {
    const box = [row.x, row.y, row.width, row.height].map(Math.trunc);
    const edges = [box[0], box[1], box[0] + box[2], box[1] + box[3]];
    if (kept.every((other) => overlap(edges, other.edges) <= MAX_OVERLAP)) kept.push({ row, edges });
  }
  return kept.map(({ row }) => row);
}

function area([left, top, right, bottom]) {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

function shared(one, other) {
  return area([
    Math.max(one[0], other[0]), Math.max(one[1], other[1]),
    Math.min(one[2], other[2]), Math.min(one[3], other[3]),
  ]);
}

function overlap(one, other) {
  const both = shared(one, other);
  return both / (area(one) + area(other) - both || 1);
}

function withoutDuplicates(faces) {
  const kept = [];
  for (const face of [...faces].sort((one, other) => other.score - one.score)) {
    const isAnother = kept.every((other) => overlap(face.box, other.box) <= MAX_OVERLAP
      && shared(face.box, other.box) <= CONTAINED * Math.min(area(face.box), area(other.box)));
    if (isAnother && area(face.box) > 0) kept.push(face);
  }
  return kept.sort((one, other) => area(other.box) - area(one.box));
}

function faceOf(row, scale, image) {
  const inside = (value, most) => Math.min(most, Math.max(0, round(value / scale)));
  const [rightX, rightY, leftX, leftY] = row.eyes; // the person's right eye is on the left
  return {
    box: [
      inside(row.x, image.width), inside(row.y, image.height),
      inside(row.x + row.width, image.width), inside(row.y + row.height, image.height),
    ],
    score: Math.min(row.score, 1),
    tilt_degrees: (Math.atan2(leftY - rightY, leftX - rightX) * 180) / Math.PI,
  };
}

function share({ box: [left, top, right, bottom] }, image) {
  return Math.max(right - left, bottom - top) / Math.max(image.width, image.height);
}

// Returns equal, overlapping tiles that cover an image.
function tiles(image, { width, height }) {
  const starts = (whole, side) => {
    const count = Math.max(1, Math.ceil((whole - OVERLAP) / (side - OVERLAP)));
    const last = Math.max(0, whole - side);
    return Array.from({ length: count }, (_, at) => (
      count === 1 ? 0 : Math.floor((at * last) / (count - 1))
    ));
  };
  const sides = [Math.max(width, 6 * OVERLAP), Math.max(height, 6 * OVERLAP)];
  return starts(image.height, sides[1]).flatMap((top) => starts(image.width, sides[0]).map(
    (left) => ({
      left,
      top,
      width: Math.min(left + sides[0], image.width) - left,
      height: Math.min(top + sides[1], image.height) - top,
    }),
  ));
}

// Returns whether an edge of a tile cuts a face off, which is whole in the next tile then.
function isCut(row, tile, image) {
  const [right, bottom] = [tile.left + tile.width, tile.top + tile.height];
  return (tile.left > 0 && tile.left > row.x - EDGE)
    || (tile.top > 0 && tile.top > row.y - EDGE)
    || (right < image.width && right < row.x + row.width + EDGE)
    || (bottom < image.height && bottom < row.y + row.height + EDGE);
}
