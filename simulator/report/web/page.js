// The page: reads the numbers, shows the view that the link names, and reacts to the reader.

let DATA;
function read(data) {
  DATA = data;
  for (const scenario of DATA.scenarios) scenario.origin = Date.parse(scenario.origin);
}
read(JSON.parse(document.getElementById("data").textContent));
const main = document.getElementById("view");
const HOME = DATA.lesson ? DATA.lesson.title : "Simulation results";
document.querySelector(".home").textContent = HOME;
// Paper is light, and what is on a canvas keeps the colours that it was drawn in.
for (const name of ["beforeprint", "afterprint"]) {
  addEventListener(name, () => document.documentElement.classList.toggle("printing", name === "beforeprint"));
}
const say = (text) => { document.getElementById("spoken").textContent = text; };

// What a variant's runs need to be drawn; made when it is first looked at.
function laneOf(variant) {
  if (variant.lane) return variant.lane;
  const runs = variant.runs.map((row, index) => readRun(row, index, DATA.texts));
  const notes = variant.notes.map((row) => readNote(row, DATA.texts));
  const until = variant.until ?? 0, faults = new Map(), hasChildren = new Uint8Array(runs.length);
  for (const run of runs) if (run.parent >= 0) hasChildren[run.parent] = 1;
  for (const note of notes) {
    if (note.kind !== "fault" || note.run < 0) continue;
    faults.set(note.run, [...(faults.get(note.run) || []), note]);
  }
  const bands = notes.filter((note) => note.kind === "away" || (note.kind === "fault" && note.run < 0))
    .map((note) => ({ at: note.at, until: note.until ?? (note.kind === "away" ? until : note.at) }));
  const due = [...new Set(runs.filter((run) => run.bySchedule && run.scheduled !== null).map((run) => run.scheduled))].sort((a, b) => a - b);
  const tables = variant.tables.map(([name, written]) =>
    ({ name, written, most: written.reduce((most, at, i) => Math.max(most, (written[i + 1] ?? until) - at), 0) }));
  variant.lane = { variant, runs, notes, until, faults, bands, due, tables, hasChildren, folded: new Set(),
    extents: runs.map((run) => extent(run, until)), shown: [], rows: [], promises: brokenPromises(variant) };
  return variant.lane;
}

