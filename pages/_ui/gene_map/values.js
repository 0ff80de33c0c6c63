// Bytes -> arrays, and the perturbation of genomap_core/data/perturb.py, bit for bit. No DOM here.

const ARRAY_TYPES = {
  float32: Float32Array, int16: Int16Array, int8: Int8Array, uint8: Uint8Array, uint32: Uint32Array, int32: Int32Array,
};
const MISSING_CODE = -32768;

function digestOf(block) {
  let text = "";
  for (let i = 4; i < 36; i++) text += block[i].toString(16).padStart(2, "0");
  return text;
}

/** The blocks of a message of packing.py: key -> bytes. */
function blocksOf(bytes) {
  const length = lengthOf(bytes);
  let offset = padded(4 + length);
  const listed = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return Object.fromEntries(listed.map(([key, size]) => [key, bytes.subarray(offset, (offset += size))]));
}

const lengthOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
const padded = (size) => Math.ceil(size / 4) * 4;

const seen = new Map(); // by digest: the last blocks, parsed; outlives a map on the page
const MOST_SEEN = 8;

/** What a block holds, or was sent before under its digest; undefined if it, or the common part, is not here. */
function dataOf(block) {
  const digest = digestOf(block);
  const data = seen.get(digest) ?? (lengthOf(block) ? parse(block) : undefined);
  seen.delete(digest); // the last used is the last to go
  if (data) seen.set(digest, data);
  if (seen.size > MOST_SEEN) seen.delete(seen.keys().next().value);
  return data;
}

const commons = new Map(); // by digest: copies of what all patients of a layout share; outlives a map on the page
const MOST_COMMONS = 4;

/** The common part that `block` brings or names; undefined if it is named only and not here. */
function commonOf(block) {
  const common = !block.commonParts ? commons.get(block.common)
    : Object.fromEntries(block.commonParts.filter((name) => name in block).map((name) => [name, block[name].slice?.() ?? block[name]]));
  commons.delete(block.common); // the last used is the last to go
  if (common) commons.set(block.common, common);
  if (commons.size > MOST_COMMONS) commons.delete(commons.keys().next().value);
  return common;
}

/**
 * Header and arrays of a block; undefined if the common part is not here.
 * Rounded maps are decoded, so that all maps are one Float32Array.
 */
function parse(bytes) {
  const length = lengthOf(bytes);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(36, 36 + length)));
  const body = bytes.slice(padded(36 + length)).buffer;
  const arrays = {};
  let offset = 0;
  for (const [name, type, size] of header.arrays) {
    arrays[name] = new ARRAY_TYPES[type](body, offset, size);
    offset += padded(arrays[name].byteLength);
  }
  const common = commonOf({ ...header, ...arrays });
  if (!common) return undefined;
  const data = { ...header, digest: digestOf(bytes), ...arrays, ...common };
  data.values = decoded(data.values, data.rounded, (code) =>
    code === MISSING_CODE ? NaN : (code + 32500) * data.step + data.low);
  if (data.noise) data.noise = decoded(data.noise, data.roundedNoise, (code) => code * data.noiseStep);
  data.featureAt = new Int32Array(data.shape[0] * data.shape[1] * data.shape[2]).fill(-1);
  for (let j = 0; j < data.features.length; j++) data.featureAt[data.cells[j]] = j;
  return data;
}

function decoded(exact, codes, value) {
  if (!codes.length) return exact;
  const all = new Float32Array(exact.length + codes.length);
  all.set(exact);
  for (let i = 0; i < codes.length; i++) all[exact.length + i] = value(codes[i]);
  return all;
}

/** Fills `shown` (maps x features): value + level * sd * noise; NaN where missing or dropped. */
function perturb(data, level, keep, shown) {
  const { values, noise, rank, scale } = data;
  const count = data.features.length;
  const strength = Math.fround(level);
  const share = Math.fround(keep);
  for (let j = 0; j < count; j++) {
    const dropped = rank !== undefined && !(rank[j] < share);
    const amplitude = noise === undefined ? 0 : Math.fround(strength * scale[j]);
    for (let i = j; i < shown.length; i += count) {
      shown[i] = dropped ? NaN : noise === undefined ? values[i] : values[i] + Math.fround(amplitude * noise[i]);
    }
  }
}

function isDropped(data, feature, keep) {
  return data.rank !== undefined && !(data.rank[feature] < Math.fround(keep));
}

/** The stops of the noise slider in thousandths: fine where the study's levels are, coarse towards 200 %. */
function noiseStops(most) {
  const stops = [];
  for (let v = 0; v < most * 1000; v += v < 200 ? 5 : v < 500 ? 10 : v < 1000 ? 25 : 50) stops.push(v);
  stops.push(Math.round(most * 1000));
  return stops;
}

function formatNumber(x) {
  const size = Math.abs(x);
  let text;
  if (size === 0) text = "0";
  else if (size >= 1e6 || size < 1e-3) text = x.toExponential(1);
  else text = x.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4);
  return text.replaceAll("-", "−");
}

/** A standardised value in the units of the table, or the word that it stands for. */
function asMeasured(data, j, value) {
  let raw = value * data.spread[j] + data.mean[j];
  if (Math.abs(raw) < 1e-5 * data.spread[j]) raw = 0; // what rounding leaves of it
  const word = data.words[j]?.find(([code]) => Math.abs(code - raw) < 1e-3);
  if (word) return word[1];
  const text = Math.abs(raw) >= 1e4 ? Math.round(raw).toLocaleString("en") : String(+raw.toPrecision(4));
  return `${text} ${data.units[data.units.length === 1 ? 0 : j]}`.trim().replaceAll("-", "−");
}

function percent(share) {
  return `${+(share * 100).toFixed(1)} %`;
}

/** Round numbers within [low, high], as genomap_core/plotting/colour.py chooses them. */
function ticksOf(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.7);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) ticks.push(i * step);
  return { ticks, step };
}

function tickLabel(value, step) {
  if (step < 1e-4 || step >= 1e6) return formatNumber(value);
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))).replace("-", "−");
}
