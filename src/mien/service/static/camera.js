// The camera, and the stream of its frames. At most two frames are under way, so that the newest
// picture is read, whatever the speed of the line or of this browser.

const WIDTH = 640;
const UNDER_WAY = 2;
const RECENT = 30; // replies, over which rate and latency are averaged
const LONGEST_WAIT_MS = 8000;

const REASONS = {
  NotAllowedError: "The camera was not allowed. Allow it for this page in the browser's address bar, "
    + "then start it again; photos work without it.",
  NotFoundError: "No camera was found. Connect one, or choose photos.",
  NotReadableError: "The camera is in use by another program. Close that one, then start it again.",
};

export class Camera {
  // openStream: function that opens the stream of the reader in use.
  constructor(video, { openStream, told, state }) {
    Object.assign(this, { video, openStream, told, state });
    this.canvas = document.createElement("canvas");
  }

  get isOn() {
    return Boolean(this.media);
  }

  // Starts it; raises an Error whose message is for the person.
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers give a camera only to pages of this machine (localhost) and over "
        + "https. Photos work without it.");
    }
    try {
      this.media = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, facingMode: "user" }, audio: false,
      });
    } catch (error) {
      throw new Error(REASONS[error.name] ?? `The camera cannot be used (${error.name}).`);
    }
    this.video.srcObject = this.media;
    await this.video.play();
    this.waitMs = 500;
    this.connect();
  }

  stop() {
    clearTimeout(this.timer);
    this.media?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
    this.media = null;
    this.stream?.close();
    this.stream = null;
  }

  connect() {
    this.sent = [];
    this.times = [];
    this.count = 0;
    const stream = this.openStream({
      opened: () => {
        this.waitMs = 500;
        this.state("");
        this.send();
      },
      told: (reply) => this.take(reply),
      ended: (reason) => {
        if (this.stream !== stream || !this.isOn) return;
        this.state(reason);
        this.timer = setTimeout(() => this.isOn && this.connect(), this.waitMs);
        this.waitMs = Math.min(LONGEST_WAIT_MS, 2 * this.waitMs);
      },
    });
    this.stream = stream;
  }

  // Sends the picture of this moment, unless enough are under way.
  async send() {
    const { stream, video, canvas } = this;
    if (!this.isOn || !stream?.isOpen || this.isEncoding) return;
    if (this.sent.length >= UNDER_WAY || !video.videoWidth) {
      if (!video.videoWidth) setTimeout(() => this.send(), 50);
      return;
    }
    this.isEncoding = true;
    canvas.width = Math.min(WIDTH, video.videoWidth);
    canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const at = performance.now();
    const isSent = await stream.send(canvas);
    this.isEncoding = false;
    if (!isSent || stream !== this.stream) return;
    this.sent.push({ frame: this.count, at });
    this.count += 1;
    requestAnimationFrame(() => this.send());
  }

  take(reply) {
    const now = performance.now();
    const mine = this.sent.find((one) => one.frame === reply.frame);
    this.sent = this.sent.filter((one) => one.frame > reply.frame);
    this.times.push({ now, latency: mine ? now - mine.at : 0 });
    if (this.times.length > RECENT) this.times.shift();
    const spanMs = now - this.times[0].now;
    this.told(reply, {
      rate: spanMs ? (1000 * (this.times.length - 1)) / spanMs : 0,
      latencyMs: this.times.reduce((sum, one) => sum + one.latency, 0) / this.times.length,
    });
    this.send();
  }
}
