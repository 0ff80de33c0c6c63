// Geometry of the panels and drawing one of them at any scale: on the screen, and four times larger for a file.

const GAP = 16; // CSS pixels between panels
const CAPTION = 22; // CSS pixels above a panel
const HATCH_FROM = 5; // device pixels a cell needs for hatching
const GRID_FROM = 16; // CSS pixels a cell needs for grid lines
const NAME_FROM = 46; // CSS pixels a cell needs for its feature's name
const ONE_BY_ONE = 1500; // hatched cells up to which single rectangles are faster than a mask
const MAX_CELL = 96; // CSS pixels

/** One panel for each map x overlay x omics type. */
function panelList(data, variants) {
  const list = [];
  for (let map = 0; map < data.maps; map++)
    for (const variant of variants)
      for (let channel = 0; channel < data.shape[0]; channel++) list.push({ map, variant, channel });
  return list;
}

/** A single attribution is named in the legend, not again over every panel. */
function captionOf({ data, variants }, panel) {
  const several = variants.length > 1;
  const parts = [data.channels[panel.channel], several ? data.overlays[panel.variant].label : ""];
  return { name: data.labels[panel.map], detail: parts.filter(Boolean).join(" · ") };
}

/** Device pixels a cell: whole ones where that fits, a fraction only when the map is larger than its place. */
function cellSize(room, tall, width, height) {
  const fit = Math.min(room / width, tall / height);
  const up = Math.ceil(fit);
  const slack = up <= 2 ? 1.3 : 1.12; // rather a little too tall than a fifth too small
  if (up * width <= room && up * height <= tall * slack) return up;
  return fit >= 1 ? Math.floor(fit) : fit;
}

/** Columns and cell size that show `count` panels largest in `width` CSS pixels, `group` of them a patient. */
function arrange(data, count, group, width, ratio) {
  const [, rows, columns] = data.shape;
  const tallest = count === 1 ? data.height : Math.max(data.height, 640);
  let best = null;
  const tries = data.columns ? [Math.min(data.columns, count)] : Array.from({ length: count }, (_, i) => i + 1);
  for (const across of tries) {
    const down = Math.ceil(count / across);
    const room = ((width - (across - 1) * GAP) / across) * ratio;
    const tall = data.columns ? data.height * ratio : Math.min(data.height, tallest / down) * ratio;
    if (room < 24 || tall < 24) continue;
    const cell = cellSize(room, tall, columns, rows);
    const whole = across % group === 0 || group % across === 0 ? 1 : 0.7; // keep a patient's panels together
    if (!best || cell * whole > best.score || (cell * whole === best.score && across > best.across && down > 1))
      best = { across, cell, score: cell * whole };
  }
  return best ?? { across: 1, cell: cellSize(width * ratio, data.height * ratio, columns, rows) };
}

/** Where a panel's picture lies on its canvas for the present zoom: cell size and origin, device pixels. */
function placeOf(data, view, fit, canvasWidth, canvasHeight, ratio) {
  const [, rows, columns] = data.shape;
  const cell = view.zoom <= 1 ? fit : Math.max(fit, Math.min(Math.round(fit * view.zoom), Math.round(MAX_CELL * ratio)));
  const clamp = (center, cells, side) =>
    cells * cell <= side ? (side - cells * cell) / 2 : Math.min(0, Math.max(side - cells * cell, side / 2 - center * cell));
  return {
    cell,
    x: Math.round(clamp(view.x, columns, canvasWidth)),
    y: Math.round(clamp(view.y, rows, canvasHeight)),
  };
}

/** Edges between cells of different regions, as one path in cell coordinates for each omics type. */
function regionPaths(data) {
  const [channels, rows, columns] = data.shape;
  const label = (c, y, x) => {
    if (x < 0 || y < 0 || x >= columns || y >= rows) return -2;
    const j = data.featureAt[(c * rows + y) * columns + x];
    return j < 0 ? -2 : data.regions[j];
  };
  return Array.from({ length: channels }, (_, c) => {
    const path = new Path2D();
    for (let y = 0; y <= rows; y++)
      for (let x = 0; x <= columns; x++) {
        const here = label(c, y, x);
        if (here !== label(c, y, x - 1) && y < rows) {
          path.moveTo(x, y);
          path.lineTo(x, y + 1);
        }
        if (here !== label(c, y - 1, x) && x < columns) {
          path.moveTo(x, y);
          path.lineTo(x + 1, y);
        }
      }
    return path;
  });
}

/** Where each named region may be written, for each omics type: its cells, those nearest to its middle first; largest first. */
function regionSpots(data) {
  const [channels, rows, columns] = data.shape;
  return Array.from({ length: channels }, (_, c) => data.regionNames.map((name, region) => {
    const cells = [];
    for (let at = c * rows * columns; at < (c + 1) * rows * columns; at++)
      if (data.featureAt[at] >= 0 && data.regions[data.featureAt[at]] === region)
        cells.push([at % columns, Math.floor(at / columns) % rows]);
    if (!cells.length) return null;
    const [mx, my] = [0, 1].map((k) => cells.reduce((sum, cell) => sum + cell[k], 0) / cells.length);
    const far = ([x, y]) => (x - mx) ** 2 + (y - my) ** 2;
    return { name, lines: halves(name), cells: cells.sort((a, b) => far(a) - far(b)) };
  }).filter(Boolean).sort((a, b) => b.cells.length - a.cells.length));
}

