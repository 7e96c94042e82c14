// Views: what is text, lists and tables. Every text of the results is set as text, never as HTML.

// An element: attributes by name, `on...` as listeners; children are elements or texts.
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== ""));
  return made;
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const linkTo = (...parts) => "#" + parts.map(encodeURIComponent).join("/");
const runLink = (scenario, variant, run) =>
  el("a", { href: linkTo(scenario.name, variant.slug, run.id) }, run.deployment || run.flow);

function stateMark(state) {
  const [colour, , shape] = looks(state.type, state.name);
  const glyph = el("span", { class: "glyph", "aria-hidden": "true" }, shape);
  glyph.style.color = `var(--${colour})`;
  return el("span", {}, glyph, state.name);
}

const mark = (passed) =>
  el("span", { class: passed ? "holds" : "broken" }, passed ? "✓ holds" : "✗ broken");
const outcome = (variant) => variant.error ? el("span", { class: "broken" }, "✖ crashed") : mark(variant.passed);

function table(heads, rows, caption) {
  const body = rows.map((row) => el("tr", {}, row.map((cell, i) =>
    el(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: String(cell).length > 60 ? "long" : i > 0 && "figure" }, cell))));
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, body)));
}

// The whole of it: each scenario with its verdicts and measures, variants side by side.
function overview(data) {
  const all = data.scenarios.flatMap((scenario) => scenario.variants);
  const passed = all.filter((variant) => variant.passed).length;
  const made = [...new Set(all.map((variant) => variant.made_with).filter(Boolean))];
  const first = data.scenarios.map((scenario) => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: linkTo(scenario.name) }, scenario.name)),
    el("td", {}, scenario.question),
    el("td", {}, scenario.variants.map((variant) => el("a", {
      href: linkTo(scenario.name, variant.slug), class: "glyph " + (variant.passed ? "holds" : "broken"),
      title: variant.name, "aria-label": `${variant.name}: ${variant.error ? "crashed" : variant.passed ? "holds" : "broken"}`,
    }, variant.error ? "✖" : variant.passed ? "✓" : "✗")))));
  const found = data.scenarios.length === 1 && data.scenarios[0].findings;
  if (found) {
    const [scenario] = data.scenarios;
    return [el("h1", {}, scenario.name), el("p", { class: "soft" }, made.join("; ")),
      el("p", {}, el("a", { href: linkTo(scenario.name) }, "All runs on one time axis")), ...verdicts(scenario)];
  }
  return [
    el("h1", {}, `${passed} of ${all.length} variants hold`),
    el("p", { class: "soft" }, made.join("; ")),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Scenarios" },
      el("table", {}, el("thead", {}, el("tr", {}, ["scenario", "question", "variants"].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, first))),
    ...data.scenarios.map((scenario) => el("section", { class: "card" },
      el("h2", {}, el("a", { href: linkTo(scenario.name) }, scenario.name)), verdicts(scenario))),
  ];
}

const repeated = (variants) => [...new Set(variants.map((variant) => variant.command).filter(Boolean))]
  .map((one) => el("p", { class: "soft" }, "Repeat it: ", el("code", {}, one)));

// The matrix of one scenario: expectations and measures by variant.
function verdicts(scenario) {
  const names = (field) => [...new Set(scenario.variants.flatMap((variant) => variant[field].map(([name]) => name)))];
  const known = (field, variant, name) => variant[field].find(([own]) => own === name);
  const rows = [["verdict", ...scenario.variants.map(outcome)]];
  for (const name of names("verdicts")) {
    rows.push([name, ...scenario.variants.map((variant) => {
      const found = known("verdicts", variant, name);
      return found ? evidence(scenario, variant, found) : el("span", { class: "soft" }, "·", el("span", { class: "unseen" }, "not asked"));
    })]);
  }
  rows.push(["Completed although a child failed", ...scenario.variants.map((variant) =>
    el("span", {}, variant.masked ? el("span", { class: "broken" }, "◐ ") : "", `${variant.masked} of ${variant.ended}`))]);
  for (const name of names("measures")) {
    const cells = scenario.variants.map((variant) => known("measures", variant, name));
    if (cells.every((cell) => !cell || cell[1] === null)) continue;
    const most = Math.max(...cells.map((cell) => cell && Math.max(cell[1] ?? 0, cell[4] ?? 0) || 0));
    rows.push([name, ...cells.map((cell) => cell ? [figure(cell), interval(cell, most)] : "–")]);
  }
  const asked = scenario.question ? el("p", {}, scenario.question) : "";
  if (isAudit(scenario)) return [asked, ...findings(scenario), ...repeated(scenario.variants.filter((variant) => besides(scenario, variant).length === 0))];
  return [
    asked, ...findings(scenario),
    table(["", ...scenario.variants.map((variant) => el("a", { href: linkTo(scenario.name, variant.slug) }, variant.slug))],
      rows, `Verdicts and measures of ${scenario.name}`),
    ...scenario.variants.flatMap((variant) => broken(scenario, variant)),
    el("p", { class: "soft" }, "✓ holds: it is as the scenario expects it of this variant, also where it expects a loss. · not asked of this one."),
    scenario.lesson ? el("p", {}, el("strong", {}, "Lesson: "), inCode(scenario.lesson)) : "",
    ...repeated(scenario.variants),
  ];
}

