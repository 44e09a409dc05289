// <div data-tracking-banner hidden> is shown until the visitor has decided;
// <button data-tracking-consent="accept"> (refuse, withdraw) tells the decision.
(function (script) {
  "use strict";
  var name = script.dataset.cookie + "=";
  var decided = document.cookie.split("; ").some(function (pair) {
    return pair.indexOf(name) === 0;
  });
  function show(visible) {
    document.querySelectorAll("[data-tracking-banner]").forEach(function (banner) {
      banner.hidden = !visible;
    });
  }
  show(!decided);
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-tracking-consent]");
    if (!button) return;
    event.preventDefault();
    var told = new URLSearchParams({ action: button.dataset.trackingConsent });
    fetch(script.dataset.url, { method: "POST", body: told }).then(function (answer) {
      if (answer.ok) show(false);
    });
  });
})(document.currentScript);
