// Requests to the server; failures become sentences for people.

import { keyOf } from "./names.js";

export async function get(path, parameters) {
  let answer;
  try {
    answer = await fetch(`api/${path}?${query(parameters)}`, { headers: { Accept: "application/json" } });
  } catch {
    throw new Error("The API server does not answer.");
  }
  if (!answer.ok) throw new Error(await complaint(answer));
  return answer.json();
}

export function contentAddress(medium, more = {}) {
  return `api/content?${query({ ...keyOf(medium), try_number: medium.try_number, ...more })}`;
}

// The player only reports that it cannot play a file; the server says why.
export async function whyNot(address) {
  try {
    const answer = await fetch(address, { headers: { Range: "bytes=0-0" } });
    return answer.ok ? "This browser cannot play the file." : await complaint(answer);
  } catch {
    return "The API server does not answer.";
  }
}

export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return new URLSearchParams(given).toString().replaceAll("+", "%20");
}

// Airflow before 3.2 puts run ids into the address of its tab as they are: here a plus is a plus.
export const asked = () => Object.fromEntries(new URLSearchParams(location.search.replaceAll("+", "%2B")));

async function complaint(answer) {
  if (answer.status === 401) return "You are not logged in to Airflow any more. Log in, then load this page again.";
  if (answer.status === 403) return "You may not read the tasks of this Dag.";
  let detail = "";
  try {
    ({ detail } = await answer.json());
  } catch {
    // the answer of a proxy is not JSON
  }
  return typeof detail === "string" && detail ? detail : `The API server answers ${answer.status}.`;
}
