// Tell the inspector at process.argv[2] one hit of each kind that universal-analytics
// knows: alone by /collect, and chained by /batch.
const universalAnalytics = require("universal-analytics");

const visitor = universalAnalytics("UA-1234-5", "7d8f3b1e-9c1a-4f0e-8a55-2f6f0d1c9b3e", {
  hostname: process.argv[2],
  uid: "customer-7",
  headers: { "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0" },
});

const sent = (tell) =>
  new Promise((resolve, reject) =>
    tell((error) => (error ? reject(error) : resolve())),
  );

(async () => {
  await sent((done) =>
    visitor
      .pageview({
        dl: "https://example.com/plants/färn?x=1",
        dt: "Färn & Moos",
        dr: "https://www.example.org/links",
        ul: "en-gb",
        sr: "1920x1080",
        cs: "newsletter",
        cm: "email",
        cn: "spring",
      })
      .send(done),
  );
  await sent((done) => visitor.screenview("Basket", "Greenery", "1.2").send(done));
  await sent((done) =>
    visitor.event("Basket", "Add", "Boston fern", 3, { ni: 1, qt: 1500 }).send(done),
  );
  await sent((done) => visitor.exception("LookupError", true).send(done));
  await sent((done) => visitor.timing("Search", "catalogue", 81).send(done));
  await sent((done) =>
    visitor
      .event({
        ec: "Shop",
        ea: "Add to basket",
        pa: "add",
        pr1id: "FERN-1",
        pr1nm: "Boston fern",
        pr1pr: "19.50",
        pr1qt: 2,
        cd1: "member",
        cm1: 5,
      })
      .send(done),
  );
  await sent((done) =>
    visitor
      .pageview("/thanks", "example.com", "Thank you")
      .transaction("T-1001", "47.90", "4.90", "7.65", "Web shop", { cu: "EUR" })
      .item("19.50", 2, "FERN-1", "Boston fern", "12 cm")
      .event("Shop", "Paid")
      .send(done),
  );
})();
