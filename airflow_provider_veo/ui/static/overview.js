// The gallery in the Overview of a task, on Airflow 3.4 and later. Airflow imports this file into its own page, and
// renders the function with the names of the task and with its own React.

const LOWEST = 140; // pixels
const HIGHEST = 640;

function Videos({ dagId, taskId }) {
  if (!globalThis.React || !taskId) return null;
  const names = new URLSearchParams({ dag_id: dagId, task_id: taskId });
  return globalThis.React.createElement("iframe", {
    key: `${names}`,
    src: new URL(`veo/?${names}&overview=1`, document.baseURI).href,
    title: "Videos of this task",
    onLoad: ({ target }) => followHeight(target),
    style: { border: "none", width: "100%", height: LOWEST },
  });
}

function followHeight(frame) {
  const content = frame.contentDocument?.querySelector("main");
  if (!content) return;
  const adjust = () => {
    frame.style.height = `${Math.min(HIGHEST, Math.max(LOWEST, Math.ceil(content.getBoundingClientRect().height)))}px`;
  };
  new frame.contentWindow.ResizeObserver(adjust).observe(content);
}

globalThis.AirflowPlugin = Videos;
