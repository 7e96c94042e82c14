// Signs: the mark of each kind of finding. Its outline and colour say how serious it is, what is in it which kind.

// Outlines of the levels, in a box of 32: none looks like another without its colour.
const OUTLINES = {
  serious: "M3 3h26v26H3z", noticed: "M16 .5 31.5 16 16 31.5.5 16z", minor: "M16 1.5 31.5 29.5H.5z",
  unknown: "M4 4h24v24H4z", well: "M16 2.5a13.5 13.5 0 1 1 0 27 13.5 13.5 0 0 1 0-27z",
};

// What the levels mean, most serious first.
const LEVELS = [
  ["serious", "something is lost or wrong, and nobody is told"], ["noticed", "it ends badly, and somebody is told"],
  ["minor", "it costs something"], ["unknown", "nobody can say"], ["well", "it is well so"],
];

const CLOCK = "M12 6.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M12 9v3l2.2 1.6";
const BELL = "M12 6.5v6.5M12 16.4v.2", FOREVER = "M6.5 12c0-4 4-4 5.5 0s5.5 4 5.5 0-4-4-5.5 0-5.5 4-5.5 0";
const HALF = "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10|M12 7a5 5 0 0 1 0 10z", OUTLIVES = "M6.5 8.5h4.5M6.5 15h10.5M14.5 12.5 17 15l-2.5 2.5";
const TWICE = "M6.5 6.5h7.5V14H6.5zM10 14v3.5h7.5V10H14", TABLE = "M6.5 7.5h11v9.5h-11zM6.5 10.7h11M10.5 10.7V17";
const ABREAST = "M7.5 7v10M12 7v10M16.5 7v10";

// Lines in a box of 24, and after a bar what is filled. What is the same in the runs of a project and in an audit has one sign.
const SIGNS = {
  "no answer": "M9 9.3a3 3 0 1 1 4.2 2.7q-1.2.6-1.2 2.2M12 17v.2", "broken promise": "M13.5 6l-4 5h5l-4 7",
  zombie: FOREVER, masked: HALF, unnoticed: "M6.5 10.5c2.8 4.5 8.2 4.5 11 0M8.7 13.4l-1.4 2M12 14.2v2.6M15.3 13.4l1.4 2",
  "lost run": "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10M7 17 17 7", orphan: OUTLIVES, "skipped clean-up": "M7 9h10M8.3 9l.7 8.5h6l.7-8.5M10.5 6.5h3",
  "stale table": TABLE, "others fail": "M12 6.5v4.5M12 11l-4.5 6M12 11l4.5 6M12 11v6", "doubled work": TWICE, "at once": ABREAST,
  noticed: BELL, "not over": "M7.5 12h.1M12 12h.1M16.5 12h.1", late: CLOCK, moved: "M6.5 12h11M14 8.5l3.5 3.5-3.5 3.5",
  skipped: "M7.5 8l4 4-4 4M12.5 8l4 4-4 4", healed: "M16.6 13a4.7 4.7 0 1 1-1.4-4.4M16.5 6v3h-3", "never struck": "M7.5 12h9",
  nothing: "M7.5 12.3l3.2 3.2 6-7",
  "unknown deployment": "M10.8 7a3.8 3.8 0 1 1 0 7.6 3.8 3.8 0 0 1 0-7.6M13.5 13.5l4 4", "unknown name": "M7.5 17 12 7l4.5 10M9.3 13.5h5.4",
  "wrong parameters": "M7.5 10h9M7.5 14h9M14.5 7l-5 10", "masked failure": HALF, "left behind": "M8.5 18V6.5h8l-2.5 3 2.5 3h-8",
  endless: FOREVER, "endless trigger": "M7.3 11a4.9 4.9 0 0 1 8.6-2.6M16.3 5.8v3h-3M16.7 13a4.9 4.9 0 0 1-8.6 2.6M7.7 18.2v-3h3",
  "nobody waits": OUTLIVES, "doubled schedule": TWICE, "nested retries": "M8 8l8 8M16 8l-8 8", overlap: ABREAST,
  "change of clocks": "M8 7h8l-8 10h8z", starved: "M17 7v10M6.5 12h.1M10 12h.1M13.5 12h.1", fails: BELL,
  "ignored key": "M9 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M11.8 12h5.7v2.8M15 12v2", "frozen default": "M12 6.5v11M7.3 9.2l9.4 5.6M16.7 9.2l-9.4 5.6",
  collision: "M5.5 12h5M18.5 12h-5M8.5 9.8l2.2 2.2-2.2 2.2M15.5 9.8 13.3 12l2.2 2.2",
};

// Where the sign stands in its outline, and how large it is.
const PLACES = { minor: [4, 8, 1], noticed: [2.8, 2.8, 1.1] };

// The mark of a kind as numbers.py tells it; a kind that is not known here has its first letters in it.
function kindMark([kind, , level], size = 32) {
  const [x, y, scale] = PLACES[level] || [1, 1, 1.25];
  const sign = SIGNS[kind] ? SIGNS[kind].split("|").map((d, i) => svg("path", { class: i ? "sign filled" : "sign", d }))
    : [svg("text", { class: "letters", x: 12, y: 16.5, "text-anchor": "middle" }, kind.slice(0, 2))];
  return svg("svg", { class: `mark ${level}`, viewBox: "0 0 32 32", width: size, height: size, "aria-hidden": "true" },
    svg("path", { class: "outline", d: OUTLINES[level] || OUTLINES.unknown }),
    svg("g", { transform: `translate(${x} ${y}) scale(${scale})` }, ...sign));
}
