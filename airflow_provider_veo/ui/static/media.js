// The media of a task: its videos, its progress, or the reason why there is no video.

import { contentAddress, whyNot } from "./api.js";
import { element, foreign, setText } from "./dom.js";

// The first picture of a video costs one or two requests, so only videos in view are loaded.
const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    target.src = target.dataset.src;
  }
}, { rootMargin: "200px" });

const NAMES = { in_progress: "In progress", completed: "Completed", failed: "Failed" };

export const statusName = (status) => NAMES[status];

// A key that changes when the element must be replaced: a playing video must not be replaced by an equal one.
export const kindOf = (task) => JSON.stringify([task.status, task.media, task.error]);

export function mediaOf(task) {
  if (task.media.length) {
    return element("div", { className: "media" }, ...task.media.map((medium, index) => viewer(medium, nameOf(task, index))));
  }
  return element("div", { className: "media" }, instead(task));
}

export function showProgress(area, task) {
  const bar = area.querySelector("progress");
  if (!bar || !task.progress) return;
  const { percent, text } = task.progress;
  if (percent === null) bar.removeAttribute("value");
  else bar.value = percent;
  const words = percent === null ? (text ?? stateName(task)) : `${text} ${Math.round(percent)} %`;
  setText(area.querySelector(".progress-text"), words);
}

export const numbered = (task, index) => (task.media.length > 1 ? ` ${index + 1} of ${task.media.length}` : "");

const nameOf = (task, index) => `Video${numbered(task, index)}: ${(task.prompt ?? task.task_id).slice(0, 100)}`;

function viewer(medium, name) {
  if (medium.why_not) return foreign("p", medium.why_not, { className: "why", tabIndex: 0 });
  const address = contentAddress(medium);
  const isPicture = medium.media_type.startsWith("image/");
  const shown = isPicture
    ? element("img", { alt: name })
    : element("video", { playsInline: true, preload: "metadata", ariaLabel: name });
  shown.dataset.src = address;
  const frame = element("div", { className: "viewer" }, shown, isPicture ? null : starter(shown, name));
  shown.addEventListener("error", async () => {
    frame.replaceChildren(element("p", { className: "why" }, await whyNot(address)));
  });
  inView.observe(shown);
  return frame;
}

// The browser's controls hide much of a small picture, so they are shown from the first play on.
function starter(video, name) {
  const button = element("button", { type: "button", className: "play", ariaLabel: `Play ${name}` });
  button.addEventListener("click", () => video.play());
  video.addEventListener("play", () => {
    video.controls = true;
    if (document.activeElement === button) video.focus();
    button.remove();
  }, { once: true });
  return button;
}

function instead(task) {
  if (task.status === "in_progress") {
    const bar = element("progress", { max: 100, ariaLabel: `Progress of ${task.task_id}` });
    return element("div", { className: "waiting" }, bar, element("span", { className: "progress-text" }));
  }
  if (task.error) return foreign("p", task.error, { className: "why", tabIndex: 0 });
  if (task.status === "failed") {
    return element("p", { className: "why" }, `${stateName(task)}. See the task's log.`);
  }
  return element("p", { className: "why" }, notStored(task));
}

function notStored(task) {
  if (task.prompt === null) return "This task has no video.";
  return "The video is not in your storage. Give the task a destination, or add a VeoDownloadOperator.";
}

function stateName(task) {
  return (task.state ?? "waiting to be scheduled").replaceAll("_", " ");
}