/**
 * Draws one panel into `box` of a context, in that context's pixels.
 * job: {data, shown, picture, panel, place, ratio, theme, regions (path or null), spots, highlighted, selected, cursor}
 */
function drawPanel(context, box, job) {
  const { data, picture, panel, place, ratio, theme } = job;
  const [, rows, columns] = data.shape;
  const { cell } = place;
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  context.fillStyle = theme.blank;
  context.fillRect(box.x, box.y, box.width, box.height);
  const x0 = Math.max(0, Math.floor(-place.x / cell));
  const y0 = Math.max(0, Math.floor(-place.y / cell));
  const x1 = Math.min(columns, Math.ceil((box.width - place.x) / cell));
  const y1 = Math.min(rows, Math.ceil((box.height - place.y) / cell));
  const seen = { x0, y0, x1, y1, left: box.x + place.x, top: box.y + place.y, cell };
  stamp(context, picture.colour.canvas, panel.channel * rows, seen);
  if (cell >= HATCH_FROM) {
    hatch(context, box, picture.missing, seen, job, false);
    hatch(context, box, picture.dropped, seen, job, true);
    hatch(context, box, picture.filled, seen, job, false, true);
  }
  if (cell >= GRID_FROM * ratio) gridLines(context, seen, theme, ratio);
  if (job.regions) outline(context, job.regions, seen, ratio);
  const named = cell >= NAME_FROM * ratio;
  if (named) cellNames(context, seen, job);
  panel.written = !named && job.regions ? regionNames(context, seen, job) : [];
  marks(context, seen, job);
  context.restore();
}

function stamp(context, source, offset, seen) {
  const { x0, y0, x1, y1, left, top, cell } = seen;
  context.imageSmoothingEnabled = cell < 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(source, x0, y0 + offset, x1 - x0, y1 - y0,
    left + x0 * cell, top + y0 * cell, (x1 - x0) * cell, (y1 - y0) * cell);
}

let scratch = null;

/** Few cells are filled one by one, many through a mask. */
function hatch(context, box, hole, seen, job, falling, filled = false) {
  const [, rows, columns] = job.data.shape;
  const offset = job.panel.channel * rows;
  if (hole.count > ONE_BY_ONE) return hatchMask(context, box, hole.canvas, offset, seen, job, falling, filled);
  if (hole.count) context.fillStyle = hatchPattern(context, job.theme, job.ratio, falling, filled);
  for (let i = 0; i < hole.count; i++) {
    const x = hole.cells[i] % columns;
    const y = Math.floor(hole.cells[i] / columns) - offset;
    if (x < seen.x0 || x >= seen.x1 || y < seen.y0 || y >= seen.y1) continue;
    context.fillRect(seen.left + x * seen.cell, seen.top + y * seen.cell, seen.cell, seen.cell);
  }
}

function hatchMask(context, box, mask, offset, seen, job, falling, filled) {
  scratch ??= document.createElement("canvas");
  if (scratch.width < box.width) scratch.width = box.width;
  if (scratch.height < box.height) scratch.height = box.height;
  const pen = scratch.getContext("2d");
  pen.globalCompositeOperation = "source-over";
  pen.clearRect(0, 0, box.width, box.height);
  stamp(pen, mask, offset, { ...seen, left: seen.left - box.x, top: seen.top - box.y });
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = hatchPattern(pen, job.theme, job.ratio, falling, filled);
  pen.fillRect(0, 0, box.width, box.height);
  context.drawImage(scratch, 0, 0, box.width, box.height, box.x, box.y, box.width, box.height);
}

function gridLines(context, seen, theme, ratio) {
  const { x0, y0, x1, y1, left, top, cell } = seen;
  context.fillStyle = theme.paper;
  context.globalAlpha = 0.5;
  const thin = Math.max(1, Math.round(ratio));
  for (let x = x0; x <= x1; x++) context.fillRect(Math.round(left + x * cell), top + y0 * cell, thin, (y1 - y0) * cell);
  for (let y = y0; y <= y1; y++) context.fillRect(left + x0 * cell, Math.round(top + y * cell), (x1 - x0) * cell, thin);
  context.globalAlpha = 1;
}

function outline(context, path, seen, ratio) {
  context.save();
  context.translate(seen.left, seen.top);
  context.scale(seen.cell, seen.cell);
  context.lineCap = "square";
  const strokes = seen.cell >= 3 * ratio ? [["rgba(255,255,255,.75)", 2.6], ["rgba(20,22,28,.9)", 1.1]] : [["rgba(255,255,255,.6)", 1]];
  for (const [colour, width] of strokes) {
    context.strokeStyle = colour;
    context.lineWidth = (width * ratio) / seen.cell;
    context.stroke(path);
  }
  context.restore();
}

