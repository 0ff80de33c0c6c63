// The legend: colour bars with units and ticks, what hatching means, and how to read the map without a mouse.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A 256-pixel strip of one colour table. */
function strip(bytes) {
  const canvas = element("canvas");
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const image = context.createImageData(256, 1);
  new Uint32Array(image.data.buffer).set(tableOf(bytes));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The scales that the legend shows, for the screen and for a saved picture. */
function scalesOf(data, variants) {
  const [low, high] = data.range;
  const several = data.maps > 1 ? "for all maps" : "";
  const scales = [{ title: data.unit, note: several, low, high, bytes: data.lut, ends: null }];
  for (const v of variants.filter((i) => i >= 0)) {
    const { label, limit } = data.overlays[v];
    scales.push({ title: "Attribution", note: label, low: -limit, high: limit, bytes: data.vik, ends: ["against", "in favour"] });
  }
  return scales;
}

function scaleBox(scale) {
  const box = element("div", "gm-scale");
  const title = element("h4", scale.ends ? "gm-signed" : "", scale.ends ? undefined : scale.title);
  if (scale.ends) title.append(element("span", "", scale.ends[0]), scale.title, element("span", "", scale.ends[1]));
  else if (scale.note) title.append(element("span", "", ` · ${scale.note}`));
  title.title = [scale.title, scale.note].filter(Boolean).join(" · ");
  const colours = element("div", "gm-colours");
  const edge = (i) => `rgb(${scale.bytes[3 * i]} ${scale.bytes[3 * i + 1]} ${scale.bytes[3 * i + 2]})`;
  colours.style.setProperty("--low", edge(0));
  colours.style.setProperty("--high", edge(255));
  const pointer = element("div", "gm-pointer");
  pointer.hidden = true;
  const canvas = strip(scale.bytes);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${scale.title}: from ${formatNumber(scale.low)} to ${formatNumber(scale.high)}; values beyond take the end colours`);
  colours.append(canvas, pointer);
  const marks = element("div", "gm-ticks");
  const { ticks, step } = ticksOf(scale.low, scale.high, 5);
  setTicks(marks, ticks.map((v) => ({ at: (v - scale.low) / (scale.high - scale.low), text: tickLabel(v, step) })));
  if (scale.low < 0 && scale.high > 0) {
    const zero = element("div", "gm-zero");
    zero.style.left = `${(-scale.low / (scale.high - scale.low)) * 100}%`;
    colours.append(zero);
  }
  box.append(title, colours, marks);
  return { box, pointer, scale };
}

function buildLegend(s) {
  const { data } = s;
  const legend = s.$(".gm-legend");
  s.scales = scalesOf(data, s.variants).map(scaleBox);
  s.holes = element("div", "gm-holes");
  const keys = data.maps === 1 ? "" : ", Page keys change map";
  const wheel = data.controls.includes("zoom") ? " In a focused map the wheel and + − 0 zoom, dragging moves." : "";
  s.$(".gm-hint").textContent = `Click a cell to choose its ${data.noun}. Arrow keys walk, Enter chooses${keys}.${wheel}`;
  legend.replaceChildren(...s.scales.map((x) => x.box), s.holes);
  s.holesShown = null;
}

/** How many cells are hatched, over all maps' features. */
function showHoles(s) {
  const { data } = s;
  let dropped = 0;
  for (let j = 0; j < data.features.length; j++) dropped += isDropped(data, j, s.keep);
  const count = (kind) => s.pictures.reduce((sum, p) => sum + (p.variant === s.variants[0] ? p.picture[kind].count : 0), 0);
  const missing = count("missing");
  const filled = count("filled");
  const key = `${dropped} ${missing} ${filled} ${s.theme.blank}`;
  if (key === s.holesShown) return;
  s.holesShown = key;
  const rows = [];
  const many = data.maps > 1 ? " in all maps" : "";
  if (missing) rows.push([false, `${data.absent}: ${missing.toLocaleString("en")} value${missing === 1 ? "" : "s"}${many}`]);
  if (dropped) rows.push([true, `dropped: ${dropped.toLocaleString("en")} of ${data.features.length.toLocaleString("en")} ${data.noun}s`]);
  if (filled) rows.push([false, `filled from the others: ${filled.toLocaleString("en")} value${filled === 1 ? "" : "s"}${many}`, true]);
  s.holes.replaceChildren(...rows.map(([falling, text, over]) => {
    const row = element("div");
    const canvas = element("canvas");
    canvas.width = canvas.height = Math.round(16 * s.ratio);
    canvas.style.width = canvas.style.height = "16px";
    const context = canvas.getContext("2d");
    context.fillStyle = hatchPattern(context, s.theme, s.ratio, falling, over);
    context.fillRect(0, 0, canvas.width, canvas.height);
    row.append(canvas, element("span", "", text));
    return row;
  }));
  s.holes.hidden = rows.length === 0;
}

/** Small triangles on the colour bars at the numbers of one cell. */
function pointAt(s, value, attributions) {
  const numbers = [value, ...s.variants.filter((v) => v >= 0).map((v) => attributions?.[v] ?? NaN)];
  s.scales.forEach(({ pointer, scale }, i) => {
    const at = (numbers[i] - scale.low) / (scale.high - scale.low);
    pointer.hidden = Number.isNaN(at);
    pointer.style.left = `${Math.max(0, Math.min(1, at)) * 100}%`;
  });
}
