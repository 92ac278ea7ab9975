// Boxes on the picture, the bars of each face, and the timeline.

const UNCERTAIN = "#8a929c";
const SPAN_S = 60;

export function percent(value) {
  return `${Math.round(100 * value)} %`;
}

export function nameOf(face) {
  return face.uncertain ? `uncertain (${face.emotion} ${percent(face.probability)})`
    : `${face.emotion} ${percent(face.probability)}`;
}

function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return { pen, width, height };
}

// Returns how a picture lies in a canvas, as `object-fit: contain` puts it.
export function placed({ width, height }, picture) {
  const scale = Math.min(width / picture.width, height / picture.height);
  return {
    scale,
    left: (width - scale * picture.width) / 2,
    top: (height - scale * picture.height) / 2,
  };
}

// Draws the box of each face.
export function drawBoxes(canvas, result, colours, { mirrored = false } = {}) {
  const { pen, width, height } = prepared(canvas);
  if (!result) return;
  const { scale, left, top } = placed({ width, height }, result);
  pen.font = "600 14px system-ui, sans-serif";
  pen.textBaseline = "middle";
  for (const face of result.faces) {
    const [x0, y0, x1, y1] = face.box;
    const from = mirrored ? result.width - x1 : x0;
    const x = left + scale * from;
    const y = top + scale * y0;
    const w = scale * (x1 - x0);
    pen.lineWidth = 3;
    pen.setLineDash(face.uncertain ? [7, 5] : []);
    pen.strokeStyle = face.uncertain ? UNCERTAIN : colours[face.emotion];
    pen.strokeRect(x, y, w, scale * (y1 - y0));
    const text = face.uncertain ? "uncertain" : nameOf(face);
    const label = pen.measureText(text).width + 12;
    const labelX = Math.max(0, Math.min(x - 1.5, width - label));
    const labelY = y < 24 ? Math.min(y + scale * (y1 - y0), height - 24) : y - 24;
    pen.fillStyle = "#14171bdd";
    pen.fillRect(labelX, labelY, label, 24);
    pen.fillStyle = "#ffffff";
    pen.fillText(text, labelX + 6, labelY + 12);
  }
}

function cell(kind, text) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Shows the bars of each face: a table, which screen readers read as one.
export function showFaces(place, faces, colours) {
  while (place.children.length > faces.length) place.lastChild.remove();
  faces.forEach((face, number) => {
    const names = Object.keys(face.probabilities);
    let part = place.children[number];
    if (!part || part.dataset.names !== names.join()) {
      part = cell("section");
      part.dataset.names = names.join();
      part.append(cell("h3"));
      const table = cell("table");
      table.append(cell("caption", "Probability of each expression"));
      table.firstChild.className = "hidden";
      for (const name of names) {
        const row = table.insertRow();
        const heading = cell("th", name);
        heading.scope = "row";
        const bar = cell("div");
        bar.className = "bar";
        bar.append(cell("i"));
        bar.firstChild.style.backgroundColor = colours[name];
        row.append(heading, cell("td"), cell("td"));
        row.cells[1].append(bar);
      }
      part.append(table);
      if (place.children[number]) place.children[number].replaceWith(part);
      else place.append(part);
    }
    part.className = face.uncertain ? "face uncertain" : "face";
    part.firstChild.textContent = `Face ${face.track ?? number + 1}: ${nameOf(face)}`;
    [...part.querySelectorAll("tr")].forEach((row, at) => {
      const value = face.probabilities[names[at]];
      row.querySelector("i").style.width = `${100 * value}%`;
      row.cells[2].textContent = percent(value);
    });
  });
}

// Keeps a minute of the largest face, and draws a line for each expression.
export class Timeline {
  constructor(canvas, names, colours) {
    Object.assign(this, { canvas, names, colours, points: [] });
  }

  add(seconds, face) {
    this.points.push({ seconds, face });
    while (this.points[0].seconds < seconds - SPAN_S) this.points.shift();
  }

  draw() {
    const { pen, width, height } = prepared(this.canvas);
    const style = getComputedStyle(this.canvas);
    const ink = style.color;
    const last = this.points.at(-1)?.seconds ?? 0;
    const start = Math.max(0, last - SPAN_S);
    const rows = height / this.names.length;
    const left = Math.min(90, width * 0.28);
    const x = (seconds) => left + ((seconds - start) / SPAN_S) * (width - left);
    pen.font = "13px system-ui, sans-serif";
    pen.textBaseline = "middle";
    this.names.forEach((name, row) => {
      const low = (row + 1) * rows - 3;
      const tall = rows - 8;
      pen.globalAlpha = 0.3;
      pen.strokeStyle = ink;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(left, low);
      pen.lineTo(width, low);
      pen.stroke();
      pen.globalAlpha = 1;
      pen.fillStyle = ink;
      pen.fillText(name, 0, low - tall / 2, left - 8);
      let before = null;
      for (const point of this.points) {
        const value = point.face?.probabilities[name];
        const here = value === undefined ? null
          : { x: x(point.seconds), y: low - tall * value, uncertain: point.face.uncertain };
        if (before && here && here.x - before.x < (2 / SPAN_S) * width) {
          pen.strokeStyle = here.uncertain ? UNCERTAIN : this.colours[name];
          pen.lineWidth = here.uncertain ? 1 : 2.5;
          pen.beginPath();
          pen.moveTo(before.x, before.y);
          pen.lineTo(here.x, here.y);
          pen.stroke();
        }
        before = here;
      }
    });
  }

  // Says the means of the last ten seconds, for screen readers.
  tell() {
    const last = this.points.at(-1)?.seconds ?? 0;
    const recent = this.points.filter((one) => one.face && one.seconds > last - 10);
    const means = this.names.map((name) => [
      name, recent.reduce((sum, one) => sum + one.face.probabilities[name], 0) / (recent.length || 1),
    ]).sort((one, other) => other[1] - one[1]);
    const text = recent.length ? means.map(([name, mean]) => `${name} ${percent(mean)}`).join(", ")
      : "no face";
    this.canvas.setAttribute("aria-label", `Means of the last ten seconds: ${text}`);
  }
}
