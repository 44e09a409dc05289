// Tell the inspector at process.argv[2] what plausible-client can.
const { Plausible } = require("plausible-client");

const plausible = new Plausible({ apiHost: process.argv[2], domain: "example.com" });
const url =
  "https://example.com/plants/f%C3%A4rn?utm_source=newsletter&utm_medium=email&utm_campaign=spring";

(async () => {
  await plausible.sendEvent("pageview", {
    url,
    referrer: "https://www.example.org/links",
    deviceWidth: 1920,
  });
  await plausible.trackEvent("signup", { url, props: { plan: "pro", seats: 3 } });
  await plausible.trackEvent("order", {
    url,
    revenue: { currency: "EUR", amount: "47.90" },
  });
})();
