// Optimal transport by hand: points with masses, the entropic plan between them, and Gromov-Wasserstein on the same points.
// Sinkhorn in the log domain (Cuturi, 2013; Peyre and Cuturi, 2019); Gromov-Wasserstein as repeated transport with the
// square loss (Peyre, Cuturi and Solomon, 2016).

const states = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".ot");
  let s = states.get(root);
  if (!s) states.set(root, (s = create(root)));
  if (data && data.digest !== s.digest) receive(s, data);
}

// --- the mathematics: plain functions of arrays -----------------------------------------------------------------------

function logSumExp(values) {
  const most = Math.max(...values);
  return most === -Infinity ? -Infinity : most + Math.log(values.reduce((sum, v) => sum + Math.exp(v - most), 0));
}

/** Plan (n x m) that minimises <cost, P> - epsilon H(P) with row sums a and column sums b. */
function sinkhorn(cost, a, b, epsilon, iterations = 500) {
  const f = a.map(() => 0), g = b.map(() => 0);
  for (let k = 0; k < iterations; k++) {
    for (let i = 0; i < a.length; i++) f[i] = epsilon * (Math.log(a[i]) - logSumExp(g.map((v, j) => (v - cost[i][j]) / epsilon)));
    let off = 0;
    for (let j = 0; j < b.length; j++) {
      const now = epsilon * (Math.log(b[j]) - logSumExp(f.map((v, i) => (v - cost[i][j]) / epsilon)));
      off = Math.max(off, Math.abs(now - g[j]));
      g[j] = now;
    }
    if (off < 1e-9) break;
  }
  return a.map((_, i) => b.map((_, j) => Math.exp((f[i] + g[j] - cost[i][j]) / epsilon)));
}

/** Local cost of Gromov-Wasserstein at the plan P: C1^2 a + C2^2 b - 2 C1 P C2, times two. */
function gromovCost(C1, C2, a, b, P) {
  const left = C1.map((row) => row.reduce((sum, c, k) => sum + c * c * a[k], 0));
  const right = C2.map((row) => row.reduce((sum, c, k) => sum + c * c * b[k], 0));
  const PC = P.map((row) => C2.map((_, j) => row.reduce((sum, p, l) => sum + p * C2[l][j], 0)));
  return C1.map((row, i) => right.map((r, j) => 2 * (left[i] + r - 2 * row.reduce((sum, c, k) => sum + c * PC[k][j], 0))));
}

function gromov(C1, C2, a, b, epsilon, rounds = 60) {
  let P = a.map((x) => b.map((y) => x * y));
  for (let k = 0; k < rounds; k++) {
    const next = sinkhorn(gromovCost(C1, C2, a, b, P), a, b, epsilon, 300);
    const off = Math.max(...next.flatMap((row, i) => row.map((p, j) => Math.abs(p - P[i][j]))));
    P = next;
    if (off < 1e-9) break;
  }
  return P;
}

function distances(A, B, power) {
  return A.map(([x, y]) => B.map(([u, v]) => ((x - u) ** 2 + (y - v) ** 2) ** (power / 2)));
}

function solve(points, masses, mode, epsilon) {
  const share = masses.map((m) => { const sum = m.reduce((p, q) => p + q, 0); return m.map((v) => v / sum); });
  const [A, B] = points, [a, b] = share;
  if (mode === "transport") {
    const cost = distances(A, B, 2), plan = sinkhorn(cost, a, b, epsilon);
    return { plan, value: plan.reduce((sum, row, i) => sum + row.reduce((t, p, j) => t + p * cost[i][j], 0), 0) };
  }
  const C1 = distances(A, A, 1), C2 = distances(B, B, 1), plan = gromov(C1, C2, a, b, epsilon);
  const local = gromovCost(C1, C2, a, b, plan);
  return { plan, value: plan.reduce((sum, row, i) => sum + row.reduce((t, p, j) => t + (p * local[i][j]) / 2, 0), 0) };
}

// --- the picture ------------------------------------------------------------------------------------------------------

const COLOURS = ["#0072b2", "#d55e00"];
const W = 640, H = 400;

function create(root) {
  const $ = (selector) => root.querySelector(selector);
  const s = { root, $, digest: "", mode: "transport", points: [[], []], masses: [[], []], chosen: [0, 0] };
  $(".ot-entropy").oninput = () => draw(s);
  $(".ot-mass").oninput = () => { s.masses[s.chosen[0]][s.chosen[1]] = +$(".ot-mass").value; draw(s); };
  $(".ot-reset").onclick = () => { place(s); draw(s); };
  $(".ot-turn").onclick = () => { s.points[1] = s.points[1].map(([x, y]) => [0.75 - (y - 0.5), 0.5 + (x - 0.75)]); draw(s); };
  root.addEventListener("ot-read", (event) => // for tests: what is on the screen, without a global
    Object.assign(event.detail, { points: s.points, masses: s.masses, mode: s.mode, epsilon: epsilonOf(s), ...solved(s) }));
  return s;
}

