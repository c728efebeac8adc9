// The page of one task instance.

import { asked, contentAddress, get } from "./api.js";
import { linksOf, timeTaken } from "./card.js";
import { ago, bytes, date, duration, element, foreign, money } from "./dom.js";
import { followLinks, followTheme, leadToGallery } from "./host.js";
import { kindOf, mediaOf, numbered, showProgress, statusName } from "./media.js";

const BUSY = 2000; // milliseconds between two requests

const { try_number: linked, ...key } = asked();
const area = document.getElementById("video");
const message = document.getElementById("message");
let last;

async function load() {
  let busy = true;
  try {
    const task = await get("task", key);
    show(task);
    busy = task.status === "in_progress";
    message.hidden = true;
  } catch (error) {
    message.textContent = error.message;
    message.hidden = false;
  }
  if (busy) setTimeout(load, document.hidden ? 5 * BUSY : BUSY);
}

function show(task) {
  const name = task.map_index < 0 ? task.task_id : `${task.task_id} [${task.map_index}]`;
  document.title = `${name} · Veo`;
  document.getElementById("title").textContent = name;
  if (!last || kindOf(task) !== kindOf(last)) area.replaceChildren(mediaOf(task));
  showProgress(area, task);
  if (!last || JSON.stringify(task) !== JSON.stringify(last)) {
    document.getElementById("facts").replaceChildren(...factsOf(task));
  }
  showNotice(task);
  last = task;
}

function showNotice(task) {
  const notice = document.getElementById("notice");
  const other = linked && Number(linked) !== task.try_number;
  notice.hidden = !other;
  if (other) notice.textContent = `This link is from try ${linked}. The page shows try ${task.try_number}, which came later.`;
}

function factsOf(task) {
  const facts = {
    Dag: foreign("span", task.dag_id),
    Run: foreign("span", task.run_id),
    Status: element("span", { className: `status ${task.status}` }, statusName(task.status)),
    Model: task.model && foreign("span", task.model),
    Picture: task.size && `${task.size}${task.orientation ? `, ${task.orientation}` : ""}`,
    Ordered: task.ordered_at && `${date(task.ordered_at)} (${ago(task.ordered_at)})`,
    "Time taken": duration(timeTaken(task)),
    "Estimated cost": task.prompt !== null && task.status !== "failed" && money(task.estimated_cost_usd),
    File: task.path && foreign("code", task.path),
    Error: task.error && foreign("p", task.error, { className: "error" }),
  };
  const rows = Object.entries(facts).filter(([, value]) => value);
  return [
    task.prompt && foreign("p", task.prompt, { className: "prompt whole", tabIndex: 0 }),
    element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    ...task.media.map((medium, index) => !medium.why_not && element("p", {}, saveLink(medium, numbered(task, index)))),
    linksOf(task, null),
  ].filter(Boolean);
}

function saveLink(medium, number) {
  const words = `Save the file${number} (${bytes(medium.bytes)})`;
  return element("a", { href: contentAddress(medium, { save: true }), download: "" }, words);
}

followTheme();
followLinks();
leadToGallery(document.getElementById("all"));
load();
