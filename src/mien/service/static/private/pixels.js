// Pixels as mien.images and mien.vision.alignment treat them: gray levels, area resize, face crops.
//
// An image is { width, height, channels, data }: interleaved RGB, or gray levels.

const LEVEL_ENOUGH_DEGREES = 6; // smaller tilts are kept, as in mien.vision.alignment

// Rounds as Python does: halves go to the even neighbour.
export function round(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

// Returns the RGB image of a canvas's ImageData.
export function fromImageData({ width, height, data }) {
  const pixels = new Uint8Array(3 * width * height);
  for (let at = 0, to = 0; at < data.length; at += 4) {
    pixels[to++] = data[at];
    pixels[to++] = data[at + 1];
    pixels[to++] = data[at + 2];
  }
  return { width, height, channels: 3, data: pixels };
}

// Returns gray levels by the weights of ITU-R BT.601, in OpenCV's fixed-point numbers.
function grayOf(image) {
  if (image.channels === 1) return image;
  const data = new Uint8Array(image.width * image.height);
  for (let at = 0, from = 0; at < data.length; at += 1, from += 3) {
    data[at] = (image.data[from] * 9798 + image.data[from + 1] * 19235
      + image.data[from + 2] * 3735 + 16384) >> 15;
  }
  return { width: image.width, height: image.height, channels: 1, data };
}

// Returns a window of an image.
export function part(image, { left, top, width, height }) {
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y += 1) {
    const start = ((top + y) * image.width + left) * channels;
    data.set(image.data.subarray(start, start + width * channels), y * width * channels);
  }
  return { width, height, channels, data };
}

// Returns, for each of `count` outputs, the first source and the weights of what it averages.
function weights(length, count, shrinks) {
  const scale = length / count;
  const found = [];
  for (let at = 0; at < count; at += 1) {
    if (shrinks) {
      const start = at * scale;
      const end = Math.min(start + scale, length);
      const first = Math.floor(start + 1e-9);
      const last = Math.min(Math.ceil(end - 1e-9), length);
      const each = [];
      for (let one = first; one < last; one += 1) {
        each.push((Math.min(one + 1, end) - Math.max(one, start)) / (end - start));
      }
      found.push({ first, each });
    } else {
      const centre = (at + 0.5) * scale - 0.5;
      const first = Math.floor(centre);
      found.push({ first, each: [1 - (centre - first), centre - first] });
    }
  }
  return found;
}

// Resizes a window of an image, beyond whose edges the edge is repeated. The window is averaged over
// areas where both of its sides shrink, and interpolated linearly else.
export function resizeWindow(image, { left, top, width, height }, outWidth, outHeight) {
  const { channels, data } = image;
  const shrinks = width >= outWidth && height >= outHeight;
  const columns = weights(width, outWidth, shrinks);
  const rows = weights(height, outHeight, shrinks);
  // Positions are those of the window, whose own edge is repeated by the linear interpolation.
  const inside = (value, most) => Math.min(Math.max(value, 0), most - 1);
  const column = (one) => inside(left + inside(one, width), image.width) * channels;
  const row = (one) => inside(top + inside(one, height), image.height);
  const offsets = columns.map(({ first, each }) => each.map((_, at) => column(first + at)));
  const kept = new Map(); // the rows that the next output needs too
  const across = (y) => {
    let line = kept.get(y);
    if (line) return line;
    line = new Float32Array(outWidth * channels);
    const start = y * image.width * channels;
    for (let x = 0; x < outWidth; x += 1) {
      const each = columns[x].each;
      const places = offsets[x];
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 0;
        for (let at = 0; at < each.length; at += 1) {
          sum += each[at] * data[start + places[at] + channel];
        }
        line[x * channels + channel] = sum;
      }
    }
    kept.set(y, line);
    return line;
  };
  const out = new Uint8Array(outWidth * outHeight * channels);
  const sums = new Float32Array(outWidth * channels);
  for (let y = 0; y < outHeight; y += 1) {
    const { first, each } = rows[y];
    sums.fill(0);
    for (let at = 0; at < each.length; at += 1) {
      const line = across(row(first + at));
      const weight = each[at];
      for (let x = 0; x < sums.length; x += 1) sums[x] += weight * line[x];
    }
    const from = y * sums.length;
    for (let x = 0; x < sums.length; x += 1) out[from + x] = Math.min(255, round(sums[x]));
    const next = y + 1 < outHeight ? row(rows[y + 1].first) : 0;
    for (const one of kept.keys()) if (one < next) kept.delete(one);
  }
  return { width: outWidth, height: outHeight, channels, data: out };
}

