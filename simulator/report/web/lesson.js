// A lesson: the question first. What happened is shown to who has answered.

let answered = 0;  // kept while the reader looks at a run

function lessonView(lesson, scenario) {
  const happened = el("div", { "aria-live": "polite" });
  const show = () => happened.replaceChildren(...afterAnswer(lesson, scenario).filter((one) => one !== ""));
  const button = el("button", { type: "submit", disabled: !answered }, "See what happens");
  const choices = lesson.answers.map((text, i) => el("p", {}, el("label", {}, el("input", {
    type: "radio", name: "answer", value: i + 1, checked: answered === i + 1, required: true,
    onchange: () => { button.disabled = false; },
  }), ` ${i + 1}. ${text}`)));
  const form = el("form", { onsubmit: (event) => {
    event.preventDefault();
    answered = Number(new FormData(form).get("answer"));
    show();
    happened.firstChild.scrollIntoView();
  } }, el("fieldset", {}, el("legend", {}, lesson.question), choices), button);
  if (answered) show();
  return [el("h1", {}, lesson.title), form, happened];
}

function afterAnswer(lesson, scenario) {
  const said = lesson.right === null ? ""  // a solution was run, and the question is of the lanes as written
    : !lesson.right ? "None of the three can be told from this run: turn the knob."
    : answered === lesson.right ? `Answer ${answered} is right.`
    : `Not ${answered}: it is answer ${lesson.right}. ${lesson.answers[lesson.right - 1]}`;
  const facts = (pairs) => el("dl", {}, pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  return [
    el("h2", {}, "So"), said && el("p", { class: answered === lesson.right ? "holds" : "broken" }, said),
    el("p", {}, el("strong", {}, lesson.sentence)),
    el("h2", {}, "Two lanes on one time axis"), ...timeline(scenario, null),
    el("h2", {}, "What came out"),
    table(["", ...scenario.variants.map((one) => one.name)], lesson.figures, "What came out of both lanes"),
    el("h2", {}, "What shapes the picture"), facts(lesson.parameters),
    el("p", { class: "soft" }, "Repeat it: ", el("code", {}, lesson.command)),
    el("h2", {}, "What was run"), el("pre", {}, lesson.code),
    el("h2", {}, "Change this line and run again"), el("pre", {}, lesson.change),
    el("h2", {}, "Exercise"), el("p", {}, lesson.exercise), el("p", {}, lesson.solved),
    el("details", {}, el("summary", {}, "A solution"), el("pre", {}, lesson.solution)),
  ];
}
