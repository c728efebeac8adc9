// The Airflow UI around this page: its theme, its address, and links to its pages.

import { query } from "./api.js";

const KEY = "theme"; // in which Airflow's UI stores light, dark or system

function outside() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null; // framed by another site, which the server's policy forbids anyway
  }
}

function isDark() {
  const root = outside()?.document.documentElement;
  if (root) return root.classList.contains("dark");
  const chosen = localStorage.getItem(KEY);
  return chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

export function followTheme() {
  const apply = () => document.documentElement.classList.toggle("dark", isDark());
  apply();
  addEventListener("storage", apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  const root = outside()?.document.documentElement;
  if (root) new MutationObserver(apply).observe(root, { attributeFilter: ["class"] });
}

// Airflow's frame lets a page of a plugin neither open windows nor change the address of the whole window. A link of the
// surrounding document may do both.
export function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-airflow]");
    const host = outside();
    if (!link || !host || event.button !== 0) return;
    event.preventDefault();
    const twin = host.document.createElement("a");
    twin.href = link.href;
    if (event.ctrlKey || event.metaKey || event.shiftKey) twin.target = "_blank";
    host.document.body.append(twin);
    twin.click();
    twin.remove();
  });
}

// The address of Airflow's tab cannot name a region. So the page reads the region in the address of the task view around
// it, on Airflow 3.4 and later.
export function regionAround(taskId) {
  const { pathname, search } = outside()?.location ?? {};
  if (!pathname?.includes(`/tasks/${encodeURIComponent(taskId)}/`)) return {};
  const around = new URLSearchParams(search);
  return { region_id: around.get("region_id"), region_index: around.get("region_index") };
}

// Airflow keeps the frame of its tab when a person chooses another pass of a loop, and no event says so.
export function whenRegionChanges(taskId, act) {
  const first = query(regionAround(taskId));
  const timer = setInterval(() => {
    if (query(regionAround(taskId)) === first) return;
    clearInterval(timer);
    act();
  }, 500);
}

// Airflow's frame always opens the gallery first. The link of a task names the task in the address of the frame.
export function goWhereAsked() {
  const search = outside()?.location.search ?? "";
  const isFirst = !location.search; // the links of this page to the gallery name a page
  if (isFirst && new URLSearchParams(search).has("task_id")) location.replace(`task${search}`);
}

// The link from the page of a task to the gallery: in this frame, or out of a tab of Airflow's task view.
export function leadToGallery(link) {
  if (!outside() || outside().location.pathname.endsWith("/plugin/veo")) return;
  link.href = "../plugin/veo";
  link.setAttribute("data-airflow", "");
}

// The pages of Airflow's UI; this page lies one level below its base.
export function airflowPages(task) {
  const part = encodeURIComponent;
  const dag = `../dags/${part(task.dag_id)}`;
  const run = `${dag}/runs/${part(task.run_id)}`;
  const instance = `${run}/tasks/${part(task.task_id)}${task.map_index < 0 ? "" : `/mapped/${task.map_index}`}`;
  const { region_id, region_index, try_number } = task;
  const ofRegion = query({ region_id, region_index });
  return {
    dag,
    run,
    task: `${instance}/details${ofRegion && `?${ofRegion}`}`,
    log: `${instance}?${query({ region_id, region_index, try_number })}`,
  };
}
