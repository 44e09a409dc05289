// Let Plausible's own script, as published for npm, tell the inspector at
// process.argv[2] of a page. It wants a browser: this is as much of one as it asks for.
const nothing = () => {};
const location = new URL(
  "https://example.com/plants/f%C3%A4rn?utm_source=newsletter&utm_medium=email&utm_campaign=spring",
);
const shown = { scrollHeight: 2000, offsetHeight: 2000, clientHeight: 800 };
let whenVisibilityChanges = nothing;
Object.assign(globalThis, {
  location,
  ResizeObserver: class {
    observe() {}
  },
  document: {
    body: shown,
    documentElement: shown,
    referrer: "https://www.example.org/links",
    visibilityState: "visible",
    hasFocus: () => true,
    addEventListener(name, listener) {
      if (name === "visibilitychange") whenVisibilityChanges = listener;
    },
  },
  window: {
    fetch,
    localStorage: {},
    history: {},
    navigator: {},
    innerHeight: 800,
    scrollY: 0,
    addEventListener: nothing,
  },
});

(async () => {
  const { init, track } = await import(require.resolve("@plausible-analytics/tracker"));
  const tracked = (name, options) =>
    new Promise((resolve, reject) =>
      track(name, {
        ...options,
        callback: (answer) =>
          answer?.status === 202 ? resolve() : reject(answer?.error ?? answer),
      }),
    );
  init({
    domain: "example.com",
    endpoint: `${process.argv[2]}/api/event`,
    autoCapturePageviews: false,
  });
  await tracked("pageview");
  await tracked("signup", { props: { plan: "pro" }, interactive: false });
  await tracked("order", { revenue: { currency: "EUR", amount: 47.9 } });
  // Whoever turns away ends the engagement with the page.
  document.visibilityState = "hidden";
  whenVisibilityChanges();
})();
