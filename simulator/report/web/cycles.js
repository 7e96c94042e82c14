// Cycles: a long time folded into days, or into weeks. Pure functions of the runs; nothing here knows of the document.

const DAY = 86400;
const STARTS_FOLDED = 10 * DAY, CAN_FOLD = 2 * DAY;

// How long a cycle is: a day, and where there would be too many to be told apart, a week or four.
const cycleLength = (from, to) => [1, 7, 28].map((days) => days * DAY).find((one) => (to - from) / one <= 62) || 364 * DAY;
const cycleWord = (length, times = 1) => length === DAY ? `day${times === 1 ? "" : "s"}`
  : times === 1 ? `${length / DAY} days` : `spans of ${length / DAY} days`;
const cycleOf = (seconds, length) => Math.floor(seconds / length);
const dayOf = (origin, cycle, length) => instant(origin, cycle * length).slice(0, 10);
const cycleName = (origin, cycle, length) => (length === DAY ? "" : `${length / DAY} days from `) + dayOf(origin, cycle, length);

// How badly a run came out: 5 is the worst.
function badness(run) {
  if (BAD.has(run.state.type)) return run.state.type === "CANCELLED" ? 4 : 5;
  if (run.masked) return 3;
  return FINAL.has(run.state.type) ? 1 : 2;
}
const cameOut = (run) => run.masked ? `${run.state.name} although a run below it failed` : run.state.name;
const shapeOf = (run) => run.masked ? "◐" : looks(run.state.type, run.state.name)[2];

// The runs of a lane that fit the filter, folded: a row for all of them and one for each flow; in each, a tally
// for each cycle. A run belongs to the cycle in which the outermost run above it was due, or else began.
function foldedRows(lane, filter, length) {
  const rows = new Map([["", { flow: "", depth: 0, cells: new Map() }]]);
  let cycle = 0;
  for (const run of lane.runs) {
    if (run.depth === 0) cycle = cycleOf(run.scheduled ?? lane.extents[run.index][0], length);
    if (!fits(run, filter)) continue;
    for (const flow of ["", run.flow]) {
      if (!rows.has(flow)) rows.set(flow, { flow, depth: run.depth, cells: new Map() });
      count(rows.get(flow).cells, cycle, run, lane.extents[run.index][1]);
    }
  }
  const found = [...rows.values()];
  return found.length === 2 ? found.slice(1) : found;  // of a single flow, once
}

// The same, unless that is how they are folded.
function refold(lane, filter, length) {
  const wanted = JSON.stringify([filter, length]);
  if (lane.foldedBy !== wanted) lane.rows = foldedRows(lane, filter, length);
  lane.foldedBy = wanted;
}

function count(cells, cycle, run, end) {
  if (!cells.has(cycle)) cells.set(cycle, { total: 0, states: new Map(), worst: run, until: end });
  const tally = cells.get(cycle), name = cameOut(run);
  tally.total += 1;
  tally.until = Math.max(tally.until, end);
  tally.states.set(name, { badness: badness(run), shape: shapeOf(run), times: (tally.states.get(name)?.times ?? 0) + 1 });
  if (badness(run) > badness(tally.worst)) tally.worst = run;
}

const worstFirst = (tally) => [...tally.states].sort(([, a], [, b]) => b.badness - a.badness);
const timesOfWorst = (tally) => tally.states.get(cameOut(tally.worst)).times;
const tallyInWords = (tally) => `${tally.total} run${tally.total === 1 ? "" : "s"}: `
  + worstFirst(tally).map(([name, { times }]) => `${times} ${name}`).join(", ");

// How many runs a folded lane shows, and in how many cycles.
function foldedInWords(lane, length) {
  const tallies = [...lane.rows[0].cells.values()], shown = tallies.reduce((sum, tally) => sum + tally.total, 0);
  return `${shown} of ${lane.runs.length} runs, folded into ${tallies.length} ${cycleWord(length, tallies.length)}`;
}

// What a cell may say, the longest first: how many of how many are as the worst of them.
function cellTexts(tally) {
  const shape = shapeOf(tally.worst), times = timesOfWorst(tally);
  return [...(times < tally.total ? [`${shape} ${times} of ${tally.total}`] : []), `${shape} ${times}`, `${shape}${times}`, shape];
}

// Every cycle of a lane, each once, oldest first.
const cyclesOf = (rows) => [...new Set(rows.flatMap((row) => [...row.cells.keys()]))].sort((a, b) => a - b);
