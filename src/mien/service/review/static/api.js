// Requests to the server of the review.

const TOKEN = document.querySelector("meta[name=token]").content;

export class Refusal extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "the server refused the request");
    this.kind = (problem.type ?? "").split(":").pop();
  }
}

async function ask(path, options) {
  let reply;
  try {
    reply = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("The server does not answer. Start mien data review again; nothing is lost.");
  }
  const content = await reply.json().catch(() => ({}));
  if (reply.ok) return content;
  const refusal = new Refusal(content);
  if (refusal.kind === "no-token") location.reload(); // the server was started anew
  throw refusal;
}

export function get(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== "" && one != null) words.append(name, one);
  }
  return ask(`/api/${path}?${words}`);
}

export function post(path, body) {
  return ask(`/api/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Mien-Token": TOKEN },
    body: body && JSON.stringify(body),
  });
}

// Faces with their pictures, fetched before they are shown. Nothing is kept but the nearest ones.
export class Faces {
  constructor(most) {
    this.most = most;
    this.known = new Map(); // row -> promise of { face, image }
  }

  fetch(rows) {
    const missing = rows.filter((row) => !this.known.has(row));
    if (missing.length) {
      const all = get("faces", { row: missing });
      missing.forEach((row, at) => {
        const one = all.then((faces) => withImage(faces[at]));
        one.catch(() => this.known.delete(row)); // asked for again
        this.known.set(row, one);
      });
    }
    for (const row of rows) { // the nearest are the youngest
      const one = this.known.get(row);
      this.known.delete(row);
      this.known.set(row, one);
    }
    for (const row of this.known.keys()) {
      if (this.known.size <= this.most) break;
      this.known.delete(row);
    }
  }

  async get(row) {
    if (!this.known.has(row)) this.fetch([row]);
    return this.known.get(row);
  }

  // Takes in what changed about some faces, wherever they are shown.
  change(states) {
    for (const one of this.known.values()) one.then(({ face }) => renew(face, states), () => {});
  }
}

export function renew(face, states) {
  for (const one of [face, ...face.copies]) {
    const state = states.find(({ row }) => row === one.row);
    if (state && state.version > one.version) Object.assign(one, state);
  }
}

export function picture(row) {
  return `/api/faces/${row}.png`;
}

async function withImage({ picture: address, ...face }) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return { face, image };
}
