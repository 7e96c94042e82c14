// Matrix: what became of each step, or is wrong with it, at a glance; each cell leads to what shows it.

const readFinding = (row, kinds) => ({
  kind: kinds[row[0]], said: row[1], times: row[2], seconds: row[3], where: row[4], explained: row[5],
  shown: row[6], run: row[7], variant: row[8],
});

// Each matrix of a scenario with its key, and the same in words below it.
function findings(scenario) {
  return scenario.findings ? scenario.findings.parts.flatMap((part) => matrixPart(scenario, part)) : [];
}

function matrixPart(scenario, part) {
  const { kinds } = scenario.findings, cells = part.cells.map((rows) => rows.map((row) => readFinding(row, kinds)));
  const told = new Map();  // by cell: what is told of it in words, for what no run shows
  const words = inSentences(scenario, part, cells, told);
  const title = part.variant < 0 || scenario.variants.length === 1 ? scenario.name : scenario.variants[part.variant].name;
  const caption = `${part.audit ? "What becomes of faults" : "Findings"}: ${title}`;
  return [
    scenario.variants.length > 1 && !part.audit ? el("h3", {}, title) : "",
    el("p", { class: "headline" }, counted(part, cells)),
    kindKey(part, cells, kinds), ...grid(scenario, part, cells, caption, told),
    part.without.length ? el("p", { class: "soft" }, `Nothing was found of ${part.without.join(", ")}.`) : "",
    el("h3", {}, "In words"), words,
  ];
}

const plural = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;

function counted(part, cells) {
  const all = part.audit ? cells.map(([worst]) => worst) : cells.flat();
  const serious = all.filter((one) => one.kind[2] === "serious").length;
  return part.audit ? `${serious} of ${plural(all.length, "fault")}, one at a time, ${serious === 1 ? "is" : "are"} serious`
    : `${plural(all.length, "finding")}, ${serious} serious`;
}

// What the marks mean, of those that there are, with how often each is there.
function kindKey(part, cells, kinds) {
  const all = part.audit ? cells.map(([worst]) => worst) : cells.flat();
  const counts = kinds.map((kind) => [kind, all.filter((one) => one.kind === kind).length]).filter(([, count]) => count);
  const levels = LEVELS.map(([level, means]) => [level, means, counts.filter(([kind]) => kind[2] === level)]);
  return el("div", { class: "kinds" }, levels.filter(([, , own]) => own.length).map(([level, means, own]) => el("section", {},
    el("h4", {}, el("strong", {}, level), `: ${means}`),
    el("ul", { "aria-label": `Marks: ${level}` }, own.map(([kind, count]) => el("li", {}, kindMark(kind, 26),
      el("span", {}, el("strong", {}, `${count} ${kind[0]}`), `: ${kind[1]}`)))))));
}

function grid(scenario, part, cells, caption, told) {
  const marks = [];
  const rows = part.rows.map(([subject, places]) => el("tr", {}, el("th", { scope: "row" }, subject),
    places.map((place, i) => {
      if (place < 0) return el("td", {}, el("span", { class: "soft" }, el("span", { "aria-hidden": "true" }, "·"), el("span", { class: "unseen" }, "none")));
      const made = cellMark(scenario, `${subject}, ${spaced(part.columns[i][0])}`, cells[place], told.get(place));
      marks.push(made);
      return el("td", {}, made);
    })));
  if (marks.length) marks[0].tabIndex = 0;
  const box = el("div", { class: "wide matrix", role: "region", "aria-label": caption, onkeydown: (event) => arrows(event, rows) },
    el("table", {}, el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, part.audit ? "step" : "of"),
        part.columns.map(([name, says]) => el("th", { scope: "col", title: says }, spaced(name))))),
      el("tbody", {}, rows)));
  return [box, el("p", { class: "soft help" }, part.audit
    ? "Rows are steps, columns what was done to each; worst first. A dot: it cannot happen to that step, or was not tried. A mark leads to the runs; arrow keys move among marks."
    : "Worst first. A mark leads to the run that shows it; arrow keys move among marks.")];
}

const spaced = (name) => name.replaceAll("-", " ");

// The mark of a cell: a link to what shows it, or else a button that leads to the words.
function cellMark(scenario, name, found, entry) {
  const [worst] = found, times = found.reduce((sum, one) => sum + one.times, 0);
  const text = `${name}: ${found.map(inOneLine).join("; ")}`;
  const inside = [kindMark(worst.kind), times > found.length ? el("small", { "aria-hidden": "true" }, `${times}×`) : ""];
  const attributes = { class: "cell", title: text, "aria-label": text, tabindex: "-1" };
  const href = target(scenario, worst);
  return href ? el("a", { ...attributes, href }, inside)
    : el("button", { ...attributes, type: "button", onclick: () => { entry.scrollIntoView({ block: "center" }); entry.focus(); } }, inside);
}

