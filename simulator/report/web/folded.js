// Folded: draws the cycles of a lane as cells on the time axis, and reacts to the reader.

function drawFolded(canvas, lane, view, scenario, width, height, top) {
  const colour = colours(), pen = prepared(canvas, width, height), scale = scaleOf(view, width), { left } = scale;
  const first = Math.floor(top / ROW), last = Math.min(lane.rows.length, Math.ceil((top + height) / ROW));
  pen.fillStyle = colour("stripe");
  for (let row = first; row < last; row++) if (row % 2) pen.fillRect(0, row * ROW - top, width, ROW);
  pen.save();
  pen.beginPath(); pen.rect(left, 0, width - left, height); pen.clip();
  drawGround(pen, colour, { ...lane, due: [] }, view, scenario, scale, width, height);
  for (let row = first; row < last; row++) {
    for (const [cycle, tally] of lane.rows[row].cells) drawCell(pen, colour, tally, cycle, row * ROW - top, view, scale, width);
  }
  const at = view.cell && view.cell.lane === lane ? view.cell : null;
  if (at) {
    const from = scale.x(at.cycle * view.cycle), to = scale.x((at.cycle + 1) * view.cycle);
    pen.strokeStyle = colour("focus");
    pen.lineWidth = 3;
    pen.strokeRect(from - 0.5, at.row * ROW - top + 0.5, Math.max(to - from, 4) + 1, ROW - 1);
    pen.lineWidth = 1;
  }
  pen.restore();
  for (let row = first; row < last; row++) {
    const { flow, depth } = lane.rows[row], indent = flow ? 14 + Math.min(depth, 6) * 10 : 6;
    pen.fillStyle = colour("ink");
    pen.font = `${flow ? "" : "bold "}12px system-ui, sans-serif`;
    pen.fillText(fitted((text) => pen.measureText(text).width, flow || "all runs", left - indent - 6), indent, row * ROW - top + ROW / 2);
  }
  pen.fillStyle = colour("line");
  pen.fillRect(left - 1, 0, 1, height);
}

// A cell: low if all went well, hollow if something is not over, as high as its row and hatched if something ended
// badly, half of it red if that was masked. So the shape says what the colour does, also where no letter has room.
function drawCell(pen, colour, tally, cycle, y, view, { left, x }, width) {
  const from = x(cycle * view.cycle), to = x((cycle + 1) * view.cycle), gap = to - from > 5 ? 1 : 0.25;
  if (to < left || from > width) return;
  const run = tally.worst, wide = Math.max(to - from - 2 * gap, 1), bad = badness(run);
  const [name] = looks(run.state.type, run.state.name), low = bad === 1 ? 4 : 1, high = ROW - 2 * low;
  pen.fillStyle = pen.strokeStyle = colour(name);
  if (bad === 2) {
    pen.lineWidth = Math.min(2, wide / 3);
    pen.strokeRect(from + gap + pen.lineWidth / 2, y + low + 1, Math.max(wide - pen.lineWidth, 0.5), high - 2);
    pen.lineWidth = 1;
  } else pen.fillRect(from + gap, y + low, wide, high);
  if (bad >= 4) hatch(pen, colour, from + gap, y + low, wide, high);
  if (bad === 3) {
    pen.fillStyle = colour("failed");
    pen.fillRect(from + gap, y + ROW / 2, wide, ROW / 2 - low);
  }
  const seen = Math.max(from, left), room = Math.min(to, width) - seen - 2 * gap, middle = seen + gap + room / 2;
  const text = cellTexts(tally).find((one) => pen.measureText(one).width + 4 <= room);
  if (!text) return;
  pen.textAlign = "center";
  pen.fillStyle = bad === 2 ? colour("ink") : name === "cancelled" ? colour("paper") : "#10151b";
  if (bad >= 3 && name !== "cancelled") {  // legible on what is hatched or of two colours
    pen.lineWidth = 3;
    pen.strokeStyle = "rgba(255, 255, 255, .75)";
    pen.strokeText(text, middle, y + ROW / 2 + 0.5);
    pen.lineWidth = 1;
  }
  pen.fillText(text, middle, y + ROW / 2 + 0.5);
  pen.textAlign = "start";
}

const cellInWords = (scenario, lane, view, row, cycle) => {
  const tally = lane.rows[row].cells.get(cycle);
  return `${cycleName(scenario.origin, cycle, view.cycle)}, ${lane.rows[row].flow || "all runs"}, ${tally ? tallyInWords(tally) : "no run"}`;
};

// What pointer and keys do on a folded lane, as `runActs` says it of one with its runs.
function cellActs(scenario, part, { view, unfold, moveTo, redraw }, scale) {
  const { lane, scroller } = part;
  const known = (row, cycle) => lane.rows[row]?.cells.has(cycle);
  const at = (x) => cycleOf(scale().at(x), view.cycle);
  const choose = (row, cycle) => {
    if (!lane.rows[row] || cycle === undefined) return;
    view.cell = { lane, row, cycle };
    const top = row * ROW, begin = cycle * view.cycle;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    if (top + ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + ROW - scroller.clientHeight;
    if (begin < view.from) moveTo(begin);
    if (begin + view.cycle > view.to) moveTo(begin + view.cycle - (view.to - view.from));
    say(cellInWords(scenario, lane, view, row, cycle));
    redraw(false);
  };
  const step = (rows, cycles) => {
    const all = cyclesOf(lane.rows), here = view.cell && view.cell.lane === lane ? view.cell : null;
    const place = Math.min(Math.max(all.indexOf(here?.cycle) + cycles, 0), all.length - 1);
    choose(here ? Math.min(Math.max(here.row + rows, 0), lane.rows.length - 1) : 0, all[place]);
  };
  const open = () => view.cell && view.cell.lane === lane && known(view.cell.row, view.cell.cycle) && unfold(part, view.cell.row, view.cell.cycle);
  return {
    title: (x, row) => known(row, at(x)) ? cellInWords(scenario, lane, view, row, at(x)) : "",
    click: (x, row) => { if (known(row, at(x))) unfold(part, row, at(x)); },
    keys: {
      ArrowLeft: () => step(0, -1), ArrowRight: () => step(0, 1), ArrowUp: () => step(-1, 0), ArrowDown: () => step(1, 0),
      Home: () => step(0, -Infinity), End: () => step(0, Infinity), Enter: open, " ": open,
    },
  };
}

// Folded cycles as a table: what the cells show, for a screen reader, for the keyboard and to copy.
function cycleTable(scenario, lane, view, link) {
  const all = lane.rows[0];
  const rows = cyclesOf([all]).map((cycle) => {
    const tally = all.cells.get(cycle);
    return [
      el("a", { href: link(dayOf(scenario.origin, cycle, view.cycle)) }, cycleName(scenario.origin, cycle, view.cycle)),
      stateMark(tally.worst.state), String(tally.total),
      el("span", {}, worstFirst(tally).map(([name, { times, shape }]) => `${shape} ${times} ${name}`).join(", ")),
    ];
  });
  return table([`${cycleWord(view.cycle)} (UTC)`, "worst state", "runs", "how they came out"], rows, `Runs of ${lane.variant.slug}, folded`);
}
