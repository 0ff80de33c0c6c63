// The current picture as a PNG, four times as large, with its legend and the research-use line burned in.

const EXPORT_SCALE = 4;
const LARGEST_SIDE = 12000; // what browsers draw safely

function savePicture(s) {
  s.flush();
  const canvas = composePicture(s);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "gene-map.png"; // no patient's name in a file name
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

function composePicture(s) {
  const { data } = s;
  const panelWidth = s.size.width / s.ratio;
  const panelHeight = s.size.height / s.ratio;
  const across = Math.min(s.across, s.panels.length);
  const down = Math.ceil(s.panels.length / across);
  const margin = 24;
  const scales = scalesOf(data, s.variants);
  const width = Math.max(across * panelWidth + (across - 1) * GAP, 440) + 2 * margin;
  const titleHeight = data.title ? 30 : 0;
  const legendTop = margin + titleHeight + down * (panelHeight + CAPTION) + (down - 1) * GAP + 20;
  const perRow = Math.max(1, Math.floor((width - 2 * margin + 32) / 292));
  const legendRows = Math.ceil(scales.length / perRow);
  const height = legendTop + legendRows * 64 + 62;
  const ratio = Math.min(EXPORT_SCALE, LARGEST_SIDE / width, LARGEST_SIDE / height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.fillStyle = LIGHT.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const write = (text, x, y, size, { weight = 400, colour = LIGHT.ink, align = "left" } = {}) => {
    context.font = `${weight} ${size * ratio}px ${s.font}`;
    context.fillStyle = colour;
    context.textAlign = align;
    context.textBaseline = "alphabetic";
    context.fillText(text, x * ratio, y * ratio);
    return context.measureText(text).width / ratio;
  };
  if (data.title) write(data.title, margin, margin + 16, 17, { weight: 600 });
  s.panels.forEach((panel, n) => {
    const x = margin + (n % across) * (panelWidth + GAP);
    const y = margin + titleHeight + Math.floor(n / across) * (panelHeight + CAPTION + GAP);
    const { name, detail } = captionOf(s, panel);
    const used = write(name, x, y + 14, 13, { weight: 600 });
    if (detail) write(` · ${detail}`, x + used, y + 14, 13, { colour: "#555963" });
    const box = { x: Math.round(x * ratio), y: Math.round((y + CAPTION) * ratio), width: Math.round(panelWidth * ratio), height: Math.round(panelHeight * ratio) };
    const grow = ratio / s.ratio;
    const place = { cell: s.place.cell * grow, x: Math.round(s.place.x * grow), y: Math.round(s.place.y * grow) };
    const picture = makePicture(data);
    paint(data, s.shown, panel.map, panel.variant, s.opacity, s.keep, LIGHT, picture);
    drawPanel(context, box, { ...s.job(panel, picture), place, ratio, theme: LIGHT, cursor: null });
    context.strokeStyle = "#b9bcc4";
    context.lineWidth = ratio;
    context.strokeRect(box.x, box.y, box.width, box.height);
  });
  scales.forEach((scale, n) => {
    const x = margin + (n % perRow) * 292;
    const y = legendTop + Math.floor(n / perRow) * 64;
    write(scale.note ? `${scale.title} · ${scale.note}` : scale.title, x, y + 10, 12, { weight: 600 });
    drawScale(context, scale, x, y + 18, 260, ratio, write);
  });
  const disturbed = [
    s.level > 0 && `noise ${percent(s.level)} of each ${data.noun}'s standard deviation`,
    s.keep < 1 && `${percent(s.keep)} of the ${data.noun}s kept`,
  ].filter(Boolean);
  const foot = legendTop + legendRows * 64;
  const hatching = data.filled ? "hatched in colour: filled from the others" : `hatched: ${data.absent} or dropped`;
  write([...disturbed, hatching].join(" · "), margin, foot + 14, 12, { colour: "#555963" });
  write(data.research, margin, foot + 38, 12, { weight: 600 });
  return canvas;
}

function drawScale(context, scale, x, y, width, ratio, write) {
  context.imageSmoothingEnabled = true;
  context.drawImage(strip(scale.bytes), x * ratio, y * ratio, width * ratio, 11 * ratio);
  const { ticks, step } = ticksOf(scale.low, scale.high, 5);
  for (const value of ticks) {
    const at = x + ((value - scale.low) / (scale.high - scale.low)) * width;
    context.fillStyle = LIGHT.ink;
    context.fillRect((at - 0.5) * ratio, (y + 11) * ratio, ratio, 4 * ratio);
    write(tickLabel(value, step), at, y + 27, 11, { align: "center" });
  }
}
