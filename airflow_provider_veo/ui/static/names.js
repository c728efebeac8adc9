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

export const isInLoop = ({ pass_index }) => pass_index !== null && pass_index !== undefined;

// For example "create [3] · pass 1", with the number that Airflow shows for this pass.
export function nameOf(task) {
  const { task_id, map_index, pass_index } = task;
  const name = map_index < 0 ? task_id : `${task_id} [${map_index}]`;
  return isInLoop(task) ? `${name} · pass ${pass_index}` : name;
}