// Returns an image whose longer side is at most `longest`, and the scale.
export function shrink(image, longest) {
  const scale = Math.min(1, longest / Math.max(image.width, image.height));
  if (scale === 1) return [image, scale];
  const width = Math.max(1, round(image.width * scale));
  const height = Math.max(1, round(image.height * scale));
  const whole = { left: 0, top: 0, width: image.width, height: image.height };
  return [resizeWindow(image, whole, width, height), scale];
}

// Returns the square of `side` pixels around a point, rotated by the face's tilt.
function level(image, middleX, middleY, degrees, side) {
  const angle = (degrees * Math.PI) / 180;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const { width, height, channels, data } = image;
  const out = new Uint8Array(side * side * channels);
  const inside = (value, most) => Math.min(Math.max(value, 0), most - 1);
  for (let row = 0, to = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const across = column - side / 2;
      const down = row - side / 2;
      // OpenCV interpolates at 1/32 of a pixel.
      const x = Math.floor(32 * (middleX + cos * across - sin * down) + 0.5) / 32;
      const y = Math.floor(32 * (middleY + sin * across + cos * down) + 0.5) / 32;
      const left = Math.floor(x);
      const top = Math.floor(y);
      const [x0, x1] = [inside(left, width) * channels, inside(left + 1, width) * channels];
      const y0 = inside(top, height) * width * channels;
      const y1 = inside(top + 1, height) * width * channels;
      for (let channel = 0; channel < channels; channel += 1, to += 1) {
        const high = data[y0 + x0 + channel] * (1 - x + left) + data[y0 + x1 + channel] * (x - left);
        const low = data[y1 + x0 + channel] * (1 - x + left) + data[y1 + x1 + channel] * (x - left);
        out[to] = round(high * (1 - y + top) + low * (y - top));
      }
    }
  }
  return { width: side, height: side, channels, data: out };
}

// Returns the crop of a face: the square around its box, with its eyes level, of the model's size.
// face: { box: [left, top, right, bottom], tilt_degrees }; spec: { size_px, channels }.
export function cropFace(image, face, margin, spec) {
  const [left, top, right, bottom] = face.box;
  const side = Math.max(1, round(Math.max(right - left, bottom - top) * (1 + 2 * margin)));
  const reach = Math.abs(face.tilt_degrees) >= LEVEL_ENOUGH_DEGREES
    ? Math.ceil(side / Math.SQRT2) + 2 : 0;
  let x = round((left + right - side) / 2);
  let y = round((top + bottom - side) / 2);
  // Only the region of the face is made gray, and clamped at the edges of the picture.
  const x0 = Math.min(Math.max(0, x - reach), image.width - 1);
  const y0 = Math.min(Math.max(0, y - reach), image.height - 1);
  const x1 = Math.max(x0 + 1, Math.min(image.width, x + side + reach));
  const y1 = Math.max(y0 + 1, Math.min(image.height, y + side + reach));
  let around = part(image, { left: x0, top: y0, width: x1 - x0, height: y1 - y0 });
  if (reach) {
    around = level(around, (left + right) / 2 - x0, (top + bottom) / 2 - y0, face.tilt_degrees, side);
    x = y = 0;
  } else {
    x -= x0;
    y -= y0;
  }
  if (spec.channels === 1) around = grayOf(around);
  const square = { left: x, top: y, width: side, height: side };
  return resizeWindow(around, square, spec.size_px, spec.size_px).data;
}