// The verdict of one expectation; a broken one leads to the first run that shows it.
function evidence(scenario, variant, [, passed, , , , , places]) {
  const shown = passed ? undefined : places.find((place) => place >= 0);
  return shown === undefined ? mark(passed)
    : el("a", { href: linkTo(scenario.name, variant.slug, variant.runs[shown][0]) }, mark(passed));
}

// What went wrong in a variant, and what it could not show.
function broken(scenario, variant) {
  const wrong = variant.verdicts.filter(([, passed]) => !passed);
  const told = [
    ...(variant.error ? [`crashed: ${variant.error}`] : []),
    ...wrong.map(([name, , message, where, runs, why, places]) =>
      [`broken: ${name}`, message,
        ...runs.map((run, i) => places[i] < 0 ? `run: ${run}`
          : el("a", { href: linkTo(scenario.name, variant.slug, variant.runs[places[i]][0]) }, `run: ${run}`)),
        ...why.map((one) => `why: ${one}`), where && `at ${where}`]
        .filter(Boolean).flatMap((line, i) => i ? ["\n", line] : [line])),
    ...variant.caveats.map((caveat) => `caveat: ${caveat}`),
  ];
  return told.length ? [el("h3", {}, variant.slug), ...told.map((text) => el("pre", {}, text))] : [];
}

// A text in which code stands between backticks.
const inCode = (text) => text.split("`").map((piece, i) => i % 2 ? el("code", {}, piece) : piece);

// Where the variants part, in words.
function partings(scenario) {
  return scenario.partings.map(([what, at, sides]) => el("details", {},
    el("summary", {}, `They ${what} at ${instant(scenario.origin, at)} UTC`),
    el("ul", {}, sides.map(([slug, happens]) => el("li", {}, el("strong", {}, slug), `: ${happens}`)))));
}

// A figure with its interval, as a bar: of shares from 0 to 1, of others from 0 to the most there is.
function interval([, value, unit, low, high], most) {
  const end = unit === "share" ? 1 : most;
  if (value === null || !end || value < 0) return "";
  const x = (at) => 2 + Math.max(0, Math.min(1, at / end)) * 106;
  const drawn = svg("svg", { class: "interval", viewBox: "0 0 110 10", "aria-hidden": "true" },
    svg("line", { x1: 2, x2: 108, y1: 5, y2: 5, stroke: "var(--line)" }));
  if (low !== null && high !== null) drawn.append(svg("line", { x1: x(low), x2: x(high), y1: 5, y2: 5, stroke: "var(--soft)", "stroke-width": 3 }));
  drawn.append(svg("circle", { cx: x(value), cy: 5, r: 4, fill: "var(--running)" }));
  return drawn;
}

// What colours, shapes and marks mean.
function key() {
  const bar = (type, thin) => {
    const [colour] = looks(type, "");
    return svg("svg", { width: 24, height: 14, "aria-hidden": "true" },
      svg("rect", { x: 0, y: thin ? 5.5 : 1, width: 24, height: thin ? 3 : 12, fill: `var(--${colour})` }));
  };
  const sign = (text, colour) => {
    const glyph = el("span", { class: "glyph", "aria-hidden": "true" }, text);
    glyph.style.color = `var(--${colour})`;
    return glyph;
  };
  return el("ul", { class: "key", "aria-label": "Key" },
    el("li", {}, bar("COMPLETED"), "ran, ended Completed"), el("li", {}, bar("FAILED"), "ran, attempt failed (hatched)"),
    el("li", {}, bar("CRASHED"), "ran, Crashed"), el("li", {}, bar("RUNNING"), "Running"),
    el("li", {}, bar("SCHEDULED", true), "waited: due or Late"), el("li", {}, bar("PENDING", true), "waited: Pending"),
    el("li", {}, sign("◐", "failed"), "Completed although a run below it failed"),
    el("li", {}, sign("ϟ", "fault"), "fault"), el("li", {}, sign("▇", "band"), "window of a fault"),
    el("li", {}, sign("╹", "scheduled"), "due by schedule"), el("li", {}, sign("▼", "parted"), "variants part, or end otherwise"),
    el("li", {}, sign("◿", "scheduled"), "age of a table since it was written last"),
    el("li", {}, sign("◷", "clocks"), "clocks change"),
    el("li", {}, sign("⊘", "bad"), "from here on a promise could no longer be kept"), el("li", {}, sign("✗", "bad"), "it broke"));
}

