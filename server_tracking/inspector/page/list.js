// The list of hits, newest first.

import {$, CHECKS, clock, dot, headline, kindName, make, stateOf, systemName, visitorOf} from "./words.js";

const ROWS = 500; // drawn at once: what a browser redraws without a pause

function row(stored, page) {
  const {hit} = stored;
  const state = stateOf(stored);
  const line = make("tr", [
    make("td", clock(stored.arrived), "time"),
    make("td", [dot(hit.system), systemName(hit.system)], "system"),
    make("td", [make("span", kindName(hit.kind), "badge")], "kind"),
    make("td", hit.path || hit.url, "path"),
    make("td", headline(hit), "title"),
    make("td", visitorOf(hit), "visitor"),
    make("td", hit.campaign, "campaign"),
    make("td", [page.kept.has(stored.number) ? "★ " : "", CHECKS[state]], `check ${state}`),
  ]);
  for (const cell of line.cells) if (cell.textContent) cell.title = cell.textContent;
  line.tabIndex = 0;
  line.dataset.number = stored.number;
  if (stored.number === page.chosen) line.className = "chosen";
  return line;
}

export function drawList(hits, page) {
  $("hits").replaceChildren(...hits.slice(-ROWS).map(stored => row(stored, page)).reverse());
}

export function addToList(hits, page) {
  const lines = hits.slice(-ROWS).map(stored => row(stored, page));
  for (const line of lines) line.classList.add("new");
  $("hits").prepend(...lines.reverse());
  while ($("hits").children.length > ROWS) $("hits").lastChild.remove();
}

// More than a screen of older hits is asked for by name, and may grow the list.
export function addBelow(hits, page) {
  $("hits").append(...hits.map(stored => row(stored, page)).reverse());
}

export function markChosen(chosen) {
  for (const line of $("hits").children) line.classList.toggle("chosen", +line.dataset.number === chosen);
}
