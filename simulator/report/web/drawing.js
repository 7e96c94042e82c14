// Drawing: a lane of runs, and the axis, on a canvas. Only what can be seen is drawn.

const ROW = 22, AXIS = 30, AGE = 34, ROOM = 56;
const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
};

const indentOf = (run) => 6 + Math.min(run.depth, 6) * 10;
const labelWidth = (width) => Math.round(Math.min(240, Math.max(144, width * 0.28)));

// A text in so many pixels: what does not fit is left out of its middle, since names of flows differ at either end.
function fitted(measure, text, room) {
  if (measure(text) <= room) return text;
  for (let kept = text.length - 1; kept > 2; kept--) {
    const head = Math.ceil(kept * 0.6), short = `${text.slice(0, head)}…${text.slice(text.length - kept + head)}`;
    if (measure(short) <= room) return short;
  }
  return `${text.slice(0, 1)}…`;
}

// Give the canvas its size in the pixels of the screen; returns what to draw with, in those of the page.
function prepared(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return pen;
}

const scaleOf = (view, width) => {
  const left = labelWidth(width), room = Math.max(width - left - 12, 1);
  return { left, x: (at) => left + (at - view.from) / (view.to - view.from) * room,
           at: (x) => view.from + (x - left) / room * (view.to - view.from), perPixel: (view.to - view.from) / room };
};

function drawAxis(canvas, view, scenario, width) {
  const colour = colours(), pen = prepared(canvas, width, axisHeight(scenario)), { left, x } = scaleOf(view, width);
  const { step, at } = ticks(view.from, view.to, width - left, ROOM);
  pen.fillStyle = colour("soft");
  pen.fillText("UTC", 4, AXIS / 2);
  pen.textAlign = "center";
  for (const one of at) {
    pen.fillText(tickLabel(scenario.origin, one, step), Math.min(Math.max(x(one), left + 16), width - 18), 10);
    pen.fillRect(x(one), 20, 1, 10);
  }
  for (const there of scenario.partings.map(([, at]) => x(at))) {
    if (there < left || there > width) continue;
    pen.fillStyle = colour("parted");
    pen.beginPath();
    pen.moveTo(there - 6, 18); pen.lineTo(there + 6, 18); pen.lineTo(there, 29); pen.fill();
  }
  drawClocks(pen, colour, scenario, { left, x }, width);
}

// The part of a lane that its scroller shows: `top` is how far it has been scrolled.
function drawLane(canvas, lane, view, scenario, width, height, top) {
  const colour = colours(), pen = prepared(canvas, width, height), scale = scaleOf(view, width);
  const first = Math.floor(top / ROW), last = Math.min(lane.shown.length, Math.ceil((top + height) / ROW));
  const { left, x } = scale;
  pen.fillStyle = colour("stripe");
  for (let row = first; row < last; row++) if (row % 2) pen.fillRect(0, row * ROW - top, width, ROW);
  pen.save();
  pen.beginPath(); pen.rect(left, 0, width - left, height); pen.clip();
  drawGround(pen, colour, lane, view, scenario, scale, width, height);
  for (let row = first; row < last; row++) drawRun(pen, colour, lane, lane.shown[row], row * ROW - top, scale, width);
  pen.restore();
  for (let row = first; row < last; row++) drawLabel(pen, colour, lane, lane.shown[row], row * ROW - top, left, view);
  pen.fillStyle = colour("line");
  pen.fillRect(left - 1, 0, 1, height);
}

// What lies behind the runs: marks of the axis, schedule ticks, windows of faults, where the variants part.
function drawGround(pen, colour, lane, view, scenario, scale, width, height) {
  const { left, x } = scale;
  pen.fillStyle = colour("line");
  for (const at of ticks(view.from, view.to, width - left, ROOM).at) pen.fillRect(x(at), 0, 1, height);
  pen.fillStyle = colour("band");
  for (const band of lane.bands) {
    if (band.until >= view.from && band.at <= view.to) pen.fillRect(x(band.at), 0, Math.max(x(band.until) - x(band.at), 2), height);
  }
  pen.fillStyle = colour("scheduled");
  let drawn = -9;
  for (const at of lane.due) {
    const there = x(at);
    if (there < left || there > width || there - drawn < 2) continue;
    pen.fillRect(there - 1, 0, 2, 5);
    drawn = there;
  }
  pen.strokeStyle = colour("parted");
  pen.setLineDash([4, 3]);
  for (const there of scenario.partings.map(([, at]) => x(at))) {
    pen.beginPath(); pen.moveTo(there, 0); pen.lineTo(there, height); pen.stroke();
  }
  pen.setLineDash([]);
  drawMoments(pen, colour, lane, scenario, scale, height);
  if (lane.until < view.to) {
    pen.fillStyle = colour("panel");
    pen.fillRect(x(lane.until), 0, width - x(lane.until), height);
  }
}

function drawRun(pen, colour, lane, index, y, { left, x }, width) {
  const run = lane.runs[index], middle = y + ROW / 2;
  for (const span of spans(run, lane.until)) {
    const from = Math.max(x(span.from), left - 2), to = Math.min(x(span.to), width + 2);
    if (to < left || from > width) continue;
    const [name, letter] = looks(span.type, span.name);
    pen.fillStyle = colour(name);
    if (!span.work) {  // a wait: a thin line with an end
      pen.fillRect(from, middle - 1.5, Math.max(to - from, 1), 3);
      pen.fillRect(from, middle - 4, 1, 8);
      continue;
    }
    pen.fillRect(from, y + 4, Math.max(to - from, 2), ROW - 8);
    if (BAD.has(span.type)) hatch(pen, colour, from, y + 4, Math.max(to - from, 2), ROW - 8);
    if (to - from > 16) {
      pen.fillStyle = name === "running" || name === "cancelled" ? "#ffffff" : "#10151b";
      pen.fillText(letter, from + 4, middle + 0.5);
    }
  }
  drawEnd(pen, colour, run, middle, x, lane.until);
  for (const fault of lane.faults.get(index) || []) drawFault(pen, colour, x(fault.at), y);
}

