// Requests to the service, and its stream. The key is kept for this tab alone.

const KEY = "mien-key";

export function key() {
  return sessionStorage.getItem(KEY) ?? "";
}

export function useKey(text) {
  sessionStorage.setItem(KEY, text.trim());
}

export class Refusal extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || "the service refused the request");
    this.status = problem.status;
  }
}

// Returns the JSON of a reply; raises a Refusal for a problem document.
export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key()) headers.set("Authorization", `Bearer ${key()}`);
  let reply;
  try {
    reply = await fetch(path, { ...options, headers });
  } catch {
    throw new Refusal({ status: 0, detail: "The server is not reached. Is it still running?" });
  }
  const document = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Refusal({ status: reply.status, ...document });
  return document;
}

// Sends a photo, and waits while the service is busy.
async function readPhoto(file) {
  for (let tries = 0; ; tries += 1) {
    try {
      const headers = { "Content-Type": "application/octet-stream" };
      const reply = await ask("/v1/read", { method: "POST", body: file, headers });
      return reply.results[0];
    } catch (refusal) {
      if (refusal.status !== 503 || tries === 5) throw refusal;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

// Opens the stream. `told` gets each reply; `ended` is called once, when it is lost. What it returns
// takes pictures: `send(canvas)` answers whether the picture is under way.
function openStream({ opened, told, ended }) {
  const address = new URL("/v1/stream", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const protocols = ["mien.stream.1"];
  if (key()) {
    const coded = btoa(key()).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
    protocols.push(`mien.key.${coded}`);
  }
  const socket = new WebSocket(address, protocols);
  socket.onopen = opened;
  socket.onmessage = (event) => told(JSON.parse(event.data));
  socket.onclose = (event) => ended(`The server is not reached${event.reason ? ` (${event.reason})`
    : ""}; trying again…`);
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    async send(canvas) {
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
      if (!blob || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(blob);
      return true;
    },
    close: () => socket.close(),
  };
}

// Reads with the server.
export const serverReader = { findsFaces: true, readPhoto, openStream };
