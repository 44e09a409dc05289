// Tell the inspector at process.argv[2] hits as matomo-tracker's readme does: single
// ones by GET, which may arrive in any order, then some in one bulk call.
const http = require("http");
const MatomoTracker = require("matomo-tracker");

// It never reads the picture that answers a GET: a connection that is kept open would
// hold this process up until the server gives up on it.
http.globalAgent = new http.Agent({ keepAlive: false });

const matomo = new MatomoTracker(1, `${process.argv[2]}/matomo.php`);
matomo.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});

const visitor = {
  cid: "0123456789abcdef",
  ua: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
  lang: "en-GB",
};
const page =
  "https://example.com/plants/f%C3%A4rn?utm_source=newsletter&utm_medium=email&utm_campaign=spring";

matomo.track("https://example.com/bare");
matomo.track({
  ...visitor,
  url: page,
  action_name: "Färn & Moos",
  urlref: "https://www.example.org/links",
  res: "1920x1080",
  dimension1: "member",
  pf_srv: 42,
  token_auth: "0123456789abcdef0123456789abcdef",
  cip: "203.0.113.0",
  cvar: JSON.stringify({ 1: ["method", "GET"] }),
});
matomo.track({ ...visitor, url: page, e_c: "Basket", e_a: "Add", e_n: "Fern", e_v: 3 });

matomo.trackBulk(
  [
    { ...visitor, url: page, action_name: "Thank you", uid: "customer-7" },
    {
      ...visitor,
      url: page,
      idgoal: 0,
      ec_id: "T-1001",
      revenue: 47.9,
      ec_tx: 7.65,
      ec_sh: 4.9,
      ec_items: JSON.stringify([["FERN-1", "Boston fern", "Plants", 19.5, 2]]),
    },
    { ...visitor, url: page, idgoal: 3, revenue: 5 },
    { ...visitor, url: page, search: "fern", search_cat: "Plants", search_count: 4 },
    { ...visitor, url: page, link: "https://www.example.org/", ca: 1 },
    { ...visitor, url: page, ca: 1, cra: "LookupError", cra_tp: "LookupError" },
  ],
  (answer) => console.log(answer),
);