function receive(s, data) {
  Object.assign(s, { digest: data.digest, mode: data.mode, start: data });
  s.$(".ot-turn").hidden = data.mode === "transport";
  s.$(".ot-turn").style.display = data.mode === "transport" ? "none" : "";
  s.$(".ot-svg").setAttribute("aria-label", data.label);
  place(s);
  draw(s);
  s.root.dataset.digest = data.digest;
}

function place(s) {
  s.points = s.start.points.map((cloud) => cloud.map((p) => [...p]));
  s.masses = s.start.masses.map((m) => [...m]);
  s.chosen = [0, 0];
}

const epsilonOf = (s) => 10 ** +s.$(".ot-entropy").value;
const solved = (s) => solve(s.points, s.masses, s.mode, epsilonOf(s));

function node(name, attributes, parent) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  parent.append(found);
  return found;
}

function draw(s) {
  const svg = s.$(".ot-svg"), lines = s.$(".ot-lines");
  const { plan, value } = solved(s);
  const most = Math.max(...plan.flat());
  lines.replaceChildren();
  plan.forEach((row, i) => row.forEach((p, j) => {
    if (p < 0.004 * most) return;
    const [[x, y], [u, v]] = [s.points[0][i], s.points[1][j]];
    node("line", { x1: x * W, y1: y * H, x2: u * W, y2: v * H, "stroke-width": 0.4 + (7 * p) / most, "stroke-opacity": 0.15 + (0.6 * p) / most }, lines);
  }));
  drawPoints(s, svg);
  const routes = plan.flat().filter((p) => p > 0.01 * most).length;
  s.$(".ot-entropy-out").textContent = epsilonOf(s).toPrecision(2);
  s.$(".ot-mass").value = s.masses[s.chosen[0]][s.chosen[1]];
  s.$(".ot-mass-out").textContent = `${["source", "target"][s.chosen[0]]} ${s.chosen[1] + 1}: ${s.masses[s.chosen[0]][s.chosen[1]]}`;
  s.$(".ot-live").textContent = `${s.mode === "transport" ? "Cost of moving" : "Distortion of distances"} ${value.toFixed(4)}, ${routes} routes in use.`;
}

/** Points are made once and then moved, so that the one being dragged or focused stays the same element. */
function drawPoints(s, svg) {
  const holder = s.$(".ot-points"), wanted = s.points.flat().length;
  if (holder.childElementCount !== wanted) {
    holder.replaceChildren();
    s.points.forEach((cloud, side) => cloud.forEach((_, k) => {
      const shape = node(side ? "rect" : "circle", { tabindex: 0, role: "button", fill: COLOURS[side] }, holder);
      const choose = () => { s.chosen = [side, k]; draw(s); };
      shape.onfocus = choose;
      shape.onpointerdown = (event) => { shape.setPointerCapture(event.pointerId); choose(); };
      shape.onpointermove = (event) => {
        if (!shape.hasPointerCapture(event.pointerId)) return;
        const box = svg.getBoundingClientRect();
        move(s, side, k, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      };
      shape.onkeydown = (event) => {
        const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!step) return;
        const [x, y] = s.points[side][k];
        move(s, side, k, x + 0.02 * step[0], y + 0.02 * step[1]);
        event.preventDefault();
      };
    }));
  }
  let at = 0;
  s.points.forEach((cloud, side) => cloud.forEach(([x, y], k) => {
    const shape = holder.children[at++], r = 5 + 4 * Math.sqrt(s.masses[side][k]);
    const chosen = s.chosen[0] === side && s.chosen[1] === k;
    const where = side ? { x: x * W - r, y: y * H - r, width: 2 * r, height: 2 * r } : { cx: x * W, cy: y * H, r };
    const label = `${side ? "Target" : "Source"} ${k + 1}, mass ${s.masses[side][k]}; arrow keys move it`;
    for (const [key, value] of Object.entries({ ...where, "aria-label": label, class: chosen ? "ot-chosen" : "" })) shape.setAttribute(key, value);
  }));
}

function move(s, side, k, x, y) {
  const inside = (v) => Math.min(0.98, Math.max(0.02, v));
  s.points[side][k] = [inside(x), inside(y)];
  draw(s);
}
