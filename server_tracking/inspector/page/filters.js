// Which hits are wanted: what the bar says, and the same for the inspector's addresses.

import {$, stateOf} from "./words.js";

const NAMES = ["words", "system", "kind", "state", "visitor", "path"];
const fields = $("filters").elements;

// What is looked for, read once for a whole list.
function wishes() {
  return Object.fromEntries(NAMES.map(name => [name, fields[name].value.trim()]));
}

export function matcher() {
  const {words, system, kind, state, visitor, path} = wishes();
  const part = words.toLowerCase();
  const place = path.toLowerCase();
  return stored => {
    const {hit} = stored;
    return (!system || hit.system === system)
      && (!kind || hit.kind === kind)
      && (!state || stateOf(stored) === state || (state === "problems" && !(stored.valid && !hit.problems.length)))
      && (!visitor || hit.client_id === visitor || hit.user_id === visitor)
      && (!place || hit.path.toLowerCase().includes(place))
      && (!part || (stored.text ??= JSON.stringify(stored).toLowerCase()).includes(part));
  };
}

export const anyFilter = () => Object.values(wishes()).some(Boolean);

export function queryString(more = {}) {
  const query = new URLSearchParams({...wishes(), ...more});
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  return query.toString();
}

export function setFilter(name, value) {
  fields[name].value = value;
  $("filters").dispatchEvent(new Event("input"));
}

// A kind or system is offered once it has been seen.
export function offer(name, value, label) {
  const options = [...fields[name].options];
  if (options.some(option => option.value === value)) return;
  const option = document.createElement("option");
  option.value = value;
  option.textContent = label;
  fields[name].add(option, options.slice(1).find(other => other.text > label) ?? null);
}