// The time axis of a scenario with a lane for each variant, or for a chosen one and what that is compared with.
// `asked`: what the link says of cycles.
function timeline(scenario, chosen, sought, asked = new URLSearchParams()) {
  const compared = chosen && besides(scenario, chosen).length > 0;
  if (compared) scenario = { ...scenario, partings: chosen.partings };
  const lanes = (chosen ? [chosen, ...besides(scenario, chosen)] : scenario.variants).map(laneOf);
  const edges = lanes.flatMap((lane) => [...lane.extents.flat(), lane.until]).filter((at) => at !== null);
  const whole = { from: edges.reduce((a, b) => Math.min(a, b), Infinity), to: edges.reduce((a, b) => Math.max(a, b), -Infinity) };
  if (!(whole.to > whole.from)) whole.to = whole.from + 1;
  whole.to += (whole.to - whole.from) * 0.02;
  const length = cycleLength(whole.from, whole.to), canFold = whole.to - whole.from > CAN_FOLD;
  const startsFolded = whole.to - whole.from > STARTS_FOLDED;
  const view = { ...whole, selected: null, cell: null, cycle: length,
    folded: canFold && !sought && !asked.has("at") && (asked.has("folded") || (startsFolded && !asked.has("runs"))) };
  const filter = { flow: "", state: "" };
  const axis = el("canvas", { "aria-hidden": "true" });
  const oldest = Math.max(1, ...lanes.flatMap((lane) => lane.tables.map((table) => table.most)));
  const link = (query) => linkTo(...[scenario, chosen].filter(Boolean).map((one) => one.slug ?? one.name)) + (query && `?${query}`);
  const around = (from, to) => seek(from - 900 - (to - from), 3 * (to - from) + 1800);
  const parts = lanes.map((lane) => lanePart(scenario, lane, chosen, view, (day) => link(`at=${day}`), around));
  const help = el("p", { class: "soft help" });
  let awaited = false;
  const redraw = (again = true) => {
    for (const { lane, scroller, spacer, count } of again ? parts : []) {
      if (view.folded) refold(lane, filter, length);
      else lane.shown = shownRuns(lane.runs, lane.extents, filter, view.from, view.to, lane.folded);
      const rows = view.folded ? lane.rows.length : lane.shown.length, most = view.folded ? rows : lane.runs.length;
      const height = Math.min(Math.max(most, 3), chosen && lanes.length === 1 ? 26 : 11) * ROW + 2;
      scroller.style.height = `${height}px`;
      spacer.style.height = `${rows * ROW}px`;
      const hidden = rows * ROW > height ? ", by scrolling in it" : "";
      count.textContent = `${view.folded ? foldedInWords(lane, length) : `${rows} of ${lane.runs.length} runs shown`}${hidden}`;
    }
    if (!awaited) requestAnimationFrame(paint);
    awaited = true;
  };
  const paint = () => {
    awaited = false;
    if (!axis.isConnected) return;
    drawAxis(axis, view, scenario, axis.clientWidth);
    for (const { lane, scroller, canvas, spacer, ages, promises } of parts) {
      // The canvas is as high as its box and stays in it; the spacer behind it is what is scrolled.
      spacer.style.marginTop = `-${scroller.clientHeight}px`;
      const draw = view.folded ? drawFolded : drawLane;
      draw(canvas, lane, view, scenario, scroller.clientWidth, scroller.clientHeight, scroller.scrollTop);
      if (promises) drawPromises(promises, lane, view, scenario, scroller.clientWidth);
      if (ages) drawAges(ages, lane, view, scroller.clientWidth, oldest);
    }
  };
  const zoom = (by, around = (view.from + view.to) / 2) => {
    const room = Math.min(Math.max((view.to - view.from) * by, 0.5), whole.to - whole.from);
    const part = (around - view.from) / (view.to - view.from);
    moveTo(around - part * room, room);
  };
  const moveTo = (from, room = view.to - view.from) => {
    view.from = Math.min(Math.max(from, whole.from), whole.to - room);
    view.to = view.from + room;
    redraw();
  };
  const pan = (part) => moveTo(view.from + (view.to - view.from) * part);
  const reset = () => moveTo(whole.from, whole.to - whole.from);
  const select = (part, place) => {
    const index = part.lane.shown[place];
    if (index === undefined) return;
    view.selected = { lane: part.lane, index };
    const top = place * ROW, { scroller } = part;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    if (top + ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + ROW - scroller.clientHeight;
    say(inWords(scenario, part.lane, part.lane.runs[index]));
    redraw(false);
  };
  // Into cycles, or back to the runs of a part of the time; the link says which, so that it can be shared.
  const turn = (folded, query, from = whole.from, room = whole.to - whole.from) => {
    view.folded = canFold && folded;
    foldDays?.setAttribute("aria-pressed", String(view.folded));
    help.textContent = view.folded ? foldedHelp(length) : canFold ? `${HELP}, F folds into ${cycleWord(length, 2)}.` : `${HELP}.`;
    bar.classList.toggle("folded", view.folded);
    moveTo(from, room);
    for (const { scroller, refill, lane } of parts) {
      scroller.setAttribute("aria-label", `${view.folded ? "Cycles" : "Runs"} of ${lane.variant.slug} on the time axis. ${view.folded ? FOLDED_KEYS : KEYS}`);
      scroller.scrollTop = 0;
      refill();
    }
    if (query !== undefined && link(query) !== location.hash && !DATA.lesson) history.pushState(null, "", link(query));
  };
  const unfolded = startsFolded ? "runs" : "";
  const toggle = () => {
    if (!canFold) return;
    if (view.folded) turn(false, unfolded);
    else turn(true, startsFolded ? "" : "folded");
    say(view.folded ? `Folded into ${cycleWord(length, 2)}.` : "Unfolded.");
  };
  const seek = (from, room) => turn(false, unfolded, from, room);
  // What begins late in a cycle may end in the next.
  const seekCycle = (cycle, until, query) => {
    const begin = cycle * length;
    turn(false, query, begin, Math.min(Math.max(length, until - begin), 2 * length) * 1.03);
  };
  const unfold = (part, row, cycle) => {
    const { worst, until } = part.lane.rows[row].cells.get(cycle);
    seekCycle(cycle, until, `at=${dayOf(scenario.origin, cycle, length)}`);
    select(part, part.lane.shown.indexOf(worst.index));
    part.scroller.focus();
    say(`${cycleName(scenario.origin, cycle, length)} unfolded. ${inWords(scenario, part.lane, worst)}`);
  };
  const fold = (lane, index) => {
    if (!lane.hasChildren[index]) return;
    if (!lane.folded.delete(index)) lane.folded.add(index);
    redraw();
  };
  const foldDays = canFold ? el("button", { type: "button", onclick: toggle, title: "Fold into cycles, or show the runs (f)" },
    `Fold into ${cycleWord(length, 2)}`) : null;
  const tools = { view, zoom, pan, reset, moveTo, select, fold, redraw, seek, unfold, toggle };
  for (const part of parts) listen(scenario, part, tools);
  new ResizeObserver(() => redraw(false)).observe(axis);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(false));
  for (const name of ["beforeprint", "afterprint"]) addEventListener(name, () => paint());
  const bar = controls(scenario, lanes, filter, tools, foldDays);
  const day = Date.parse(asked.get("at"));
  if (canFold && !Number.isNaN(day)) seekCycle(cycleOf((day - scenario.origin) / 1000, length), 0);
  else turn(view.folded);
  if (sought) requestAnimationFrame(() => {
    const [from, to] = parts[0].lane.extents[sought.index];
    if (from !== null) moveTo(from - 60 - (to - from), (to - from) * 3 + 120);
    select(parts[0], parts[0].lane.shown.indexOf(sought.index));
    parts[0].scroller.focus();
  });
  return [bar, key(), ...(chosen && !compared ? [] : partings(scenario)), clocksInWords(scenario), help,
    el("div", { class: "axis" }, axis), ...parts.map((part) => part.section)];
}

