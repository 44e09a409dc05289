// Visitors, and what each of them did, in order.

import {$, clock, counted, dot, headline, kindName, make, stateOf, systemName, visitorOf} from "./words.js";

const SHOWN = 50; // visitors

export function showJourneys(hits, open) {
  const visitors = new Map();
  for (const stored of hits) {
    const key = `${stored.hit.system}\n${visitorOf(stored.hit)}`;
    if (visitors.has(key)) visitors.get(key).push(stored);
    else visitors.set(key, [stored]);
  }
  const newest = [...visitors.values()].reverse()
    .sort((one, other) => other.at(-1).number - one.at(-1).number);
  const before = new Set([...document.querySelectorAll("#journeys details[open]")].map(one => one.dataset.key));
  $("journeys").replaceChildren(
    make("p", `${counted(visitors.size, "visitor")}, as each system tells them apart${newest.length > SHOWN ? `; the latest ${SHOWN} shown` : ""}.`, "soft"),
    ...newest.slice(0, SHOWN).map((steps, index) => journey(steps, open, before, index)),
  );
}

function journey(steps, open, before, index) {
  const [{hit}] = steps;
  const who = visitorOf(hit) || "nobody in particular";
  const summary = make("summary", [dot(hit.system), make("b", systemName(hit.system)), " ", make("code", who),
    make("span", `${counted(steps.length, "hit")}, ${clock(steps[0].arrived)} to ${clock(steps.at(-1).arrived)}`, "soft")]);
  const shown = make("details", [summary]);
  shown.dataset.key = `${hit.system} ${who}`;
  shown.open = before.size ? before.has(shown.dataset.key) : index === 0;
  // Thousands of steps are only made for who looks.
  const fill = () => {
    if (shown.open && shown.children.length === 1) shown.append(make("ol", inOrder(steps).map(one => step(one, open))));
  };
  shown.addEventListener("toggle", fill);
  fill();
  return shown;
}

const inOrder = steps => [...steps].sort((one, other) =>
  (one.hit.time ?? one.arrived) - (other.hit.time ?? other.arrived) || one.number - other.number);

function step(stored, open) {
  const {hit} = stored;
  const text = make("button", [make("span", clock(hit.time ?? stored.arrived), "number soft"), make("span", kindName(hit.kind), "badge"),
    make("span", headline(hit) || hit.path), make("code", hit.path, "soft")], `step ${stateOf(stored)}-step`);
  text.type = "button";
  text.addEventListener("click", () => open(stored.number));
  return make("li", [text]);
}
