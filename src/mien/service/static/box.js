// The square that the person draws around a face, where there is no detector to find it.

import { placed } from "./draw.js";

const STEP = 0.02; // of the picture, for each press of a key
const LEAST = 0.05; // of the shorter side
const CLICK_PX = 6;

// Lets a person move the square of the reader in use on the canvas of boxes.
// reader: function; shown: function to { result, mirrored } or null; moved: called after a change.
export function letDraw(canvas, { reader, shown, moved }) {
  let start = null;

  const put = (x, y, side) => {
    const inside = (value, low, high) => Math.min(high, Math.max(low, value));
    reader().box = { x: inside(x, 0, 1), y: inside(y, 0, 1), side: inside(side, LEAST, 1) };
    moved();
  };
  const box = () => reader().box ?? { x: 0.5, y: 0.5, side: 0.7 };

  // Returns the point of a pointer in the picture, in pixels.
  const point = (event) => {
    const { result, mirrored } = shown();
    const place = canvas.getBoundingClientRect();
    const { scale, left, top } = placed(place, result);
    const x = (event.clientX - place.left - left) / scale;
    return { x: mirrored ? result.width - x : x, y: (event.clientY - place.top - top) / scale };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (reader().findsFaces || !shown()) return;
    start = point(event);
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!start || !shown()) return;
    const { width, height } = shown().result;
    const end = point(event);
    const [across, down] = [end.x - start.x, end.y - start.y];
    const side = Math.max(Math.abs(across), Math.abs(down));
    if (side < CLICK_PX) return;
    const x = start.x + (Math.sign(across) * side) / 2;
    const y = start.y + (Math.sign(down) * side) / 2;
    put(x / width, y / height, side / Math.min(width, height));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (start && shown()) {
      const end = point(event);
      const { width, height } = shown().result;
      if (Math.hypot(end.x - start.x, end.y - start.y) < CLICK_PX) {
        put(end.x / width, end.y / height, box().side);
      }
    }
    start = null;
  });
  canvas.addEventListener("pointercancel", () => {
    start = null;
  });
  canvas.addEventListener("keydown", (event) => {
    if (reader().findsFaces || !shown() || event.ctrlKey || event.metaKey || event.altKey) return;
    const { x, y, side } = box();
    const across = shown().mirrored ? -STEP : STEP;
    const changes = {
      ArrowLeft: [-across, 0, 0], ArrowRight: [across, 0, 0], ArrowUp: [0, -STEP, 0],
      ArrowDown: [0, STEP, 0], "+": [0, 0, STEP], "=": [0, 0, STEP], "-": [0, 0, -STEP],
    };
    const change = changes[event.key];
    if (!change) return;
    event.preventDefault();
    put(x + change[0], y + change[1], side + change[2]);
  });
}
