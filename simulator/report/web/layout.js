// Layout: where things go. Pure functions of the numbers; nothing here knows of the document.

const FINAL = new Set(["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]);
const BAD = new Set(["FAILED", "CRASHED", "CANCELLED"]);
const WORK = new Set(["RUNNING", "CANCELLING"]);

// Colour and letter of a state: the colours of Prefect's UI, the letters for who cannot tell them apart.
const LOOKS = {
  COMPLETED: ["completed", "C", "✓"], FAILED: ["failed", "F", "✗"], CRASHED: ["crashed", "X", "✖"],
  CANCELLED: ["cancelled", "–", "–"], CANCELLING: ["cancelled", "–", "–"], RUNNING: ["running", "R", "▶"],
  PENDING: ["pending", "P", "○"], SCHEDULED: ["scheduled", "S", "◷"], PAUSED: ["paused", "‖", "‖"],
};
const looks = (type, name) => name === "Cached" ? ["cached", "c", "✓"] : LOOKS[type] || LOOKS.PENDING;

// A run out of the list that numbers.py makes of it.
function readRun(row, index, texts) {
  const text = (number) => number < 0 ? "" : texts[number];
  const states = [];
  for (let i = 0; i < row[7].length; i += 4) {
    states.push({ name: text(row[7][i]), type: text(row[7][i + 1]), at: row[7][i + 2], message: text(row[7][i + 3]) });
  }
  const tasks = [];
  for (let i = 0; i < row[12].length; i += 6) {
    const [name, state, start, end, count, message] = row[12].slice(i, i + 6);
    tasks.push({ name: text(name), state: text(state), start, end, count, message: text(message) });
  }
  const log = [];
  for (let i = 0; i < row[15].length; i += 3) {
    log.push({ at: row[15][i], level: text(row[15][i + 1]), message: text(row[15][i + 2]) });
  }
  return {
    index, id: row[0], depth: row[1], parent: row[2], flow: text(row[3]), deployment: text(row[4]), name: row[5],
    scheduled: row[6], states, attempts: row[8], bySchedule: row[9] === 1, parameters: text(row[10]),
    tags: text(row[11]), tasks, explained: text(row[13]), masked: row[14] === 1, log,
    state: states.length ? states[states.length - 1] : { name: "", type: "", at: 0, message: "" },
  };
}

function readNote(row, texts) {
  const text = (number) => number < 0 ? "" : texts[number];
  return { kind: text(row[0]), at: row[1], until: row[2], text: text(row[3]), where: text(row[4]), run: row[5], code: text(row[6]) };
}

// What a run did, span by span: `work` is true while it ran, `look` a state's type and name. An attempt
// looks like the state that it ended in; what waited to be tried again had failed.
function spans(run, until) {
  const found = [];
  run.states.forEach((state, i) => {
    const next = run.states[i + 1];
    if (!next && FINAL.has(state.type)) return;
    let from = state.at;
    const to = next ? next.at : until;
    if (state.name === "Scheduled" && run.scheduled !== null) from = Math.max(from, run.scheduled);
    if (to < from) return;
    const work = WORK.has(state.type);
    let type = state.type, name = state.name;
    if (work && next) {
      const retried = next.name === "AwaitingRetry" || next.name === "Retrying";
      type = retried ? "FAILED" : FINAL.has(next.type) ? next.type : state.type;
      name = retried ? "attempt failed" : next.name;
    }
    if (to > from || work) found.push({ from, to, work, type, name });
  });
  return found;
}

// From when to when there is anything of a run to see.
function extent(run, until) {
  const parts = spans(run, until);
  const last = run.state.at;
  if (!parts.length) return [last, last];
  return [parts[0].from, Math.max(last, ...parts.map((one) => one.to))];
}

const fits = (run, filter) => (!filter.flow || run.flow === filter.flow)
  && (filter.state === "masked" ? run.masked : !filter.state || run.state.name === filter.state);

// The runs that are shown, in order: those that fit the filter and the window of time, below the runs that
// called them; without what has been folded away.
function shownRuns(runs, extents, filter, from, to, folded) {
  const kept = new Uint8Array(runs.length);
  for (const run of runs) {
    const [begin, end] = extents[run.index];
    if (end < from || begin > to) continue;
    if (!fits(run, filter)) continue;
    for (let one = run; one && !kept[one.index]; one = runs[one.parent]) kept[one.index] = 1;
  }
  const shown = [];
  let hiddenBelow = Infinity;
  for (const run of runs) {
    if (run.depth > hiddenBelow) continue;
    hiddenBelow = Infinity;
    if (kept[run.index]) shown.push(run.index);
    if (folded.has(run.index)) hiddenBelow = run.depth;
  }
  return shown;
}

const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];

// Where the axis has its marks: whole steps that leave each label so many pixels.
function ticks(from, to, width, room = 110) {
  const step = STEPS.find((one) => (to - from) / one * room <= width) || STEPS[STEPS.length - 1];
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to && found.length < 500; at += step) found.push(at);
  return { step, at: found };
}

const two = (number) => String(number).padStart(2, "0");

// An instant (seconds since the origin) in words, in UTC.
function instant(origin, seconds) {
  const at = new Date(origin + Math.round(seconds * 1000));
  const text = at.toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}${at.getUTCMilliseconds() ? text.slice(19, 23) : ""}`;
}

function tickLabel(origin, seconds, step) {
  const text = new Date(origin + seconds * 1000).toISOString();
  if (step >= 86400) return text.slice(5, 10);
  const time = text.slice(11, step >= 60 ? 16 : 19);
  return time === "00:00" || time === "00:00:00" ? text.slice(5, 10) : time;
}

// Seconds as a person says them: "0.25 s", "10m 05s", "2d 03h".
function duration(seconds) {
  if (seconds < 0) return "-" + duration(-seconds);
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds), days = Math.floor(whole / 86400);
  if (days) return `${days}d ${two(Math.floor(whole / 3600) % 24)}h`;
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
}

// A measure as a reader expects it: shares in per cent, seconds as a clock shows them.
function figure([, value, unit, low, high]) {
  if (value === null) return "–";
  const percent = (share) => `${Math.round(share * 100)}%`;
  if (unit === "share") return percent(value) + (low === null ? "" : ` (${Math.round(low * 100)}–${percent(high)})`);
  if (unit === "seconds") return duration(value);
  return String(Number(value.toPrecision(6)));
}
