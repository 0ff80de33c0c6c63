// Reading single cells: pointer, keyboard, tool tip and the line for screen readers.

function cellAt(s, canvas, event) {
  const box = canvas.getBoundingClientRect();
  const [, rows, columns] = s.data.shape;
  const x = ((event.clientX - box.left) * (s.size.width / box.width) - s.place.x) / s.place.cell;
  const y = ((event.clientY - box.top) * (s.size.height / box.height) - s.place.y) / s.place.cell;
  const within = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
  return { x: within(x, columns), y: within(y, rows), exactX: x, exactY: y };
}

function featureAt(s, panel, x, y) {
  const [, rows, columns] = s.data.shape;
  return s.data.featureAt[(panel.channel * rows + y) * columns + x];
}

function connectPointer(s, canvas, n) {
  let drag = null;
  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, view: { ...s.view }, moved: false };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (drag && (drag.moved || Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4)) {
      drag.moved = true;
      if (s.view.zoom <= 1) return;
      canvas.classList.add("gm-panning");
      hideTip(s);
      const step = s.ratio / s.place.cell;
      Object.assign(s.view, center(s, s.view.zoom,
        drag.view.x - (event.clientX - drag.x) * step, drag.view.y - (event.clientY - drag.y) * step));
      s.redraw(false);
      return;
    }
    Object.assign(s.at, { panel: n, ...cellAt(s, canvas, event) });
    point(s, false);
  };
  canvas.onpointerup = (event) => {
    canvas.classList.remove("gm-panning");
    const wasDrag = drag?.moved;
    drag = null;
    if (wasDrag || event.button !== 0) return;
    Object.assign(s.at, { panel: n, ...cellAt(s, canvas, event) });
    choose(s);
  };
  canvas.onpointercancel = () => (drag = null);
  canvas.onpointerleave = () => drag || leave(s);
  canvas.ondblclick = () => s.zoomBy(0);
  canvas.addEventListener("wheel", (event) => {
    const focused = canvas.getRootNode().activeElement === canvas;
    if (!s.data.controls.includes("zoom") || !(focused || event.ctrlKey || event.metaKey)) return; // else the page scrolls
    event.preventDefault();
    const { exactX, exactY } = cellAt(s, canvas, event);
    s.zoomBy(2 ** (-event.deltaY / 240), exactX, exactY);
  }, { passive: false });
}

function onKey(s, event) {
  const step = event.shiftKey ? 10 : 1;
  const [, rows, columns] = s.data.shape;
  const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  const page = { PageUp: -1, PageDown: 1 }[event.key];
  const zoom = s.data.controls.includes("zoom") ? { "+": 1.5, "=": 1.5, "-": 1 / 1.5, "_": 1 / 1.5, 0: 0 }[event.key] : undefined;
  if (move) {
    if (s.cursor) {
      s.at.x = Math.max(0, Math.min(columns - 1, s.at.x + move[0]));
      s.at.y = Math.max(0, Math.min(rows - 1, s.at.y + move[1]));
    }
    follow(s);
    point(s, true);
  } else if (page) {
    s.at.panel = Math.max(0, Math.min(s.panels.length - 1, s.at.panel + page));
    rove(s);
    s.canvases[s.at.panel].focus();
    point(s, true);
  } else if (event.key === "Enter" || event.key === " ") {
    if (s.cursor) choose(s);
    else point(s, true);
  } else if (zoom !== undefined && !event.ctrlKey && !event.metaKey) s.zoomBy(zoom, s.at.x + 0.5, s.at.y + 0.5);
  else if (event.key === "Escape") leave(s);
  else return;
  event.preventDefault();
}

/** One panel takes part in the page's tab order; Page keys go on from it. */
function rove(s) {
  s.canvases.forEach((canvas, n) => (canvas.tabIndex = n === s.at.panel ? 0 : -1));
}

/** Keeps the cell under the keyboard's cursor in sight of a zoomed map. */
function follow(s) {
  if (s.view.zoom <= 1) return;
  const reach = (side) => Math.max(0.5, side / (2 * s.place.cell) - 1);
  const near = (middle, at, half) => Math.max(at + 0.5 - half, Math.min(at + 0.5 + half, middle));
  Object.assign(s.view, center(s, s.view.zoom,
    near(s.view.x, s.at.x, reach(s.size.width)), near(s.view.y, s.at.y, reach(s.size.height))));
  s.flush();
}

