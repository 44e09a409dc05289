"""How the pages of the example shop look, and the consent bar on each."""

from __future__ import annotations

__all__ = ["CONSENT", "ICON", "STYLE"]

STYLE = """
:root { --ink: #1f3329; --soft: #55665c; --leaf: #2b7549; --paper: #f7f5ee;
  --line: #dcd8ca }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  font: 17px/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
a { color: inherit }
body > header, body > footer { display: flex; flex-wrap: wrap; gap: .5rem 1.4rem;
  align-items: center; padding: 1rem max(1rem, 50vw - 29rem) }
body > header { border-bottom: 1px solid var(--line) }
body > footer { border-top: 1px solid var(--line); color: var(--soft);
  font-size: .9rem }
header a { text-decoration: none }
header a:hover { color: var(--leaf) }
header b { font: 600 1.5rem/1 Georgia, serif; margin-right: .6rem }
header form { flex: 1 1 13rem }
@media (min-width: 34rem) { header form { flex-grow: 0; margin-left: auto } }
main { flex: 1; width: 100%; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font: 400 2.3rem/1.2 Georgia, serif; margin: 0 0 1.2rem }
.shelf { display: grid; gap: 1rem; grid-template-columns: repeat(2, 1fr) }
@media (min-width: 48rem) { .shelf { grid-template-columns: repeat(4, 1fr) } }
.card { padding: 1.2rem; background: #fff; border: 1px solid var(--line);
  border-radius: 14px; text-decoration: none }
a.card:hover { border-color: var(--leaf) }
.card i, .note { color: var(--soft) }
.picture { max-width: 8.5rem; margin-bottom: .8rem }
.picture svg { display: block }
button, input { font: inherit; padding: .4rem .9rem; border-radius: 9px;
  border: 1px solid var(--line); background: #fff; color: inherit }
input { width: 100% }
button { cursor: pointer; background: var(--leaf); border-color: var(--leaf);
  color: #fff }
button.plain { background: #fff; color: var(--ink); border-color: var(--line) }
button.link { padding: 0; border: 0; background: none; color: inherit;
  text-decoration: underline }
:focus-visible { outline: 3px solid #f0b429; outline-offset: 2px }
table { border-collapse: collapse; width: 100%; margin-bottom: 1.2rem }
td { padding: .5rem 0; border-bottom: 1px solid var(--line) }
td:last-child { text-align: right }
#consent { position: sticky; bottom: 1rem; margin: auto 1rem 1rem; display: flex;
  flex-wrap: wrap; gap: .7rem; align-items: center; padding: 1rem 1.2rem;
  background: #fff; border: 1px solid var(--line); border-radius: 14px;
  box-shadow: 0 8px 30px #0003 }
#consent[hidden] { display: none } #consent span { flex: 1 1 20rem }
#consent div { display: flex; gap: .6rem; flex: 1 1 auto }
#consent button { flex: 1 1 auto; padding: .4rem .7rem; white-space: nowrap }
@media (min-width: 48rem) {
  #consent { align-self: center; max-width: 50rem }
  #consent div { flex: none }
}
"""
CONSENT = """
<div id="consent" role="region" aria-label="Your privacy" hidden><span>May we
remember you beyond this visit, to count returning visitors? Until you say yes, a
cookie lasts only as long as your browser is open.</span>
<div><button data-say="accept" class="plain">Remember me</button>
<button data-say="refuse" class="plain">Do not count me</button></div></div>
<script>
const bar = document.getElementById("consent");
const decided = document.cookie.match(/(?:^|; )cookie_status=(.)/)?.[1];
bar.hidden = decided !== undefined;
document.getElementById("withdraw").hidden = decided !== "1";
document.getElementById("choice").textContent =
  {0: "You are not counted.", 1: "You are remembered."}[decided] ?? "";
document.getElementById("privacy").addEventListener("click", () => {
  bar.hidden = false;
  bar.querySelector("button").focus();
});
document.addEventListener("click", event => {
  const say = event.target.dataset.say;
  if (!say) return;
  document.cookie = `cookie_action=${say}; path=/; max-age=60; samesite=lax`;
  location.reload();
});
// The basket lives in this tab alone: no cookie, nothing on the server.
const filled = document.querySelector("[data-basket]");
if (filled) sessionStorage.basket = filled.dataset.basket;
for (const input of document.querySelectorAll("[name=basket]")) {
  input.value ||= sessionStorage.basket ?? "";
}
for (const link of document.querySelectorAll("a[href='/basket']")) {
  if (sessionStorage.basket) link.href = `/basket?plants=${sessionStorage.basket}`;
}
</script>
"""
ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path d='M2 14Q2 2 14 2Q14 14 2 14' fill='%232b7549'/></svg>"
)