// Runs as a table: what the canvas shows, for a screen reader, for the keyboard and to copy.
function runTable(scenario, lane, from, count) {
  return lane.shown.slice(from, from + count).map((index) => {
    const run = lane.runs[index];
    const began = run.states.find((state) => state.type === "RUNNING");
    return [
      el("span", { style: `padding-left:${run.depth}em` }, runLink(scenario, lane.variant, run)),
      el("span", {}, stateMark(run.state), run.masked ? " ◐ although a run below it failed" : ""),
      run.scheduled === null ? "" : instant(scenario.origin, run.scheduled),
      began ? instant(scenario.origin, began.at) : "never",
      FINAL.has(run.state.type) ? instant(scenario.origin, run.state.at) : "",
      String(run.attempts),
    ];
  });
}
const RUN_HEADS = ["run", "state", "due (UTC)", "began", "ended", "attempts"];

// One run: its states, what is known of why, its tasks and the runs around it.
function runView(scenario, lane, run) {
  const at = (seconds) => seconds === null ? "" : instant(scenario.origin, seconds);
  const parent = lane.runs[run.parent];
  const children = lane.runs.filter((one) => one.parent === run.index);
  const notes = lane.notes.filter((note) => note.run === run.index && note.kind !== "result");
  const results = lane.notes.filter((note) => note.run === run.index && note.kind === "result");
  const facts = [
    ["state", stateMark(run.state)], ["flow", run.flow], ["deployment", run.deployment], ["name", run.name],
    ["id", run.id], ["due", at(run.scheduled)], ["attempts", String(run.attempts)], ["parameters", run.parameters],
    ["result", results.length ? results[results.length - 1].text : ""], ["tags", run.tags], ["called by", parent ? runLink(scenario, lane.variant, parent) : run.bySchedule ? "a schedule" : ""],
  ];
  const states = run.states.map((state, i) => {
    const next = run.states[i + 1];
    return [stateMark(state), at(state.at), next ? duration(next.at - state.at) : "", state.message];
  });
  return [
    el("h1", {}, `${run.deployment || run.flow} of ${at(run.scheduled ?? run.state.at)} UTC`),
    run.masked ? el("p", { class: "broken" }, "◐ Completed although a run below it failed") : "",
    el("p", {}, el("a", { href: linkTo(scenario.name, lane.variant.slug), onclick: () => { sought = run; } }, "Show it on the time axis")),
    ...foundIn(scenario, lane.variant, run),
    run.explained ? el("section", {}, el("h2", {}, "Why"), el("pre", {}, run.explained)) : "",
    el("dl", {}, facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    el("h2", {}, "States"),
    table(["state", "entered (UTC)", "lasted", "message"], states, "States of the run"),
    ...(notes.length ? [el("h2", {}, "Faults, calls, errors and tables written"), table(["what", "when (UTC)", "where", "details"],
      notes.map((note) => [note.kind, at(note.at), el("div", {}, el("code", {}, note.where), note.code && el("pre", { class: "soft" }, note.code)), note.text]), "Faults, calls, errors and tables written")] : []),
    ...(run.tasks.length ? [el("h2", {}, "Tasks"), table(["task run", "state", "began (UTC)", "ended", "attempts", "message"],
      run.tasks.map((task) => [task.name, task.state, at(task.start), at(task.end), String(task.count), task.message]), "Tasks of the run")] : []),
    ...(run.log.length ? [el("h2", {}, "Log"), table(["when (UTC)", "level", "message"],
      run.log.map((line) => [at(line.at), line.level, line.message]), "Log of the run")] : []),
    ...(children.length ? [el("h2", {}, "Runs that it called"), table(["run", "state", "began (UTC)", "ended"], children.map((one) => {
      const began = one.states.find((state) => state.type === "RUNNING");
      return [runLink(scenario, lane.variant, one), stateMark(one.state), began ? at(began.at) : "never", FINAL.has(one.state.type) ? at(one.state.at) : ""];
    }), "Runs that it called")] : []),
    family(scenario, lane, run),
  ];
}

// A slider: in which state each run of the family was at an instant.
function family(scenario, lane, run) {
  let root = run;
  while (lane.runs[root.parent]) root = lane.runs[root.parent];
  const members = [root];
  for (let i = root.index + 1; i < lane.runs.length && lane.runs[i].depth > root.depth; i++) members.push(lane.runs[i]);
  const moments = [...new Set(members.flatMap((one) => one.states.map((state) => state.at)))].sort((a, b) => a - b);
  if (moments.length < 2) return "";
  const shown = el("div", {});
  const output = el("output", { for: "moment" });
  const show = (place) => {
    output.textContent = `${instant(scenario.origin, moments[place])} UTC`;
    shown.replaceChildren(table(["run", "state at that instant"], members.slice(0, 200).map((one) => {
      const entered = one.states.filter((state) => state.at <= moments[place]).pop();
      return [el("span", { style: `padding-left:${one.depth}em` }, one.deployment || one.flow), entered ? stateMark(entered) : "not there yet"];
    }), "States at that instant"));
  };
  const slider = el("input", { type: "range", id: "moment", min: 0, max: moments.length - 1, value: moments.length - 1,
    oninput: (event) => show(Number(event.target.value)) });
  show(moments.length - 1);
  return el("section", {}, el("h2", {}, "The family at an instant"), el("label", { for: "moment" }, "Instant "), output, el("br", {}), slider, shown);
}
