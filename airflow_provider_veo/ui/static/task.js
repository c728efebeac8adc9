// The page of one task instance.

import { asked, contentAddress, get, query } from "./api.js";
import { linksOf, timeTaken } from "./card.js";
import { ago, bytes, date, duration, element, foreign, money, setText } from "./dom.js";
import { followLinks, followTheme, leadToGallery, regionAround, whenRegionChanges } from "./host.js";
import { kindOf, mediaOf, numbered, showProgress, statusName } from "./media.js";
import { keyOf, nameOf } from "./names.js";

const BUSY = 2000; // milliseconds between two requests

const { try_number: wanted, ...key } = asked();
const area = document.getElementById("video");
const message = document.getElementById("message");
let last;

async function load() {
  let busy = true;
  try {
    const task = await get("task", { ...key, ...regionAround(key.task_id), try_number: wanted });
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
  const name = nameOf(task);
  document.title = `${name} · Veo`;
  document.getElementById("title").textContent = name;
  if (!last || kindOf(task) !== kindOf(last)) area.replaceChildren(mediaOf(task));
  showProgress(area, task);
  if (!last || JSON.stringify(task) !== JSON.stringify(last)) {
    document.getElementById("facts").replaceChildren(...factsOf(task));
  }
  showTries(task);
  last = task;
}

// Airflow keeps the page entries of earlier tries from 3.4 on. Before, the server has the latest try only.
function showTries(task) {
  const { latest_try: latest } = task;
  const notice = document.getElementById("notice");
  const words = noticeOf(task, latest);
  notice.hidden = !words;
  if (words) setText(notice, words);
  const tries = document.getElementById("tries");
  tries.hidden = task.tries.length < 2;
  if (last?.try_number === task.try_number && last.tries.length === task.tries.length) return;
  tries.replaceChildren("Tries:", ...task.tries.map((number) => linkToTry(task, number, latest)));
}

function noticeOf(task, latest) {
  if (task.try_number < latest) return `This is try ${task.try_number}. Try ${latest} came later.`;
  if (wanted && Number(wanted) !== task.try_number) {
    return `This link is from try ${wanted}. The page shows try ${task.try_number}, which came later.`;
  }
  return "";
}

function linkToTry(task, number, latest) {
  const address = `task?${query({ ...keyOf(task), try_number: number === latest ? null : number })}`;
  const isShown = number === task.try_number;
  return element("a", { href: address, ariaCurrent: isShown && "page", ariaLabel: `Try ${number}` }, String(number));
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
    "Paid, not collected": task.uncollected && uncollectedOf(task.uncollected),
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

// The worker knows its Airflow and its configuration, so its error says how to collect the video.
function uncollectedOf(video) {
  return element("p", { className: "error" }, "Video ", foreign("code", video), ". The error says how to collect it.");
}

function saveLink(medium, number) {
  const words = `Save the file${number} (${bytes(medium.bytes)})`;
  return element("a", { href: contentAddress(medium, { save: true }), download: "" }, words);
}

followTheme();
followLinks();
leadToGallery(document.getElementById("all"));
whenRegionChanges(key.task_id, () => {
  location.replace(`task?${query({ ...keyOf(key), region_id: null, region_index: null })}`);
});
load();
