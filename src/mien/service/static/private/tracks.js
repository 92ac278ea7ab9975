// Faces that are followed from frame to frame, as mien.vision.tracking does it.

const BOX_NOISE = 0.08; // lengths are in face sizes, times in seconds
const INITIAL_SPEED = 3;
const ACCELERATION_NOISE = 1;
const REACH_STDS = 3;
const [MIN_REACH, MAX_REACH] = [0.5, 1.5];
const MAX_GROWTH = 2;
const MAX_EXTRAPOLATION_S = 0.5;
const LOST_AFTER_S = 1;
const LOST_AFTER_STEPS = 2.5;
const RECENT_STEPS = 9;
const SMOOTHING_S = 0.3;

function measure([left, top, right, bottom]) {
  return {
    x: (left + right) / 2,
    y: (top + bottom) / 2,
    width: Math.max(right - left, 1),
    height: Math.max(bottom - top, 1),
  };
}

// A Kalman filter of the centre with constant velocity; both axes share one covariance.
class Track {
  constructor(number, box, seconds) {
    Object.assign(this, measure(box), {
      number, seen: seconds, now: seconds, speedX: 0, speedY: 0,
      position: BOX_NOISE ** 2, both: 0, velocity: INITIAL_SPEED ** 2,
    });
  }

  predict(seconds) {
    const step = Math.max(0, seconds - this.now);
    const moving = Math.max(0, Math.min(step, this.seen + MAX_EXTRAPOLATION_S - this.now));
    this.now = Math.max(this.now, seconds);
    this.x += this.speedX * moving;
    this.y += this.speedY * moving;
    this.position += step * (2 * this.both + step * this.velocity)
      + (ACCELERATION_NOISE * step ** 3) / 3;
    this.both += step * this.velocity + (ACCELERATION_NOISE * step ** 2) / 2;
    this.velocity += ACCELERATION_NOISE * step;
  }

  correct(box, seconds) {
    const found = measure(box);
    const total = this.position + BOX_NOISE ** 2;
    const gain = this.position / total;
    const speedGain = this.both / total;
    const [errorX, errorY] = [found.x - this.x, found.y - this.y];
    this.x += gain * errorX;
    this.y += gain * errorY;
    this.speedX += speedGain * errorX;
    this.speedY += speedGain * errorY;
    this.velocity -= speedGain * this.both;
    this.both *= 1 - gain;
    this.position *= 1 - gain;
    Object.assign(this, { width: found.width, height: found.height, seen: seconds });
  }

  // Returns the distance-IoU of the prediction and a box; -Infinity if it is out of reach.
  fit(box) {
    const found = measure(box);
    const [area, other] = [this.width * this.height, found.width * found.height];
    const squared = (this.x - found.x) ** 2 + (this.y - found.y) ** 2;
    const std = Math.sqrt(this.position + BOX_NOISE ** 2);
    const reach = Math.min(Math.max(REACH_STDS * std, MIN_REACH), MAX_REACH) * Math.sqrt(area);
    const growth = Math.sqrt(other / area);
    if (squared > reach ** 2 || Math.max(growth, 1 / growth) > MAX_GROWTH) return -Infinity;
    let [shared, around] = [1, 0];
    for (const [centre, side] of [["x", "width"], ["y", "height"]]) {
      const low = [this[centre] - this[side] / 2, found[centre] - found[side] / 2];
      const high = [this[centre] + this[side] / 2, found[centre] + found[side] / 2];
      shared *= Math.max(0, Math.min(...high) - Math.max(...low));
      around += (Math.max(...high) - Math.min(...low)) ** 2;
    }
    return shared / (area + other - shared) - squared / around;
  }
}

export class Tracker {
  constructor() {
    Object.assign(this, { tracks: [], next: 1, last: null, steps: [] });
  }

  // Returns the number of the track of each box of the next frame, from 1.
  update(boxes, seconds) {
    if (this.last !== null && seconds > this.last) {
      this.steps = [...this.steps, seconds - this.last].slice(-RECENT_STEPS);
    }
    this.last = seconds;
    const steps = [...this.steps].sort((one, other) => one - other);
    const usual = steps[Math.floor(steps.length / 2)] ?? 0;
    const lostAfter = Math.max(LOST_AFTER_S, LOST_AFTER_STEPS * usual);
    this.tracks = this.tracks.filter((one) => Math.abs(seconds - one.seen) <= lostAfter);
    this.tracks.forEach((one) => one.predict(seconds));
    const numbers = boxes.map(() => 0);
    const taken = new Set();
    const fits = this.tracks.flatMap((track) => boxes.map(
      (box, index) => ({ track, index, fit: track.fit(box) }),
    )).sort((one, other) => other.fit - one.fit);
    for (const { track, index, fit } of fits) {
      if (fit === -Infinity || taken.has(track) || numbers[index]) continue;
      taken.add(track);
      track.correct(boxes[index], seconds);
      numbers[index] = track.number;
    }
    boxes.forEach((box, index) => {
      if (numbers[index]) return;
      numbers[index] = this.next++;
      this.tracks.push(new Track(numbers[index], box, seconds));
    });
    return numbers;
  }
}

// Averages the probabilities of each track over the recent past, exponentially in time.
export class Smoother {
  constructor() {
    this.states = new Map();
  }

  update(track, probabilities, seconds) {
    for (const [key, { then }] of this.states) {
      if (Math.abs(seconds - then) > 20 * SMOOTHING_S) this.states.delete(key);
    }
    let smooth = Array.from(probabilities);
    const before = this.states.get(track);
    if (before) {
      const weight = -Math.expm1(-Math.max(0, seconds - before.then) / SMOOTHING_S);
      smooth = smooth.map((value, at) => before.values[at] + weight * (value - before.values[at]));
      const sum = smooth.reduce((total, value) => total + value, 0);
      smooth = smooth.map((value) => value / sum);
    }
    this.states.set(track, { values: smooth, then: seconds });
    return smooth;
  }
}
