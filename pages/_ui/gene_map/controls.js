// The tool bar: sliders with their ticks, the choice of attribution, buttons. Redraws on input, commits on release.

const COMMIT_AFTER = 150; // ms; arrow keys on a slider release it at every step

/** Connects the tool bar of `s` once; `refreshControls` brings it up to date with new data. */
function connectControls(s) {
  const { $ } = s;
  const later = () => {
    clearTimeout(s.committing);
    s.committing = setTimeout(() => commit(s), COMMIT_AFTER);
  };
  const onInput = (change) => () => {
    change();
    s.redraw(true);
  };
  $("#gm-noise").oninput = onInput(() => (s.level = s.stops[+$("#gm-noise").value] / 1000));
  $("#gm-keep").oninput = onInput(() => (s.keep = +$("#gm-keep").value / 100));
  for (const id of ["#gm-noise", "#gm-keep"]) $(id).onchange = later;
  $("#gm-opacity").oninput = onInput(() => (s.opacity = +$("#gm-opacity").value / 100));
  $("#gm-overlay").onchange = () => {
    s.overlay = $("#gm-overlay").value;
    s.rebuildPanels();
    s.redraw(true);
  };
  $(".gm-reset").onclick = () => {
    s.level = 0;
    s.keep = 1;
    s.redraw(true);
    later();
  };
  $(".gm-outlines").onclick = () => {
    s.outlines = !s.outlines;
    s.redraw(false);
  };
  $(".gm-in").onclick = () => s.zoomBy(1.5);
  $(".gm-out").onclick = () => s.zoomBy(1 / 1.5);
  $(".gm-whole").onclick = () => s.zoomBy(0);
  $(".gm-export").onclick = () => savePicture(s);
}

/** Tells Python the numbers that are on the screen. */
function commit(s) {
  s.flush();
  const state = { level: s.level, keep: s.keep, seed: s.data.seed, epoch: s.epoch };
  const text = JSON.stringify(state);
  if (text === s.committed) return;
  s.committed = text;
  s.setStateValue("perturbation", state);
}

function refreshControls(s) {
  const { $, data } = s;
  const offered = (name) => data.controls.includes(name);
  const has = {
    noise: offered("noise") && data.noise !== undefined,
    keep: offered("keep") && data.rank !== undefined,
    overlay: offered("overlay") && data.overlays.length > 0,
    outlines: offered("regions") && data.regions !== undefined,
    zoom: offered("zoom"),
    export: offered("export"),
  };
  for (const [name, shown] of Object.entries(has)) $(`.gm-${name}`).hidden = !shown;
  $(".gm-reset").hidden = !has.noise && !has.keep;
  $(".gm-bar").hidden = !(has.noise || has.keep || has.overlay);
  if (has.noise) {
    s.stops = noiseStops(data.maxLevel);
    $("#gm-noise").max = s.stops.length - 1;
    const marks = [0, ...data.study, 0.5, 1, 2].filter((v, i, all) => v <= data.maxLevel && all.indexOf(v) === i);
    setTicks($(".gm-noise .gm-ticks"), marks.map((v) => ({
      at: s.stops.findIndex((t) => t >= v * 1000 - 1e-6) / (s.stops.length - 1),
      text: data.study.includes(v) && v !== data.study.at(-1) ? String(+(v * 100).toFixed(1)) : percent(v),
      study: data.study.includes(v),
    })));
  }
  if (has.keep) {
    $(".gm-keep label").textContent = `${capital(data.noun)}s kept`;
    setTicks($(".gm-keep .gm-ticks"), [0.01, 0.25, 0.5, 0.75, 1].map((v) => ({ at: (v - 0.01) / 0.99, text: percent(v) })));
  }
  if (has.overlay) fillOverlays(s);
}

function fillOverlays(s) {
  const { data } = s;
  const select = s.$("#gm-overlay");
  const options = [...data.overlays.map((o, i) => [String(i), o.label.split(", ")[0]]), ["none", "Values only"]];
  if (data.overlays.length > 1) options.splice(2, 0, ["both", "Both side by side"]);
  select.replaceChildren(...options.map(([value, text]) => {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = text;
    return option;
  }));
  if (s.overlay === null || !options.some(([value]) => value === s.overlay)) s.overlay = options[0][0];
  select.value = s.overlay;
}

/** Puts positions and read-outs of all controls in step with the state. */
function showControls(s) {
  const { $, data } = s;
  if (data.noise) {
    const index = s.stops.reduce((best, v, i) => (Math.abs(v / 1000 - s.level) < Math.abs(s.stops[best] / 1000 - s.level) ? i : best), 0);
    setSlider($("#gm-noise"), index, `${percent(s.level)} of each ${data.noun}'s standard deviation`);
    $(".gm-noise output").textContent = `${percent(s.level)} of each ${data.noun}’s sd`;
  }
  if (data.rank) {
    setSlider($("#gm-keep"), Math.round(s.keep * 100), `${percent(s.keep)} of the ${data.noun}s kept`);
    $(".gm-keep output").textContent = percent(s.keep);
  }
  setSlider($("#gm-opacity"), Math.round(s.opacity * 100), `${percent(s.opacity)} opaque`);
  $(".gm-overlay output").textContent = s.overlay === "none" ? "off" : percent(s.opacity);
  $("#gm-opacity").disabled = s.overlay === "none";
  $(".gm-reset").disabled = s.level === 0 && s.keep === 1;
  $(".gm-outlines").setAttribute("aria-pressed", String(s.outlines));
  $(".gm-whole").textContent = `${+s.view.zoom.toFixed(1)}×`;
  $(".gm-out").disabled = s.view.zoom <= 1;
}

function setSlider(slider, value, text) {
  if (+slider.value !== value) slider.value = value;
  slider.setAttribute("aria-valuetext", text);
  slider.style.setProperty("--fill", `${((value - slider.min) / (slider.max - slider.min)) * 100}%`);
}

function setTicks(box, ticks) {
  box.replaceChildren(...ticks.map(({ at, text, study }) => {
    const tick = document.createElement("span");
    tick.textContent = text;
    tick.style.left = `${at * 100}%`;
    tick.classList.toggle("gm-study", Boolean(study));
    return tick;
  }));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