const HELP = "Click a run to open it; drag to move in time, Ctrl and the wheel to zoom. In the focus: "
  + "↑ ↓ choose a run, Enter opens it, Space folds it, ← → move, + − zoom, 0 shows all";
const foldedHelp = (length) => `A cell has the runs of ${length === DAY ? "a day" : cycleWord(length)}, and looks as the worst of them: `
  + "✗ 1 of 26 says that one Failed. Click it to see them all. In the focus: "
  + "← → and ↑ ↓ choose a cell, Enter unfolds it, + − zoom, 0 shows all, F shows all runs.";
const KEYS = "Up and down choose a run, Enter opens it, Space folds it; left and right move in time, plus and minus zoom, 0 shows all.";
const FOLDED_KEYS = "Left and right choose a cycle, up and down a flow, Enter unfolds it; plus and minus zoom, 0 shows all.";

function lanePart(scenario, lane, alone, view, link, around) {
  const canvas = el("canvas", { "aria-hidden": "true" }), spacer = el("div", {}), count = el("small", {});
  const scroller = el("div", {
    class: "scroller", tabindex: "0", role: "application", "aria-roledescription": "timeline",
  }, canvas, spacer);
  const inside = el("div", {});
  const more = (from) => {
    const rows = runTable(scenario, lane, from, 200);
    inside.append(table(RUN_HEADS, rows, `Runs of ${lane.variant.slug}, from ${from + 1}`));
    if (from + 200 < lane.shown.length) {
      const button = el("button", { type: "button", onclick: () => { button.remove(); more(from + 200); } },
        `Show more (${lane.shown.length - from - 200} left)`);
      inside.append(button);
    }
  };
  const ages = lane.tables.length && el("canvas", { class: "ages", role: "img", "aria-label":
    `Age of tables: ${lane.tables.map(({ name, most }) => `${name} at most ${duration(most)}`).join(", ")}` });
  const promises = lane.promises.length && el("canvas", { class: "ages promises-drawn", "aria-hidden": "true" });
  const refill = () => {
    inside.replaceChildren();
    if (asTable.open && view.folded) inside.append(cycleTable(scenario, lane, view, link));
    else if (asTable.open) more(0);
  };
  const asTable = el("details", { ontoggle: () => refill() },
    el("summary", {}, `As a table: ${lane.variant.slug}`), inside);
  const section = el("section", { class: "lane" },
    el("h3", {}, el("a", { href: linkTo(scenario.name, lane.variant.slug) }, lane.variant.slug), DATA.lesson ? "" : outcome(lane.variant),
      lane.variant.masked ? el("span", { class: "broken" }, `◐ ${lane.variant.masked} of ${lane.variant.ended} Completed although a child failed`) : "", count),
    lane.variant.error ? el("pre", {}, lane.variant.error) : "", promises || "", scroller, ages || "", promisesInWords(scenario, lane, around), asTable);
  return { lane, section, scroller, canvas, spacer, count, ages, promises, refill };
}

