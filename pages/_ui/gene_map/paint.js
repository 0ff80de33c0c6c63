// Values -> pixels, one per cell, as genomap_core/plotting/colour.py colours them. Offscreen; no layout here.

const LIGHT = { blank: "#f0f1f4", missing: [226, 227, 230], hatch: [150, 153, 160], ink: "#1b1d22", paper: "#ffffff" };
const DARK = { blank: "#191c22", missing: [52, 55, 62], hatch: [112, 116, 126], ink: "#f2f3f5", paper: "#0e1117" };

function rgb32(r, g, b) {
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
}

function tableOf(bytes) {
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) table[i] = rgb32(bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2]);
  return table;
}

/** One picture in memory: colours (all omics types below one another) and where the hatching goes. */
function makePicture(data) {
  const [channels, height, width] = data.shape;
  const make = () => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height * channels;
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    return { canvas, context, image, pixels: new Uint32Array(image.data.buffer) };
  };
  const hole = () => ({ ...make(), cells: new Uint32Array(data.features.length), count: 0 });
  return { colour: make(), missing: hole(), dropped: hole(), filled: hole() };
}

/** What does not change with a slider: the tables, and each overlay's colour index and strength. */
function prepare(data) {
  data.table = tableOf(data.lut);
  data.prepared = data.overlays.map((overlay, i) => {
    const values = data[`overlay${i}`];
    const index = new Uint8Array(values.length);
    const strength = new Float64Array(values.length);
    for (let n = 0; n < values.length; n++) {
      const a = Number.isNaN(values[n]) ? 0 : values[n];
      index[n] = Math.max(0, Math.min(255, Math.floor(((a + overlay.limit) / (2 * overlay.limit)) * 256)));
      strength[n] = Math.sqrt(Math.min(1, Math.abs(a) / overlay.limit));
    }
    return { index, strength };
  });
}

/** Colours map `map` with overlay `variant` (-1: none) into `picture`. */
function paint(data, shown, map, variant, opacity, keep, theme, picture) {
  const { cells, table, vik } = data;
  const [low, high] = data.range;
  const span = high - low;
  const count = data.features.length;
  const { colour, missing, dropped, filled } = picture;
  const holes = [missing, dropped, filled];
  const had = holes.map((hole) => hole.count > 0);
  holes.forEach((hole, i) => {
    if (had[i]) hole.pixels.fill(0);
    hole.count = 0;
  });
  const overlay = variant < 0 || opacity === 0 ? null : data.prepared[variant];
  const grey = rgb32(...theme.missing);
  const dark = rgb32(...theme.hatch);
  const width = data.shape[2];
  for (let j = 0, i = map * count; j < count; j++, i++) {
    const x = shown[i];
    const cell = cells[j];
    if (x !== x) {
      const isGone = isDropped(data, j, keep);
      const hole = isGone ? dropped : missing;
      hole.pixels[cell] = 0xffffffff;
      hole.cells[hole.count++] = cell;
      const diagonal = isGone ? cell % width + ((cell / width) | 0) : cell % width - ((cell / width) | 0) + 4096;
      colour.pixels[cell] = diagonal % 3 === 0 ? dark : grey; // seen where cells are too small for lines
      continue;
    }
    if (data.filled?.[i]) {
      filled.pixels[cell] = 0xffffffff;
      filled.cells[filled.count++] = cell;
    }
    let index = (((x - low) / span) * 256) | 0;
    index = index < 0 ? 0 : index > 255 ? 255 : index;
    const base = table[index];
    if (overlay === null) {
      colour.pixels[cell] = base;
      continue;
    }
    const r = base & 255;
    const g = (base >> 8) & 255;
    const b = (base >> 16) & 255;
    const grey8 = 150 + 0.38 * (0.299 * r + 0.587 * g + 0.114 * b);
    const w = opacity * overlay.strength[i];
    const o = overlay.index[i] * 3;
    const r1 = r + opacity * (grey8 - r);
    const g1 = g + opacity * (grey8 - g);
    const b1 = b + opacity * (grey8 - b);
    colour.pixels[cell] = rgb32(
      (r1 + w * (vik[o] - r1) + 0.5) | 0, (g1 + w * (vik[o + 1] - g1) + 0.5) | 0, (b1 + w * (vik[o + 2] - b1) + 0.5) | 0);
  }
  colour.context.putImageData(colour.image, 0, 0);
  holes.forEach((hole, i) => {
    if (had[i] || hole.count) hole.context.putImageData(hole.image, 0, 0);
  });
}

const patterns = new Map();

/** Diagonal lines: rising where missing, falling where dropped, over the colour where a value was `filled` in. */
function hatchPattern(context, theme, ratio, falling, filled = false) {
  const key = `${theme.missing} ${ratio} ${falling} ${filled}`;
  if (!patterns.has(key)) patterns.set(key, makeHatch(context, theme, ratio, falling, filled));
  return patterns.get(key);
}

function makeHatch(context, theme, ratio, falling, filled) {
  const side = Math.max(4, Math.round(6 * ratio));
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.fillStyle = `rgb(${theme.missing})`;
  if (!filled) pen.fillRect(0, 0, side, side);
  pen.strokeStyle = `rgb(${theme.hatch})`;
  pen.lineWidth = Math.max(1, 1.1 * ratio);
  pen.lineCap = "square";
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift, falling ? 0 : side);
    pen.lineTo(shift + side, falling ? side : 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
