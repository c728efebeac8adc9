// The page of all tasks that have ordered.

import { get } from "./api.js";
import { Card } from "./card.js";
import { date, duration, element, money, setText } from "./dom.js";
import { followLinks, followTheme, goWhereAsked } from "./host.js";

const BUSY = 3000; // milliseconds between two requests while a task is in progress
const QUIET = 15000;
const SLOW = 60000; // milliseconds between two sums, for tasks on other pages
const FIELDS = ["dag_id", "task_id", "status", "model", "day"];
// In the Overview of a task, the Dag and the task are given.
const isOverview = new URLSearchParams(location.search).has("overview");

const filter = document.getElementById("filter");
const list = document.getElementById("cards");
const message = document.getElementById("message");
const pages = document.getElementById("pages");
const further = document.getElementById("further");
const cards = new Map();
let asked = 0;
let timer;
let summaryOf = "";

function wanted() {
  const parameters = new URLSearchParams(location.search);
  const values = Object.fromEntries([...FIELDS, "before", "page"].map((name) => [name, parameters.get(name) ?? ""]));
  return { ...values, page: Math.max(1, Math.trunc(Number(values.page)) || 1) };
}

function want(changes) {
  const { page, ...fields } = { ...wanted(), ...changes };
  const parameters = new URLSearchParams(Object.entries(fields).filter(([, value]) => value));
  if (page > 1) parameters.set("page", page);
  if (isOverview) parameters.set("overview", "1");
  history.replaceState(null, "", `?${parameters}`);
  return load();
}

function asFilter({ day, page, ...fields }) {
  if (!day) return fields;
  const since = new Date(`${day}T00:00`);
  const until = new Date(since);
  until.setDate(until.getDate() + 1);
  return { ...fields, since: since.toISOString(), until: until.toISOString() };
}

async function load() {
  clearTimeout(timer);
  const turn = ++asked;
  const chosen = wanted();
  const parameters = asFilter(chosen);
  list.ariaBusy = true;
  try {
    const found = await get("tasks", { ...parameters, page: chosen.page });
    if (turn !== asked) return;
    show(found);
    showEnd(found);
    await summarize(parameters, found, chosen, turn);
    message.hidden = true;
  } catch (error) {
    if (turn !== asked) return;
    message.textContent = error.message;
    message.hidden = false;
  } finally {
    if (turn === asked) {
      list.ariaBusy = false;
      const busy = [...cards.values()].some((card) => card.isBusy);
      if (!document.hidden) timer = setTimeout(load, busy ? BUSY : QUIET);
    }
  }
}

function show({ tasks }) {
  const shown = new Map(tasks.map((task) => [Card.keyOf(task), task]));
  for (const [key, card] of cards) {
    if (shown.has(key)) continue;
    card.element.remove();
    cards.delete(key);
  }
  let position = list.firstElementChild;
  for (const [key, task] of shown) {
    let card = cards.get(key);
    if (card) card.update(task);
    else cards.set(key, (card = new Card(task)));
    // moved only if it must be: moving stops a playing video
    if (card.element === position) position = position.nextElementSibling;
    else list.insertBefore(card.element, position);
  }
}

// A search that no index serves looks back over some Dag runs, and goes on when a person wants it.
function showEnd({ searched_until: until, continue_before: before }) {
  further.hidden = !until;
  if (!until) return;
  setText(further.querySelector("span"), `The search went back to the Dag runs of ${date(until)}.`);
  const button = further.querySelector("button");
  button.hidden = before === null;
  button.value = before ?? "";
}

// The sums cost more than a page: they are read when the filter changes, when a task here ends, and once a minute.
async function summarize(parameters, { tasks, more }, { page }, turn) {
  const age = Math.floor(Date.now() / SLOW);
  const state = JSON.stringify([parameters, age, tasks.map((task) => [Card.keyOf(task), task.status])]);
  if (state !== summaryOf) {
    const { before, ...filtered } = parameters;
    const { totals, dags, models, page_size: size, searched_until: until } = await get("summary", filtered);
    if (turn !== asked) return;
    summaryOf = state;
    showTotals(totals);
    showSpan(until);
    suggest("task-ids", tasks.map((task) => task.task_id));
    offer("dag_id", "All Dags", dags);
    offer("model", "All models", models);
    pages.dataset.of = until || before ? "" : Math.max(1, Math.ceil(totals.tasks / size));
    showEmptiness(totals, until);
  }
  const ofAll = pages.dataset.of && ` of ${Math.max(page, pages.dataset.of)}`;
  document.getElementById("page").textContent = `Page ${page}${ofAll}`;
  document.getElementById("newer").disabled = page <= 1;
  document.getElementById("older").disabled = !more;
  pages.hidden = page <= 1 && !more;
}

function showSpan(until) {
  const span = document.getElementById("span");
  span.hidden = !until;
  if (until) setText(span, `These figures count the Dag runs since ${date(until)}.`);
}

function showTotals(totals) {
  const rate = totals.success_rate === null ? "–" : `${(100 * totals.success_rate).toFixed(totals.success_rate === 1 ? 0 : 1)} %`;
  const figures = {
    Videos: totals.videos.toLocaleString("en"),
    "In progress": totals.in_progress.toLocaleString("en"),
    "Success rate": rate,
    "Estimated cost": money(totals.estimated_cost_usd),
    "Mean job time": duration(totals.mean_generation_seconds),
  };
  document.getElementById("totals").replaceChildren(
    ...Object.entries(figures).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

function showEmptiness({ tasks }, until) {
  const filtered = [...FIELDS, "before"].some((name) => wanted()[name]);
  document.getElementById("empty").hidden = tasks > 0 || filtered || Boolean(until);
  document.getElementById("totals").hidden = tasks === 0;
  let nothing = document.getElementById("nothing");
  nothing?.remove();
  if (tasks === 0 && filtered) {
    nothing = element("p", { id: "nothing", className: "message" }, "No task matches this filter.");
    list.after(nothing);
  }
}

function offer(name, all, values) {
  const select = filter.elements[name];
  const chosen = wanted()[name];
  const offered = chosen && !values.includes(chosen) ? [...values, chosen] : values;
  if (select.dataset.offered !== JSON.stringify(offered)) {
    select.dataset.offered = JSON.stringify(offered);
    select.replaceChildren(new Option(all, ""), ...offered.map((value) => new Option(value, value)));
  }
  select.value = chosen;
}

// Only the tasks on this page: Airflow's database has no index by which to find all of them.
function suggest(id, values) {
  document.getElementById(id).replaceChildren(...[...new Set(values)].map((value) => new Option(value)));
}

function fillForm() {
  for (const name of FIELDS) filter.elements[name].value = wanted()[name];
}

filter.addEventListener("change", ({ target }) => want({ [target.name]: target.value, before: "", page: 1 }));
filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("reset", (event) => {
  event.preventDefault();
  const given = isOverview ? ["dag_id", "task_id"] : [];
  const others = FIELDS.filter((name) => !given.includes(name));
  want({ ...Object.fromEntries(others.map((name) => [name, ""])), before: "", page: 1 });
  fillForm();
});
async function turnPage(by) {
  await want({ page: wanted().page + by });
  scrollTo(0, 0);
}
document.getElementById("newer").addEventListener("click", () => turnPage(-1));
document.getElementById("older").addEventListener("click", () => turnPage(1));
further.querySelector("button").addEventListener("click", ({ target }) => want({ before: target.value, page: 1 }));
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : load()));

document.documentElement.classList.toggle("overview", isOverview);
goWhereAsked();
followTheme();
followLinks();
fillForm();
load();