// Where a finding is seen: the runs with the fault, or the run.
function target(scenario, one) {
  if (one.shown >= 0) return linkTo(scenario.name, scenario.variants[one.shown].slug);
  return one.run ? linkTo(scenario.name, scenario.variants[one.variant].slug, one.run) : null;
}

const inOneLine = (one) => `${one.kind[0]}${one.seconds === null ? "" : ` (${duration(one.seconds)})`}${one.said ? `: ${one.said}` : ""}`
  + (one.times > 1 ? ` (${one.times} times)` : "");

// Arrow keys move among the marks; what has been left is where Tab comes back to.
function arrows(event, rows) {
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const here = event.target.closest(".cell");
  if (!here || !(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const [down, right] = steps[event.key];
  let row = rows.indexOf(here.closest("tr")), column = here.closest("td").cellIndex, next = null;
  do {
    row += down;
    column += right;
    next = rows[row]?.cells[column]?.querySelector(".cell");
  } while (!next && rows[row]?.cells[column]);
  if (!next || column < 1) return;
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// All of it in words, most serious first; what leads to the same is told once.
function inSentences(scenario, part, cells, told) {
  const rows = part.courses.map((course) => {
    const [[place, number]] = course, [first, ...others] = part.audit ? cells[place] : [cells[place][number]];
    const times = course.map(([one]) => cells[one][0].seconds).filter((one) => one !== null);
    const entry = el("span", { class: "entry", tabindex: "-1" }, kindMark(first.kind, 22), el("strong", {}, first.kind[0]), part.audit ? range(times) : "",
      first.times > 1 ? `, ${first.times} times` : "");
    for (const [one] of course) if (!told.has(one)) told.set(one, entry);
    const said = el("div", {}, first.said || "–", others.map((one) => el("div", { class: "soft" }, inOneLine(one))),
      first.where ? [" ", el("code", {}, `(${first.where})`)] : "",
      first.explained ? el("details", {}, el("summary", {}, "Why"), el("pre", {}, first.explained)) : "");
    const links = course.map(([one, which]) => {
      const href = target(scenario, cells[one][which]);
      const name = part.audit ? cellName(part, one) : href ? runOf(scenario, cells[one][which]) : "–";
      return el("div", {}, href ? el("a", { href }, name) : name);
    });
    return [entry, said, el("div", {}, links)];
  });
  const heads = part.audit ? ["what becomes of it", "of whom", "faults"] : ["finding", "what", "shown by a run of"];
  return el("div", { class: "words" }, table(heads, rows, "In words"));
}

// The deployment or flow of the run that shows a finding.
function runOf(scenario, one) {
  const { flow, deployment } = laneOf(scenario.variants[one.variant]).runs.find((run) => run.id === one.run);
  return deployment || flow;
}

function cellName(part, place) {
  for (const [subject, places] of part.rows) {
    const column = places.indexOf(place);
    if (column >= 0) return `${subject}:${part.columns[column][0]}`;
  }
  return "";
}

function range(seconds) {
  if (!seconds.length) return "";
  const least = duration(Math.min(...seconds)), most = duration(Math.max(...seconds));
  return least === most ? ` (${least})` : ` (${least} to ${most})`;
}

// What a view of a variant or of one of its runs shows of all that was found.
function foundIn(scenario, variant, run) {
  if (!scenario.findings) return [];
  const { kinds, parts } = scenario.findings, place = scenario.variants.indexOf(variant);
  const own = parts.flatMap((part) => part.cells.flatMap((rows, cell) => rows.map((row) => [part, cell, readFinding(row, kinds)])))
    .filter(([, , one]) => run ? one.variant === place && one.run === run.id : one.shown === place);
  if (!own.length) return [];
  const [[part, cell]] = own, column = part.columns.find(([name]) => cellName(part, cell).endsWith(`:${name}`));
  return [
    run ? el("h2", {}, "What it shows") : el("p", {}, el("strong", {}, spaced(column[0])), `: ${column[1]}`),
    el("ul", { class: "shown" }, own.map(([, , one]) => el("li", {}, kindMark(one.kind, 24), el("span", {},
      el("strong", {}, one.kind[0]), one.said || one.seconds !== null ? inOneLine(one).slice(one.kind[0].length) : `: ${one.kind[1]}`,
      !run && one.run ? [" ", el("a", { href: linkTo(scenario.name, variant.slug, one.run) }, "the run that shows it")] : "")))),
    !run && variant.command ? el("p", { class: "soft" }, "In a terminal, with a test of it: ", el("code", {}, variant.command)) : "",
  ];
}

const isAudit = (scenario) => Boolean(scenario.findings?.parts.some((part) => part.audit));

// What a variant of an audit is compared with.
const besides = (scenario, variant) => variant.besides < 0 ? [] : [scenario.variants[variant.besides]];