/** A name of several words in the two lines that are most alike in length. */
function halves(name) {
  const cuts = [...name.matchAll(/[ -]/g)].map((found) => found.index + 1);
  if (!cuts.length || name.length < 12) return [name];
  const cut = cuts.reduce((best, at) => (Math.abs(at - name.length / 2) < Math.abs(best - name.length / 2) ? at : best));
  return [name.slice(0, cut).trim(), name.slice(cut)];
}

/** Writes names whole and apart, and gives where; one that finds no free place in its region is left to the table. */
function regionNames(context, seen, job) {
  const size = 12 * job.ratio;
  context.font = `600 ${size}px ${job.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3.5 * job.ratio;
  context.strokeStyle = "rgba(255,255,255,.92)";
  context.fillStyle = "#14161a";
  const [right, bottom] = [seen.left + seen.x1 * seen.cell, seen.top + seen.y1 * seen.cell];
  const [left, top] = [seen.left + seen.x0 * seen.cell, seen.top + seen.y0 * seen.cell];
  const taken = [];
  for (const { lines, cells } of job.spots) {
    const half = Math.max(...lines.map((line) => context.measureText(line).width)) / 2 + 2 * job.ratio;
    const tall = (lines.length * size * 1.15) / 2 + job.ratio;
    if (2 * half > right - left || 2 * tall > bottom - top) continue;
    for (const cell of cells) {
      const x = clampTo(seen.left + (cell[0] + 0.5) * seen.cell, left + half, right - half);
      const y = clampTo(seen.top + (cell[1] + 0.5) * seen.cell, top + tall, bottom - tall);
      if (taken.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < box.tall + tall)) continue;
      taken.push({ name: lines.join(" "), x, y, half, tall });
      lines.forEach((line, k) => {
        const at = y + (k - (lines.length - 1) / 2) * size * 1.15;
        context.strokeText(line, x, at);
        context.fillText(line, x, at);
      });
      break;
    }
  }
  return taken;
}

function clampTo(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

function cellNames(context, seen, job) {
  const { data, panel, ratio, shown } = job;
  const [, rows, columns] = data.shape;
  const { cell } = seen;
  const size = Math.min(13, Math.max(10, cell / ratio / 7)) * ratio;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let y = seen.y0; y < seen.y1; y++)
    for (let x = seen.x0; x < seen.x1; x++) {
      const at = (panel.channel * rows + y) * columns + x;
      const j = data.featureAt[at];
      if (j < 0) continue;
      const pixel = job.picture.colour.pixels[at];
      const light = 0.299 * (pixel & 255) + 0.587 * ((pixel >> 8) & 255) + 0.114 * ((pixel >> 16) & 255);
      const value = shown[panel.map * data.features.length + j];
      context.fillStyle = value !== value ? job.theme.ink : light > 140 ? "#14161a" : "#ffffff";
      const middle = seen.top + (y + 0.5) * cell;
      const two = cell >= 60 * ratio;
      const center = seen.left + (x + 0.5) * cell;
      context.font = `600 ${size}px ${job.font}`;
      context.fillText(shorten(context, data.names[j], cell - 8 * ratio), center, two ? middle - size * 0.65 : middle);
      if (!two) continue;
      context.font = `${size}px ${job.font}`;
      context.fillText(value !== value ? "–" : shorten(context, said(data, j, value), cell - 6 * ratio), center, middle + size * 0.75);
    }
}

function shorten(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = Math.min(text.length, 24);
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end--;
  return `${text.slice(0, end)}…`;
}

function marks(context, seen, job) {
  const { data, panel, ratio } = job;
  const [, rows, columns] = data.shape;
  const spot = (j) => {
    const cell = data.cells[j];
    if (Math.floor(cell / (rows * columns)) !== panel.channel) return null;
    return { x: cell % columns, y: Math.floor(cell / columns) % rows };
  };
  for (const j of job.highlighted) {
    const at = spot(j);
    if (at) ring(context, seen, at, ratio);
  }
  if (job.selected >= 0 && spot(job.selected)) frame(context, seen, spot(job.selected), ratio, 3);
  if (job.cursor) frame(context, seen, job.cursor, ratio, 1.5);
}

function ring(context, seen, at, ratio) {
  const large = seen.cell > 30 * ratio; // then a ring would cross the neighbours
  const radius = large ? seen.cell / 2 - 5 * ratio : Math.max(7 * ratio, seen.cell * 0.72);
  const x = seen.left + (at.x + 0.5) * seen.cell;
  const y = seen.top + (at.y + 0.5) * seen.cell;
  for (const [colour, width] of [["#ffffff", 4], ["#c2185b", 2]]) {
    context.beginPath();
    if (large) context.roundRect(x - radius, y - radius, 2 * radius, 2 * radius, 8 * ratio);
    else context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.stroke();
  }
}

function frame(context, seen, at, ratio, width) {
  const pad = Math.max(0, (6 * ratio - seen.cell) / 2) + ratio;
  const side = seen.cell + 2 * pad;
  for (const [colour, wide] of [["#ffffff", width + 2], ["#14161a", width]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide * ratio;
    context.strokeRect(seen.left + at.x * seen.cell - pad, seen.top + at.y * seen.cell - pad, side, side);
  }
}