function inWords(scenario, lane, run) {
  const began = run.states.find((state) => state.type === "RUNNING");
  return `${run.flow}, ${run.state.name}${run.masked ? " although a run below it failed" : ""}, `
    + (began ? `began ${instant(scenario.origin, began.at)}` : "never began")
    + (FINAL.has(run.state.type) ? `, ended ${instant(scenario.origin, run.state.at)}` : "")
    + (run.attempts > 1 ? `, ${run.attempts} attempts` : "");
}

// Filters and buttons above the axis.
function controls(scenario, lanes, filter, { zoom, pan, reset, seek, redraw }, foldDays) {
  const runs = lanes.flatMap((lane) => lane.runs);
  const options = (names, first) => [el("option", { value: "" }, first), ...[...new Set(names)].sort().map((name) => el("option", { value: name }, name))];
  const choose = (name, label, choices) => [
    el("label", { for: `by-${name}` }, label),
    el("select", { id: `by-${name}`, onchange: (event) => { filter[name] = event.target.value; redraw(); } }, choices)];
  const button = (text, label, act) => el("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
  const states = options(runs.map((run) => run.state.name), "all states");
  if (runs.some((run) => run.masked)) states.push(el("option", { value: "masked" }, "◐ Completed although a child failed"));
  const foldAll = el("span", { class: "of-runs" }, button("Fold", "Fold or unfold all that was called", () => {
    const open = lanes.some((lane) => lane.folded.size === 0);
    for (const lane of lanes) lane.folded = new Set(open ? lane.runs.filter((run) => lane.hasChildren[run.index]).map((run) => run.index) : []);
    redraw();
  }));
  return el("div", { class: "controls", role: "group", "aria-label": "Time axis" },
    ...choose("flow", "Flow", options(runs.map((run) => run.flow), "all flows")), ...choose("state", "State", states),
    button("+", "Zoom in", () => zoom(0.5)), button("−", "Zoom out", () => zoom(2)),
    button("◀", "Earlier", () => pan(-0.5)), button("▶", "Later", () => pan(0.5)), button("All", "Show all of the time", reset), foldDays || "", foldAll,
    scenario.partings.map(([what, at]) => button(`▼ Where they ${what}`, `Show the first instant at which the variants ${what}`,
      () => seek(at - 900, 1800))));
}

// Pointer and keys on a lane.
function listen(scenario, part, tools) {
  const { view, zoom, pan, reset, moveTo, toggle, redraw } = tools;
  const { scroller } = part, pointers = new Map();
  const scale = () => scaleOf(view, scroller.clientWidth);
  const placeAt = (event) => Math.floor((event.clientY - scroller.getBoundingClientRect().top - 1 + scroller.scrollTop) / ROW);
  const xOf = (event) => event.clientX - scroller.getBoundingClientRect().left;
  const ofRuns = runActs(scenario, part, tools), ofCells = cellActs(scenario, part, tools, scale);
  const acts = () => view.folded ? ofCells : ofRuns;
  let moved = 0;
  scroller.addEventListener("scroll", () => redraw(false));
  scroller.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(Math.exp(event.deltaY / 300), scale().at(xOf(event))); }
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); pan((event.deltaX || event.deltaY) / 800); }
  }, { passive: false });
  scroller.addEventListener("pointerdown", (event) => { moved = 0; pointers.set(event.pointerId, xOf(event)); });
  scroller.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) {
      scroller.title = acts().title(xOf(event), placeAt(event));
      scroller.style.cursor = scroller.title ? "pointer" : "";
      return;
    }
    const before = [...pointers.values()], was = pointers.get(event.pointerId), now = xOf(event);
    moved += Math.abs(now - was);
    pointers.set(event.pointerId, now);
    if (moved < 4) return;
    scroller.setPointerCapture(event.pointerId);
    const after = [...pointers.values()];
    if (after.length === 2) {
      const gap = (pair) => Math.max(Math.abs(pair[0] - pair[1]), 10);
      zoom(gap(before) / gap(after), scale().at((after[0] + after[1]) / 2));
    } else moveTo(view.from - (now - was) * scale().perPixel);
  });
  for (const name of ["pointerup", "pointercancel"]) scroller.addEventListener(name, (event) => pointers.delete(event.pointerId));
  scroller.addEventListener("click", (event) => {
    if (moved < 4) acts().click(xOf(event), placeAt(event));
  });
  scroller.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
      0: reset, f: toggle, ...acts().keys,
    };
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

