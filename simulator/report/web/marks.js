// Marks: what stands on the time axis beside the runs. Changes of clocks, and broken promises.

const PROMISE = 22, CLOCKS = 16;
const axisHeight = (scenario) => AXIS + (scenario.clocks.length ? CLOCKS : 0);

// The changes of clocks by their instant: all zones that change then, in words.
function clockChanges(scenario) {
  const found = new Map();
  for (const [at, zone, before, after] of scenario.clocks) {
    const known = found.get(at) || new Map(), change = `${before} → ${after}`;
    known.set(change, [...(known.get(change) || []), zone]);
    found.set(at, known);
  }
  return [...found].map(([at, known]) =>
    ({ at, text: [...known].map(([change, zones]) => `${zones.join(", ")}: ${change}`).join("; ") }));
}

// The broken promises of a variant, the first break of each: when, and from when on it could not be averted.
const brokenPromises = (variant) => variant.verdicts.filter((one) => (one[7] ?? null) !== null)
  .map((one) => ({ name: one[0], broken: one[7], lost: one[8] })).sort((a, b) => a.broken - b.broken);
const isEarlier = ({ lost, broken }) => lost !== null && lost < broken;
const promiseInWords = (origin, one) => `${one.name}: `
  + (isEarlier(one) ? `could no longer be kept from ${instant(origin, one.lost)} UTC on, ` : "")
  + `broken at ${instant(origin, one.broken)} UTC`;

// A clock on the axis for each change, with what changes where there is room for it.
function drawClocks(pen, colour, scenario, { left, x }, width) {
  let end = left;
  pen.textAlign = "start";
  pen.fillStyle = pen.strokeStyle = colour("clocks");
  for (const { at, text } of clockChanges(scenario)) {
    const there = x(at), y = AXIS + CLOCKS / 2 - 1;
    if (there < left || there > width) continue;
    pen.fillRect(there - 0.5, 20, 1, AXIS + CLOCKS - 20);
    const long = pen.measureText(text).width, before = there + 10 + long > width;  // the text stands where it has room
    const from = before ? there - 10 - long : there + 10;
    if (from >= end) {
      pen.fillText(text, from, y);
      end = from + long + (before ? 20 : 6);
    }
    drawClock(pen, there, y);
  }
}

function drawClock(pen, x, y) {
  pen.save();
  pen.fillStyle = colours()("paper");
  pen.lineWidth = 1.5;
  pen.beginPath(); pen.arc(x, y, 5.5, 0, 7); pen.fill(); pen.stroke();
  pen.beginPath(); pen.moveTo(x, y - 3.5); pen.lineTo(x, y); pen.lineTo(x + 2.5, y + 1.5); pen.stroke();
  pen.restore();
}

// The same instants in a lane, as lines behind its runs.
function drawMoments(pen, colour, lane, scenario, { x }, height) {
  const line = (name, at, dashes) => {
    pen.strokeStyle = colour(name);
    pen.setLineDash(dashes);
    pen.beginPath(); pen.moveTo(x(at), 0); pen.lineTo(x(at), height); pen.stroke();
  };
  for (const [at] of scenario.clocks) line("clocks", at, [1, 3]);
  for (const one of lane.promises) {
    if (isEarlier(one)) line("bad", one.lost, [6, 2]);
    line("bad", one.broken, []);
  }
  pen.setLineDash([]);
}

// A row for each broken promise: from when on it could not be kept, and when it broke.
function drawPromises(canvas, lane, view, scenario, width) {
  const colour = colours(), pen = prepared(canvas, width, lane.promises.length * PROMISE), { left, x } = scaleOf(view, width);
  canvas.style.width = `${width}px`;
  lane.promises.forEach((one, place) => {
    const middle = place * PROMISE + PROMISE / 2;
    pen.fillStyle = colour("ink");
    pen.fillText(fitted((text) => pen.measureText(text).width, one.name, left - 16), 8, middle);
    pen.save();
    pen.beginPath(); pen.rect(left, place * PROMISE, width - left, PROMISE); pen.clip();
    pen.strokeStyle = pen.fillStyle = colour("bad");
    const at = x(one.broken), lost = isEarlier(one) ? x(one.lost) : at;
    if (isEarlier(one)) {
      pen.fillRect(lost, middle - 1, Math.max(at - lost, 1), 2);
      drawTooLate(pen, lost - 8, middle);
    }
    pen.fillRect(lost - 0.5, place * PROMISE, 1, PROMISE);
    pen.fillRect(at - 0.5, place * PROMISE, 1, PROMISE);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(at + 4, middle - 4); pen.lineTo(at + 12, middle + 4); pen.moveTo(at + 12, middle - 4); pen.lineTo(at + 4, middle + 4);
    pen.stroke();
    const short = (when) => instant(scenario.origin, when).slice(5, 16);
    const text = (isEarlier(one) ? `too late from ${short(one.lost)}, ` : "") + `broken ${short(one.broken)}`;
    const long = pen.measureText(text).width;
    if (at + 18 + long < width) pen.fillText(text, at + 18, middle);
    else if (lost - 20 - long > left) pen.fillText(text, lost - 20 - long, middle);
    pen.restore();
  });
  pen.fillStyle = colour("line");
  pen.fillRect(left - 1, 0, 1, lane.promises.length * PROMISE);
}

// A circle with a stroke: no way any more.
function drawTooLate(pen, x, y) {
  pen.lineWidth = 2;
  pen.beginPath(); pen.arc(x, y, 5.5, 0, 7); pen.moveTo(x - 4, y - 4); pen.lineTo(x + 4, y + 4); pen.stroke();
}

// The same in words: a screen reader has no canvas.
function clocksInWords(scenario) {
  const found = clockChanges(scenario);
  return found.length ? el("p", { class: "clocks" }, "Clocks change: ",
    found.map(({ at, text }) => `${text} (${instant(scenario.origin, at)} UTC)`).join("; ")) : "";
}

function promisesInWords(scenario, lane, around) {
  return lane.promises.length ? el("ul", { class: "promises", "aria-label": `Broken promises of ${lane.variant.slug}` }, lane.promises.map((one) =>
    el("li", {}, el("button", { type: "button", onclick: () => around(isEarlier(one) ? one.lost : one.broken, one.broken) },
      isEarlier(one) ? "⊘ Show from when on" : "✗ Show when"), ` ${promiseInWords(scenario.origin, one)}`))) : "";
}
