// The growth canvas: an image, the density over it, time, and the what-if physics. Data text only through textContent.

const states = new WeakMap();

export default function (component) {
  const { data: bytes, parentElement } = component;
  const root = parentElement.querySelector(".gr");
  let s = states.get(root);
  if (!s) states.set(root, (s = create(root)));
  if (bytes) receive(s, bytes);
  return () => stop(s);
}

function create(root) {
  const $ = (selector) => root.querySelector(selector);
  const s = { root, $, data: null, frames: [], at: 0, timer: 0, whatIf: false, digest: "" };
  $(".gr-time").oninput = () => { stop(s); s.at = +$(".gr-time").value; draw(s); };
  $(".gr-opacity").oninput = () => draw(s);
  $(".gr-play").onclick = () => (s.timer ? stop(s) : play(s));
  for (const name of ["d", "r"]) $(`.gr-${name}`).oninput = () => rerun(s);
  $(".gr-reset").onclick = () => reset(s);
  $(".gr-canvas").onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") s.timer ? stop(s) : play(s);
    else if (step && s.data) { stop(s); s.at = Math.max(0, Math.min(s.frames.length - 1, s.at + step)); draw(s); }
    else return;
    event.preventDefault();
  };
  root.addEventListener("growth-read", (event) => // for tests: what is on the screen, without a global
    Object.assign(event.detail, { at: s.at, frames: s.frames.map((f) => Array.from(f)), whatIf: s.whatIf }));
  return s;
}

function parse(bytes) {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const copy = view.slice();
  const length = new DataView(copy.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(copy.subarray(4, 4 + length)));
  let at = 4 + length + ((4 - (length % 4)) % 4);
  const take = (kind, n) => {
    const array = new kind(copy.buffer, at, n);
    at += Math.ceil((n * kind.BYTES_PER_ELEMENT) / 4) * 4;
    return array;
  };
  const { size, steps, height, width } = header;
  const image = take(Uint8Array, size * size);
  const all = take(Float32Array, (steps + 1) * height * width);
  const colours = take(Uint8Array, 768);
  const frames = Array.from({ length: steps + 1 }, (_, k) => all.subarray(k * height * width, (k + 1) * height * width));
  return { ...header, image, seen: frames, colours };
}

function receive(s, bytes) {
  const data = parse(bytes);
  if (data.digest === s.digest) return;
  stop(s);
  Object.assign(s, { data, digest: data.digest, at: data.steps });
  s.$(".gr-time").max = data.steps;
  s.$(".gr-what").hidden = !data.rates;
  s.$(".gr-what").style.display = data.rates ? "" : "none";
  const picture = document.createElement("canvas");
  picture.width = picture.height = data.size;
  const pixels = new ImageData(data.size, data.size);
  for (let i = 0; i < data.image.length; i++) pixels.data.set([data.image[i], data.image[i], data.image[i], 255], 4 * i);
  picture.getContext("2d").putImageData(pixels, 0, 0);
  s.picture = picture;
  const stops = Array.from({ length: 9 }, (_, k) => `rgb(${data.colours.subarray(3 * k * 31, 3 * k * 31 + 3).join(" ")})`);
  s.$(".gr-scale b").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  reset(s);
  s.root.dataset.digest = data.digest; // for tests: what is drawn
}

function reset(s) {
  s.frames = s.data.seen;
  s.whatIf = false;
  if (s.data.rates) {
    s.$(".gr-d").value = place(s.data.rates.diffusion, s.data.rates.diffusion_range);
    s.$(".gr-r").value = place(s.data.rates.rate, s.data.rates.rate_range);
    showRates(s, s.data.rates.diffusion, s.data.rates.rate);
  }
  draw(s);
}

const place = (value, [low, high]) => Math.log(value / low) / Math.log(high / low);
const unplace = (share, [low, high]) => low * (high / low) ** share;
const short = (value) => Number(value.toPrecision(2)).toString();

function showRates(s, d, r) {
  s.$(".gr-d-out").textContent = `${short(d)} cells²/step`;
  s.$(".gr-r-out").textContent = `${short(r)} /step`;
  s.$(".gr-reset").disabled = !s.whatIf;
}

function rerun(s) {
  const { rates, seen, height, width, steps, substeps } = s.data;
  const d = unplace(+s.$(".gr-d").value, rates.diffusion_range), r = unplace(+s.$(".gr-r").value, rates.rate_range);
  s.frames = growFrames(seen[0], height, width, d, r, steps, substeps);
  s.whatIf = true;
  showRates(s, d, r);
  draw(s);
}

function play(s) {
  if (!s.data) return;
  if (s.at >= s.frames.length - 1) s.at = -1;
  const tick = () => {
    s.at += 1;
    draw(s);
    if (s.at >= s.frames.length - 1) stop(s);
  };
  s.timer = setInterval(tick, 150);
  s.$(".gr-play").textContent = "Pause";
  s.$(".gr-play").setAttribute("aria-pressed", "true");
  tick();
}

function stop(s) {
  clearInterval(s.timer);
  s.timer = 0;
  s.$(".gr-play").textContent = "Play";
  s.$(".gr-play").setAttribute("aria-pressed", "false");
}

function draw(s) {
  const { data } = s;
  if (!data) return;
  const canvas = s.$(".gr-canvas"), side = 672;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const g = canvas.getContext("2d"), u = s.frames[s.at];
  g.imageSmoothingEnabled = true;
  g.globalAlpha = 1;
  g.drawImage(s.picture, 0, 0, side, side);
  g.globalAlpha = +s.$(".gr-opacity").value / 100;
  g.drawImage(overlay(data, u), 0, 0, side, side);
  g.globalAlpha = 1;
  for (const [level, dash] of [[0.16, []], [0.8, [9, 6]]]) {
    const lines = contour(u, data.height, data.width, level);
    const path = new Path2D();
    for (let i = 0; i < lines.length; i += 4) {
      path.moveTo((lines[i] * side) / data.width, (lines[i + 1] * side) / data.height);
      path.lineTo((lines[i + 2] * side) / data.width, (lines[i + 3] * side) / data.height);
    }
    g.setLineDash(dash);
    g.strokeStyle = "#000";
    g.lineWidth = 5;
    g.stroke(path);
    g.strokeStyle = "#fff";
    g.lineWidth = 2.5;
    g.stroke(path);
  }
  g.setLineDash([]);
  s.$(".gr-time").value = s.at;
  s.$(".gr-time-out").textContent = `step ${s.at} of ${data.steps}${s.at === data.steps ? ": the image" : ""}`;
  s.$(".gr-opacity-out").textContent = `${s.$(".gr-opacity").value} %`;
  const percent = (level) => `${(100 * shareAbove(u, level)).toFixed(1)} %`;
  const text = `${s.whatIf ? "What if: " : ""}${percent(0.16)} of the picture above 16 %, ${percent(0.8)} above 80 %.`;
  canvas.setAttribute("aria-label", `${data.label}, ${s.$(".gr-time-out").textContent}. ${text} Arrow keys move in time, space plays.`);
  if (!s.timer) s.$(".gr-live").textContent = text;
}

function overlay(data, u) {
  const canvas = document.createElement("canvas");
  canvas.width = data.width;
  canvas.height = data.height;
  const pixels = new ImageData(data.width, data.height);
  for (let i = 0; i < u.length; i++) {
    const c = 3 * Math.min(255, Math.floor(u[i] * 256));
    pixels.data.set([data.colours[c], data.colours[c + 1], data.colours[c + 2], 255 * Math.min(1, u[i] / 0.16)], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}
