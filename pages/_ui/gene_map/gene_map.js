// The gene map: state of one component, its panels, pointer and keyboard. Data text only through textContent.

const states = new WeakMap();
const themes = new Map();

export default function (component) {
  const { data: bytes, parentElement, setStateValue, setTriggerValue } = component;
  const root = parentElement.querySelector(".gm");
  let s = states.get(root);
  if (!s) states.set(root, (s = create(root)));
  s.setStateValue = setStateValue;
  s.setTriggerValue = setTriggerValue;
  s.sizes.observe(root); // again after Streamlit ran the cleanup below
  if (bytes) take(s, bytes);
  document.addEventListener("click", s.onStep, { capture: true });
  return () => {
    s.sizes.disconnect();
    document.removeEventListener("click", s.onStep, { capture: true });
  };
}

/** A message of packing.py: shows its map, and keeps those that buttons of the page lead to. */
function take(s, bytes) {
  const { "": main, ...ahead } = blocksOf(bytes);
  const message = Object.values({ main, ...ahead }).map(digestOf).join(" ");
  if (message === s.message) return; // the page ran again
  const data = dataOf(main); // first: it brings what all share
  if (!data) {
    s.setTriggerValue("lacking", true); // Python then sends the whole
    return;
  }
  s.message = message;
  s.ahead = Object.entries(ahead).map(([key, block]) => [key, dataOf(block)]).filter(([, found]) => found);
  if (data !== s.data) receive(s, data);
}

function create(root) {
  const s = {
    root, $: (selector) => root.querySelector(selector),
    data: null, message: "", ahead: [], level: 0, keep: 1, epoch: null, overlay: null, opacity: 0.8, outlines: false,
    view: { zoom: 1, x: 0, y: 0 }, variants: [-1], panels: [], pictures: [], canvases: [],
    at: { panel: 0, x: 0, y: 0 }, cursor: null, selected: -1, frame: 0, stale: false, draws: 0, committed: "", tip: null,
  };
  s.redraw = (values) => {
    s.stale ||= values;
    s.frame ||= requestAnimationFrame(() => s.flush());
  };
  s.flush = () => {
    cancelAnimationFrame(s.frame);
    s.frame = 0;
    if (s.data) draw(s);
  };
  s.rebuildPanels = () => rebuildPanels(s);
  s.onStep = ({ target }) => { // Streamlit gives a widget's frame a class with its key
    const step = s.ahead.find(([key]) => target.closest?.(`.st-key-${key} button`));
    if (step) receive(s, step[1]);
    if (step) s.ahead = []; // they led on from the map before
  };
  s.zoomBy = (factor, x, y) => zoomBy(s, factor, x, y);
  s.job = (panel, picture) => ({
    data: s.data, shown: s.shown, picture, panel, place: s.place, ratio: s.ratio, theme: s.theme, font: s.font,
    regions: s.outlines && s.data.regions ? s.paths[panel.channel] : null,
    spots: s.data.regions ? s.spots[panel.channel] : [],
    highlighted: s.data.highlighted, selected: s.selected, cursor: s.cursor,
  });
  connectControls(s);
  s.sizes = new ResizeObserver(() => s.data && resize(s) && s.redraw(false));
  root.addEventListener("transitionend", (event) => event.target === root && s.data && s.redraw(true));
  root.addEventListener("gene-map-read", (event) => { // for tests: what is on the screen, without a global
    s.flush();
    const written = s.panels.map((panel) => panel.written ?? []);
    Object.assign(event.detail, { values: s.shown, features: s.data.features, cells: s.data.cells, place: s.place, size: s.size, written });
  });
  return s;
}

/** New data: sliders, zoom and selection stay, unless Python moved the sliders. */
function receive(s, data) {
  const chosen = s.selected >= 0 ? s.data.features[s.selected] : -1;
  const reshaped = !s.data || String(s.data.shape) !== String(data.shape);
  s.data = data;
  s.selected = data.features.indexOf(chosen);
  if (s.epoch !== data.initial.epoch) {
    ({ level: s.level, keep: s.keep, epoch: s.epoch } = data.initial);
    s.committed = JSON.stringify({ level: s.level, keep: s.keep, seed: data.seed, epoch: s.epoch });
  }
  if (reshaped) s.view = { zoom: 1, x: data.shape[2] / 2, y: data.shape[1] / 2 };
  s.shown = new Float32Array(data.maps * data.features.length);
  if (data.regions && data.regionNames.length && !s.paths) s.outlines = true;
  s.paths = data.regions ? regionPaths(data) : null;
  s.spots = data.regions ? regionSpots(data) : null;
  s.font = getComputedStyle(s.root).fontFamily;
  s.cursor = null;
  hideTip(s);
  prepare(data);
  refreshControls(s);
  rebuildPanels(s);
  s.root.dataset.digest = data.digest;
  s.stale = true;
  s.flush();
}