// Lines across a bar: what ended badly is not only red.
function hatch(pen, colour, x, y, width, height) {
  pen.save();
  pen.beginPath(); pen.rect(x, y, width, height); pen.clip();
  pen.strokeStyle = "rgba(0, 0, 0, .35)";
  pen.beginPath();
  const begin = Math.max(x, 0);
  for (let at = begin - height; at < Math.min(x + width, 6000); at += 6) { pen.moveTo(at, y + height); pen.lineTo(at + height, y); }
  pen.stroke();
  pen.restore();
}

// The state that a run is in: a mark at the end of its row, of its own shape for each.
function drawEnd(pen, colour, run, middle, x, until) {
  const [name] = looks(run.state.type, run.state.name);
  const there = x(FINAL.has(run.state.type) ? run.state.at : until) + 6;
  pen.strokeStyle = pen.fillStyle = colour(name);
  pen.lineWidth = 2;
  pen.beginPath();
  if (run.state.type === "COMPLETED") { pen.moveTo(there - 3, middle); pen.lineTo(there, middle + 3); pen.lineTo(there + 5, middle - 4); }
  else if (run.state.type === "FAILED" || run.state.type === "CRASHED") {
    pen.moveTo(there - 3, middle - 4); pen.lineTo(there + 4, middle + 4); pen.moveTo(there + 4, middle - 4); pen.lineTo(there - 3, middle + 4);
  } else if (run.state.type === "CANCELLED") { pen.moveTo(there - 3, middle); pen.lineTo(there + 5, middle); }
  else if (run.state.type === "RUNNING") { pen.moveTo(there - 2, middle - 4); pen.lineTo(there + 5, middle); pen.lineTo(there - 2, middle + 4); pen.closePath(); }
  else pen.arc(there + 1, middle, 3.5, 0, 7);
  pen.stroke();
  pen.lineWidth = 1;
  if (run.masked) drawMasked(pen, colour, there + 15, middle);
}

// Completed although a run below Failed: a disc, half of it red.
function drawMasked(pen, colour, x, y) {
  pen.fillStyle = colour("completed");
  pen.beginPath(); pen.arc(x, y, 6, 0, 7); pen.fill();
  pen.fillStyle = colour("failed");
  pen.beginPath(); pen.arc(x, y, 6, -Math.PI / 2, Math.PI / 2); pen.fill();
  pen.strokeStyle = colour("ink");
  pen.beginPath(); pen.arc(x, y, 6, 0, 7); pen.moveTo(x, y - 6); pen.lineTo(x, y + 6); pen.stroke();
}

function drawFault(pen, colour, x, y) {
  pen.fillStyle = colour("fault");
  pen.strokeStyle = colour("paper");
  pen.beginPath();
  pen.moveTo(x + 2, y + 1); pen.lineTo(x - 4, y + 12); pen.lineTo(x, y + 12); pen.lineTo(x - 2, y + 21);
  pen.lineTo(x + 5, y + 9); pen.lineTo(x + 1, y + 9); pen.closePath();
  pen.fill(); pen.stroke();
}

function drawLabel(pen, colour, lane, index, y, left, view) {
  const run = lane.runs[index], indent = indentOf(run), middle = y + ROW / 2;
  pen.save();
  pen.beginPath(); pen.rect(0, y, left - 4, ROW); pen.clip();
  if (view.selected && view.selected.lane === lane && view.selected.index === index) {
    pen.strokeStyle = colour("focus");
    pen.lineWidth = 2;
    pen.strokeRect(1, y + 1, left - 6, ROW - 2);
    pen.lineWidth = 1;
  }
  pen.fillStyle = colour("soft");
  if (lane.hasChildren[index]) pen.fillText(lane.folded.has(index) ? "▸" : "▾", indent - 4, middle);
  pen.fillStyle = colour("ink");
  pen.fillText(fitted((text) => pen.measureText(text).width, run.flow, left - indent - 14), indent + 8, middle);
  pen.restore();
}

// How old each table is at each instant, since it was written last; all lanes of a scenario have one scale.
function drawAges(canvas, lane, view, width, oldest) {
  const height = lane.tables.length * AGE, colour = colours(), pen = prepared(canvas, width, height);
  const { left, x } = scaleOf(view, width);
  canvas.style.width = `${width}px`;
  lane.tables.forEach(({ name, written, most }, place) => {
    const base = (place + 1) * AGE - 2, y = (age) => base - age / oldest * (AGE - 6);
    pen.fillStyle = colour("ink");
    pen.fillText(fitted((text) => pen.measureText(text).width, name, left - 16), 8, base - AGE + 12);
    pen.fillStyle = colour("soft");
    pen.fillText(`at most ${duration(most)} old`, 8, base - 8);
    pen.save();
    pen.beginPath(); pen.rect(left, place * AGE, width - left, AGE); pen.clip();
    pen.strokeStyle = colour("scheduled");
    pen.beginPath();
    written.forEach((at, i) => {
      const next = written[i + 1] ?? lane.until;
      if (next < view.from || at > view.to) return;
      pen.moveTo(x(at), base); pen.lineTo(x(next), y(next - at));
      if (i + 1 < written.length) pen.lineTo(x(next), base);
    });
    pen.stroke();
    pen.restore();
    pen.fillStyle = colour("line");
    pen.fillRect(0, base + 1, width, 1);
  });
  pen.fillRect(left - 1, 0, 1, height);
}
