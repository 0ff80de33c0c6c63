// Fisher-KPP on a grid without flux through its borders: the explicit scheme of genomap_core.models.reaction_diffusion,
// with one D and one rho, in cells and steps. A test compares the two.

/** Frames 0..steps, each height * width, from the first one. */
function growFrames(first, height, width, diffusion, rate, steps, substeps) {
  const frames = [Float32Array.from(first)];
  let u = Float64Array.from(first);
  let next = new Float64Array(u.length);
  const d = diffusion / substeps, r = rate / substeps;
  for (let k = 0; k < steps; k++) {
    for (let j = 0; j < substeps; j++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const i = y * width + x, c = u[i];
          let flux = 0;
          if (y > 0) flux += u[i - width] - c;
          if (y < height - 1) flux += u[i + width] - c;
          if (x > 0) flux += u[i - 1] - c;
          if (x < width - 1) flux += u[i + 1] - c;
          const spread = c + d * flux;
          next[i] = spread + r * spread * (1 - spread);
        }
      }
      [u, next] = [next, u];
    }
    frames.push(Float32Array.from(u));
  }
  return frames;
}

/** Line segments [x0, y0, x1, y1, ...] in cells where the density passes `level`: marching squares on cell centres. */
function contour(u, height, width, level) {
  const lines = [];
  const cut = (a, b) => (level - a) / (b - a);
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0; x < width - 1; x++) {
      const i = y * width + x;
      const a = u[i], b = u[i + 1], c = u[i + width + 1], d = u[i + width];
      const code = (a >= level) | ((b >= level) << 1) | ((c >= level) << 2) | ((d >= level) << 3);
      if (code === 0 || code === 15) continue;
      const top = [x + 0.5 + cut(a, b), y + 0.5], right = [x + 1.5, y + 0.5 + cut(b, c)];
      const bottom = [x + 0.5 + cut(d, c), y + 1.5], left = [x + 0.5, y + 0.5 + cut(a, d)];
      const crossed = [];
      if ((a >= level) !== (b >= level)) crossed.push(top);
      if ((b >= level) !== (c >= level)) crossed.push(right);
      if ((d >= level) !== (c >= level)) crossed.push(bottom);
      if ((a >= level) !== (d >= level)) crossed.push(left);
      for (let k = 0; k + 1 < crossed.length; k += 2) lines.push(...crossed[k], ...crossed[k + 1]);
    }
  }
  return lines;
}

/** Share of the cells at or above `level`. */
function shareAbove(u, level) {
  let n = 0;
  for (const v of u) n += v >= level;
  return n / u.length;
}