function point(s, aloud) {
  if (s.cursor?.x !== s.at.x || s.cursor?.y !== s.at.y) {
    s.cursor = { x: s.at.x, y: s.at.y };
    s.redraw(false);
  }
  speak(s, aloud);
}

function leave(s) {
  if (!s.cursor) return;
  s.cursor = null;
  hideTip(s);
  pointAt(s, NaN);
  s.redraw(false);
}

function choose(s) {
  const panel = s.panels[s.at.panel];
  const j = featureAt(s, panel, s.at.x, s.at.y);
  rove(s);
  if (j < 0) return;
  s.selected = j;
  point(s, true);
  s.redraw(false);
  s.setTriggerValue("cell", { feature: s.data.features[j], map: panel.map });
}

/** Lines about the cell under the cursor; `parts[0]` is the name. */
function describe(s) {
  const { data } = s;
  const panel = s.panels[s.at.panel];
  const j = featureAt(s, panel, s.at.x, s.at.y);
  if (j < 0) return { name: `No ${data.noun} here`, lines: [] };
  const i = panel.map * data.features.length + j;
  const value = s.shown[i];
  const lines = [];
  if (value === value) {
    const changed = s.level > 0 && data.noise !== undefined;
    const share = (value - data.range[0]) / (data.range[1] - data.range[0]);
    const index = Math.max(0, Math.min(255, Math.floor(share * 256)));
    const rgb = data.lut.subarray(3 * index, 3 * index + 3);
    const scaled = `${formatNumber(value)} ${data.unit}`;
    lines.push({ text: data.mean ? asMeasured(data, j, value) : scaled, rgb });
    if (data.mean) lines.push({ text: scaled, small: true });
    if (changed) lines.push({ text: `${said(data, j, data.values[i])} without noise`, small: true });
  } else if (Number.isNaN(data.values[i])) lines.push({ text: data.absent });
  else lines.push({ text: `dropped (was ${said(data, j, data.values[i])})` });
  const attributions = data.overlays.map((_, v) => data[`overlay${v}`][i]);
  data.overlays.forEach((overlay, v) => {
    const a = attributions[v];
    const index = data.prepared[v].index[i];
    const text = a !== a ? `no attribution · ${overlay.label}` : `${a > 0 ? "+" : ""}${formatNumber(a)} · ${overlay.label}`;
    lines.push({ text, rgb: data.vik.subarray(3 * index, 3 * index + 3) });
  });
  lines.push({ text: `row ${s.at.y + 1}, column ${s.at.x + 1}`, small: true });
  return { name: data.names[j], lines, value, attributions };
}

/** A value as the reader knows it: as measured, else on the map's scale. */
function said(data, j, value) {
  return data.mean ? asMeasured(data, j, value) : formatNumber(value);
}

function speak(s, aloud) {
  const about = describe(s);
  showTip(s, about);
  pointAt(s, about.value ?? NaN, about.attributions);
  if (aloud) {
    const where = s.panels.length > 1 ? `${captionOf(s, s.panels[s.at.panel]).name}: ` : "";
    s.$(".gm-live").textContent = where + [about.name, ...about.lines.map((line) => line.text)].join(", ");
  }
}

function showTip(s, about) {
  const tip = s.$(".gm-tip");
  const rows = about.lines.map(({ text, rgb, small }) => {
    const row = element("div");
    if (rgb) {
      const swatch = element("i");
      swatch.style.background = `rgb(${rgb})`;
      row.append(swatch);
    }
    row.append(element(small ? "small" : "span", "", text));
    return row;
  });
  tip.replaceChildren(element("b", "", about.name), ...rows);
  tip.hidden = false;
  const box = s.canvases[s.at.panel].getBoundingClientRect();
  const frame = s.root.getBoundingClientRect();
  const side = s.place.cell / s.ratio;
  const x = box.left - frame.left + (s.place.x + s.at.x * s.place.cell) / s.ratio;
  const y = box.top - frame.top + (s.place.y + s.at.y * s.place.cell) / s.ratio;
  const right = x + side + 12;
  const left = right + tip.offsetWidth > frame.width ? x - tip.offsetWidth - 12 : right;
  tip.style.transform = `translate(${Math.round(Math.max(0, left))}px, ${Math.round(Math.max(0, y + side / 2 - tip.offsetHeight / 2))}px)`;
}

function hideTip(s) {
  s.$(".gm-tip").hidden = true;
}
