// <div data-tracking-banner hidden> is shown until the visitor has decided;
// <button data-tracking-consent="accept"> (refuse, withdraw) tells the decision.
// From other scripts: trackingConsent.accept(), .refuse(), .withdraw().
(() => {
  const script = document.currentScript;
  const url = script.dataset.url || script.src.split("?")[0];
  const cookie = `${script.dataset.cookie || "cookie_status"}=`;
  const show = (visible) => {
    for (const banner of document.querySelectorAll("[data-tracking-banner]")) {
      banner.hidden = !visible;
    }
  };
  const ask = () => show(!document.cookie.split("; ").some((pair) => pair.startsWith(cookie)));
  const say = async (action) => {
    const body = new URLSearchParams({ action });
    const answer = await fetch(url, { method: "POST", body });
    if (answer.ok) {
      show(false);
      document.dispatchEvent(new CustomEvent("trackingconsent", { detail: action }));
    }
    return answer.ok;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-tracking-consent]");
    if (!button) return;
    event.preventDefault();
    say(button.dataset.trackingConsent);
  });
  window.trackingConsent = Object.fromEntries(
    ["accept", "refuse", "withdraw"].map((action) => [action, () => say(action)]),
  );
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ask);
  else ask();
})();
