// A run that goes on: what the server tells of it is shown at once.

const doing = el("p", { class: "doing", role: "status" }, "Waiting for the run.");
main.before(doing);

// What is looked at, if it cannot change any more: a variant is in the results as a whole.
const stays = () => {
  const [scenario, variant] = linked().parts;
  return DATA.scenarios.some((one) => one.name === scenario && one.variants.some((own) => own.slug === variant));
};

const events = new EventSource("events");
events.onmessage = ({ data }) => {
  const told = JSON.parse(data);
  const text = told.over ? "The run is over; report.html beside the results is this page."
    : told.doing.length ? `Running: ${told.doing.join("; ")}` : "Running.";
  if (doing.textContent !== text) doing.textContent = text;  // a screen reader says each change
  if (told.data) {
    const before = stays();
    read(told.data);
    if (!before) show(false);
  }
  if (told.over) events.close();
};
events.onerror = () => {
  if (events.readyState !== EventSource.CLOSED) events.close();
  doing.textContent = "The run is no longer there.";
};
