// One task in the gallery.

import { ago, date, duration, element, foreign, money, setText } from "./dom.js";
import { airflowPages } from "./host.js";
import { kindOf, mediaOf, showProgress, statusName } from "./media.js";
import { isInLoop, keyOf, nameOf } from "./names.js";
import { query } from "./api.js";

export class Card {
  static keyOf(task) {
    return JSON.stringify({ ...keyOf(task), at: task.ordered_at });
  }

  constructor(task) {
    this.element = element("li", { className: "card" });
    this.body = element("div", { className: "body" });
    this.element.append(this.body);
    this.update(task);
  }

  get isBusy() {
    return this.task.status === "in_progress";
  }

  update(task) {
    if (!this.task || kindOf(task) !== kindOf(this.task)) {
      this.media?.remove();
      this.media = mediaOf(task);
      this.element.prepend(this.media);
    }
    showProgress(this.media, task);
    const content = JSON.stringify({ ...task, progress: null });
    if (content !== this.content) this.#render(task);
    this.content = content;
    this.task = task;
    // these texts change with time
    setText(this.body.querySelector("time"), ago(task.ordered_at));
    setText(this.body.querySelector(".taken"), duration(timeTaken(task)));
  }

  #render(task) {
    // the focus of the keyboard must survive an update
    const focused = [...this.body.querySelectorAll("a, button, summary")].indexOf(document.activeElement);
    const opened = this.body.querySelector("details")?.open;
    this.body.replaceChildren(...contentOf(task));
    const details = this.body.querySelector("details");
    if (details) details.open = Boolean(opened);
    if (focused >= 0) this.body.querySelectorAll("a, button, summary")[focused]?.focus();
  }
}

function contentOf(task) {
  return [
    element(
      "p",
      { className: "labels" },
      element("span", { className: `status ${task.status}` }, statusName(task.status)),
      element("time", { dateTime: task.ordered_at, title: date(task.ordered_at) }, ago(task.ordered_at)),
    ),
    promptOf(task),
    uncollectedOf(task),
    element(
      "p",
      { className: "meta" },
      (isInLoop(task) || task.map_index >= 0) && foreign("span", nameOf(task), { title: "Task" }),
      foreign("span", task.model ?? "", { title: "Model" }),
      element("span", { title: task.size }, task.orientation),
      element("span", { className: "taken", title: "Time taken" }, duration(timeTaken(task))),
      task.status !== "failed" && element("span", { title: "Estimated cost" }, money(task.estimated_cost_usd)),
    ),
    linksOf(task),
  ].filter(Boolean);
}

function uncollectedOf({ uncollected }) {
  return uncollected && element("p", { className: "error" }, "Paid, not collected: video ", foreign("code", uncollected));
}

const LONG = 130; // letters in three lines; Chinese letters count twice

function promptOf(task) {
  const prompt = task.prompt ?? "";
  const width = [...prompt.slice(0, LONG + 1)].reduce((sum, letter) => sum + (letter > "\u2e80" ? 2 : 1), 0);
  if (width <= LONG) return foreign("p", prompt, { className: "prompt" });
  const short = foreign("span", prompt.slice(0, 3 * LONG), { className: "short" });
  return element(
    "details",
    { className: "prompt" },
    element("summary", {}, short),
    foreign("p", prompt, { className: "whole", tabIndex: 0 }),
  );
}

export function timeTaken(task) {
  if (task.generation_seconds !== null) return task.generation_seconds;
  const started = task.ordered_at ?? task.started_at;
  return started ? (new Date(task.ended_at ?? Date.now()) - new Date(started)) / 1000 : null;
}

export function linksOf(task, own = "Open") {
  const pages = airflowPages(task);
  const { dag_id, run_id } = task;
  const name = nameOf(task);
  return element(
    "p",
    { className: "links" },
    own && element("a", { href: `task?${query(keyOf(task))}`, ariaLabel: `Open ${name} of ${run_id}` }, own),
    element("a", { href: pages.dag, "data-airflow": "", title: dag_id }, foreign("span", dag_id)),
    element("a", { href: pages.run, "data-airflow": "", title: run_id }, "Run"),
    element("a", { href: pages.task, "data-airflow": "", title: name }, "Task"),
    element("a", { href: pages.log, "data-airflow": "" }, "Log"),
  );
}