// What pointer and keys do on a lane that shows its runs: at a place on the screen, and by the name of a key.
function runActs(scenario, part, { view, select, fold }) {
  const { lane } = part;
  const here = () => view.selected && view.selected.lane === lane ? lane.shown.indexOf(view.selected.index) : -1;
  const last = () => lane.shown.length - 1;
  const open = () => {
    if (view.selected && view.selected.lane === lane) location.hash = linkTo(scenario.name, lane.variant.slug, lane.runs[view.selected.index].id);
  };
  const runAt = (place) => lane.runs[lane.shown[place]];
  return {
    title: (x, place) => runAt(place) ? inWords(scenario, lane, runAt(place)) : "",
    click: (x, place) => {
      const run = runAt(place);
      if (!run) return;
      select(part, place);
      if (lane.hasChildren[run.index] && x < indentOf(run) + 8) fold(lane, run.index);
      else open();
    },
    keys: {
      ArrowDown: () => select(part, here() + 1), ArrowUp: () => select(part, Math.max(here() - 1, 0)),
      PageDown: () => select(part, Math.min(here() + 10, last())), PageUp: () => select(part, Math.max(here() - 10, 0)),
      Home: () => select(part, 0), End: () => select(part, last()),
      Enter: open, " ": () => here() >= 0 && fold(lane, view.selected.index),
    },
  };
}

// Where the link leads: scenario, variant and run, each optional, and what it says of cycles.
function linked() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), asked: new URLSearchParams(query) };
}

// The run that is to be shown on the time axis of the next view.
let sought = null;

// #scenario/variant/run, each part optional; the run by its id or its name. Of the time axis, ?at=2026-03-29 is a
// cycle, ?folded has cycles where it starts with runs, and ?runs the other way round.
function show(anew = true) {
  const wanted = sought;
  sought = null;
  const { parts, asked } = linked();
  const scenario = DATA.scenarios.find((one) => one.name === parts[0]);
  const variant = scenario && scenario.variants.find((one) => one.slug === parts[1]);
  const lane = variant && laneOf(variant);
  const run = lane && lane.runs.find((one) => parts[2] && (parts[2].replaceAll("-", "").endsWith(one.id) || one.name === parts[2]));
  const found = [scenario, variant, run];
  const missing = parts.findIndex((_, i) => !found[i]);
  const crumbs = [scenario && [scenario.name, linkTo(scenario.name)], variant && [variant.slug, linkTo(scenario.name, variant.slug)],
    run && [run.deployment || run.flow, linkTo(scenario.name, variant.slug, run.id)]].filter(Boolean);
  document.getElementById("trail").replaceChildren(...crumbs.map(([text, href], i) =>
    el("li", {}, el("a", { href, "aria-current": i === crumbs.length - 1 ? "page" : null }, text))));
  document.title = [...crumbs.map(([text]) => text).reverse(), HOME].join(" - ");
  const content = missing >= 0 ? [el("h1", {}, "Not in these results"), el("p", {}, `There is no ${["scenario", "variant", "run", "more"][Math.min(missing, 3)]} ${parts[missing]} here. `,
    el("a", { href: "#" }, HOME))]
    : run ? runView(scenario, lane, run)
    : scenario ? [el("h1", {}, variant ? `${scenario.name}: ${variant.slug}` : scenario.name), ...variant ? foundIn(scenario, variant) : [],
        ...isAudit(scenario) && !variant ? verdicts(scenario) : [], ...timeline(scenario, variant, wanted, asked),
        DATA.lesson || isAudit(scenario) ? "" : el("section", {}, el("h2", {}, "Verdicts and measures"), ...verdicts(scenario))]
    : DATA.lesson ? lessonView(DATA.lesson, DATA.scenarios[0]) : overview(DATA);
  main.replaceChildren(...content.flat().filter((one) => one !== ""));
  if (anew) window.scrollTo(0, 0);
}

window.addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); });
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
show();
