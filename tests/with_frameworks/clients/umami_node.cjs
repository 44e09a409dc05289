// Tell the inspector at process.argv[2] what @umami/node can: a page view, events, and
// who it is.
const { Umami } = require("@umami/node");

const umami = new Umami({
  hostUrl: process.argv[2],
  websiteId: "b59e0d6a-7f0e-4f0b-9a30-0c8f4ad1d1f2",
});

const stored = async (answer) => {
  const said = await (await answer).json();
  if (!said.sessionId) throw new Error(JSON.stringify(said));
};

(async () => {
  await stored(
    umami.track({
      url: "/plants/f%C3%A4rn?utm_source=newsletter&utm_medium=email&utm_campaign=spring",
      hostname: "example.com",
      title: "Färn & Moos",
      referrer: "https://www.example.org/links",
      language: "en-GB",
      screen: "1920x1080",
      id: "visitor-1",
    }),
  );
  await stored(umami.track("signup", { plan: "pro", seats: 3, nested: { a: true } }));
  await stored(umami.track("order", { revenue: 47.9, currency: "EUR" }));
  await stored(umami.identify({ plan: "pro" }));
})();
