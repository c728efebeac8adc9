// The names of a task instance: those by which the server finds it, and those that people read.

// From Airflow 3.4 on, a task in a loop and a mapped task have a region, which distinguishes the passes of a loop.
export const keyOf = ({ dag_id, run_id, task_id, map_index, region_id, region_index }) => ({
  dag_id,
  run_id,
  task_id,
  map_index,
  region_id,
  region_index,
});

// For example "[3] · pass 1", with the number that Airflow shows for this pass.
export function placeOf({ map_index, pass_index }) {
  const isLooped = pass_index !== null && pass_index !== undefined;
  return [map_index >= 0 && `[${map_index}]`, isLooped && `pass ${pass_index}`].filter(Boolean).join(" · ");
}

export const nameOf = (task) => [task.task_id, placeOf(task)].filter(Boolean).join(" ");
