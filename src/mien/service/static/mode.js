// Where pictures are read: by the server, or by this browser (private mode).

import { ask, serverReader } from "./api.js";
import { PrivateReader } from "./private.js";

const KEPT = "mien-private"; // in the browser, so that the next visit begins in the same mode
const on = (id) => document.getElementById(id);
const offered = document.querySelector("meta[name=mien-modes]").content.split(" ");
const hasServer = offered.includes("server");

export class Mode {
  // changed: called when another reader or model is to be used.
  constructor({ changed }) {
    Object.assign(this, { changed, turn: 0, local: new PrivateReader() });
    this.isPrivate = !hasServer
      || (offered.includes("private") && localStorage.getItem(KEPT) === "yes");
    on("mode").hidden = !offered.includes("private");
    on("switch").hidden = !hasServer;
    on("private").checked = this.isPrivate;
    on("private").onchange = () => {
      this.isPrivate = on("private").checked;
      localStorage.setItem(KEPT, this.isPrivate ? "yes" : "no");
      this.change();
    };
    on("model").onchange = () => this.change();
    this.tell();
    // A private page works offline from its second visit on; without https it does without that.
    if (!hasServer) navigator.serviceWorker?.register("sw.js").catch(() => {});
  }

  // The reader of the chosen mode: in private mode never the server, whatever goes wrong.
  get reader() {
    return this.isPrivate ? this.local : serverReader;
  }

  change() {
    this.turn += 1;
    this.tell();
    this.changed();
  }

  // Makes the reader ready, and returns the card of its model.
  async open() {
    if (!this.isPrivate) return ask("/v1/model");
    await this.local.open();
    if (!on("model").length) {
      for (const { name } of this.local.models) on("model").add(new Option(name));
    }
    const card = await this.local.load(Math.max(0, on("model").selectedIndex));
    this.tell();
    return card;
  }

  tell() {
    const { threads, usesGpu } = this.local;
    const how = threads ? ` (${usesGpu ? "WebGPU and " : ""}WebAssembly, ${
      threads === 1 ? "1 thread" : `${threads} threads`})` : "";
    const isPrivate = `pictures are read in this browser${how} and never leave this machine.`;
    on("choice").hidden = !this.isPrivate || on("model").length < 2;
    if (!hasServer) on("mode-note").textContent = `Private: ${isPrivate}`;
    else if (this.isPrivate) on("mode-note").textContent = `On: ${isPrivate}`;
    else on("mode-note").textContent = "Off: pictures are sent to the server of this page.";
    on("where").textContent = this.isPrivate
      ? "Pictures are read in this browser: none is sent anywhere, and none is kept."
      : "Pictures are sent to this server, read in its memory, and never kept.";
    on("api").hidden = !hasServer;
    const byHand = !this.reader.findsFaces;
    on("by-hand").hidden = !byHand;
    const canvas = on("boxes");
    if (byHand) {
      canvas.tabIndex = 0;
      canvas.removeAttribute("aria-hidden");
      canvas.setAttribute("role", "application");
      canvas.setAttribute("aria-label", "Square around the face: arrow keys move it, + and − size it");
    } else {
      canvas.removeAttribute("tabindex");
      canvas.setAttribute("aria-hidden", "true");
    }
    canvas.classList.toggle("by-hand", byHand);
  }
}