function rebuildPanels(s) {
  const { data } = s;
  const offered = data.controls.includes("overlay") && data.overlays.length > 0;
  s.variants = !offered || s.overlay === "none" ? [-1] : s.overlay === "both" ? [0, 1] : [+s.overlay];
  s.panels = panelList(data, s.variants);
  s.pictures = [];
  for (let map = 0; map < data.maps; map++)
    for (const variant of s.variants) s.pictures.push({ map, variant, picture: makePicture(data) });
  const stage = s.$(".gm-stage");
  while (s.canvases.length > s.panels.length) s.canvases.pop().closest("figure").remove();
  while (s.canvases.length < s.panels.length) stage.append(newPanel(s, s.canvases.length));
  s.panels.forEach((panel, n) => {
    const { name, detail } = captionOf(s, panel);
    const figure = s.canvases[n].closest("figure");
    figure.querySelector("b").textContent = name;
    figure.querySelector("span").textContent = detail;
    figure.querySelector("figcaption").title = [name, detail].filter(Boolean).join(" · ");
    const [, rows, columns] = data.shape;
    s.canvases[n].setAttribute("aria-label",
      `${[name, detail].filter(Boolean).join(", ")}: map of ${rows} rows by ${columns} columns. Arrow keys walk, Enter chooses a ${data.noun}.`);
  });
  s.at.panel = Math.min(s.at.panel, s.panels.length - 1);
  rove(s);
  buildLegend(s);
  s.laidOut = null;
  resize(s);
}

function newPanel(s, n) {
  const figure = element("figure", "gm-panel");
  const caption = element("figcaption");
  caption.append(element("b"), element("span"));
  const canvas = element("canvas");
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "map");
  connectPointer(s, canvas, n);
  canvas.onkeydown = (event) => onKey(s, event);
  canvas.onfocus = () => (s.at.panel = n);
  canvas.onblur = () => leave(s);
  figure.append(caption, canvas);
  s.canvases.push(canvas);
  return figure;
}

/** Sizes canvases to whole device pixels a cell; true if anything changed. */
function resize(s) {
  const { data, root } = s;
  const ratio = window.devicePixelRatio || 1;
  const width = root.clientWidth;
  const key = `${width} ${ratio} ${s.panels.length} ${data.digest}`;
  if (!width || key === s.laidOut) return false;
  s.laidOut = key;
  s.ratio = ratio;
  const { across, cell } = arrange(data, s.panels.length, data.shape[0] * s.variants.length, width, ratio);
  const [, rows, columns] = data.shape;
  s.across = across;
  s.fit = cell;
  s.size = { width: Math.max(1, Math.floor(columns * cell)), height: Math.max(1, Math.floor(rows * cell)) };
  const cssWidth = s.size.width / ratio;
  for (const canvas of s.canvases) {
    if (canvas.width !== s.size.width) canvas.width = s.size.width;
    if (canvas.height !== s.size.height) canvas.height = s.size.height;
    canvas.style.width = `${cssWidth}px`;
    canvas.style.height = `${s.size.height / ratio}px`;
    canvas.closest("figure").style.width = `${cssWidth}px`;
  }
  s.$(".gm-stage").style.gridTemplateColumns = `repeat(${across}, ${cssWidth}px)`;
  root.classList.toggle("gm-beside", width - (across * (cssWidth + GAP) - GAP) >= 262);
  return true;
}

function draw(s) {
  const begun = performance.now();
  const { data } = s;
  resize(s);
  if (!s.fit) return;
  s.theme = themeOf(s.root);
  if (s.stale) {
    perturb(data, s.level, s.keep, s.shown);
    for (const { map, variant, picture } of s.pictures) paint(data, s.shown, map, variant, s.opacity, s.keep, s.theme, picture);
  }
  s.place = placeOf(data, s.view, s.fit, s.size.width, s.size.height, s.ratio);
  const channels = data.shape[0];
  s.panels.forEach((panel, n) => {
    const { picture } = s.pictures[Math.floor(n / channels)];
    drawPanel(s.canvases[n].getContext("2d"), { x: 0, y: 0, ...s.size }, s.job(panel, picture));
    s.canvases[n].classList.toggle("gm-pannable", s.view.zoom > 1);
  });
  showControls(s);
  showHoles(s);
  if (s.stale && s.cursor) speak(s, false);
  s.stale = false;
  Object.assign(s.root.dataset, {
    drawMs: (performance.now() - begun).toFixed(2), draws: ++s.draws, level: s.level, keep: s.keep, seed: data.seed,
  });
}

/** Greys for the page's theme, with its own colours for the ground. */
function themeOf(root) {
  const style = getComputedStyle(root);
  const paper = style.getPropertyValue("--st-background-color").trim() || LIGHT.paper;
  const blank = style.getPropertyValue("--st-secondary-background-color").trim() || LIGHT.blank;
  if (!themes.has(paper)) themes.set(paper, isDark(paper) ? DARK : LIGHT);
  return { ...themes.get(paper), paper, blank };
}

function isDark(colour) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour;
  const hex = /^#(..)(..)(..)/.exec(probe.fillStyle);
  return hex !== null && 0.299 * parseInt(hex[1], 16) + 0.587 * parseInt(hex[2], 16) + 0.114 * parseInt(hex[3], 16) < 110;
}

/** Zoom keeping cell (x, y) under the pointer; factor 0 shows the whole map. */
function zoomBy(s, factor, x = s.view.x, y = s.view.y) {
  const [, rows, columns] = s.data.shape;
  const most = Math.max(1, (MAX_CELL * s.ratio) / s.fit);
  const zoom = factor === 0 ? 1 : Math.max(1, Math.min(most, s.view.zoom * factor));
  const share = s.view.zoom / zoom;
  s.view = zoom <= 1.01 ? { zoom: 1, x: columns / 2, y: rows / 2 }
    : { zoom, ...center(s, zoom, x + (s.view.x - x) * share, y + (s.view.y - y) * share) };
  hideTip(s);
  s.redraw(false);
}

function center(s, zoom, x, y) {
  const [, rows, columns] = s.data.shape;
  const half = 1 / (2 * zoom);
  const clamp = (value, cells) => Math.max(cells * half, Math.min(cells * (1 - half), value));
  return { x: clamp(x, columns), y: clamp(y, rows) };
}
