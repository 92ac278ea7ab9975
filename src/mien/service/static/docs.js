// The OpenAPI document as a page whose examples run.

import { key, useKey } from "./api.js";

const SHOWN = 600; // characters of a long text in an example

function add(place, kind, text, name) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  place.append(made);
  return made;
}

function shortened(value) {
  const text = JSON.stringify(value, (_, one) => (
    typeof one === "string" && one.length > SHOWN ? `${one.slice(0, 40)}… (${one.length} characters)` : one
  ), 2);
  return text;
}

function curl(method, path, body) {
  const address = `${location.origin}${path}`;
  const words = [`curl ${address}`];
  if (body) words.push("-F images=@photo.jpg");
  words.push('-H "Authorization: Bearer $KEY"');
  return words.join(" \\\n  ");
}

async function run(method, path, example, place) {
  place.hidden = false;
  place.textContent = "…";
  const headers = key() ? { Authorization: `Bearer ${key()}` } : {};
  if (example) headers["Content-Type"] = "application/json";
  const started = performance.now();
  try {
    const reply = await fetch(path, { method, headers, body: example && JSON.stringify(example) });
    const text = await reply.text();
    let shown = text.slice(0, 4000);
    if (reply.headers.get("content-type")?.includes("json")) shown = shortened(JSON.parse(text));
    place.textContent = `${reply.status}, ${Math.round(performance.now() - started)} ms\n${shown}`;
  } catch {
    place.textContent = "The server is not reached.";
  }
}

function showOperation(place, path, method, operation) {
  const part = add(place, "section", undefined, "operation");
  add(part, "h3", `${method.toUpperCase()} ${path}`);
  add(part, "p", operation.summary);
  add(part, "p", operation.description, "hint");
  const content = operation.requestBody?.content;
  const example = content?.["application/json"]?.example;
  if (content) add(part, "p", `Body: ${Object.keys(content).join(", ")}`, "hint");
  add(part, "pre", curl(method.toUpperCase(), path, content));
  if (example) add(part, "pre", shortened(example));
  const button = add(part, "button", "Run");
  button.type = "button";
  button.setAttribute("aria-label", `Run ${method.toUpperCase()} ${path}`);
  const result = add(part, "pre");
  result.hidden = true;
  result.setAttribute("role", "status");
  button.onclick = () => run(method.toUpperCase(), path, example, result);
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return schema.items ? `list of ${typeOf(schema.items)}` : "list";
  if (schema.additionalProperties) return `map to ${typeOf(schema.additionalProperties)}`;
  return schema.type ?? "any";
}

function showSchema(place, name, schema) {
  const part = add(place, "details", undefined, "operation");
  add(part, "summary", name);
  add(part, "p", schema.description, "hint");
  const list = add(part, "dl");
  for (const [field, about] of Object.entries(schema.properties ?? {})) {
    add(list, "dt", `${field}: ${typeOf(about)}`);
    add(list, "dd", about.description ?? "");
  }
}

const api = await (await fetch("/openapi.json")).json();
document.getElementById("description").textContent = api.info.description;
const place = document.getElementById("operations");
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    showOperation(place, path, method, operation);
  }
}
for (const [name, schema] of Object.entries(api.components.schemas)) {
  showSchema(document.getElementById("schemas"), name, schema);
}
const lock = document.getElementById("lock");
lock.hidden = false;
lock.onsubmit = (event) => {
  event.preventDefault();
  useKey(document.getElementById("key").value);
};
