// Tell the inspector at process.argv[2] what posthog-node can, in batches of three.
const { PostHog } = require("posthog-node");

const posthog = new PostHog("phc_made_up_key", { host: process.argv[2], flushAt: 3 });
posthog.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});

const distinctId = "visitor-1";

(async () => {
  posthog.capture({
    distinctId,
    event: "$pageview",
    properties: {
      $current_url: "https://example.com/plants/f%C3%A4rn?x=1",
      $host: "example.com",
      $pathname: "/plants/färn",
      $ip: "203.0.113.0",
      title: "Färn & Moos",
    },
  });
  posthog.capture({ distinctId, event: "signed up", properties: { plan: "pro" } });
  posthog.capture({
    distinctId,
    event: "order",
    properties: { revenue: 47.9, currency: "EUR" },
    groups: { company: "acme" },
    uuid: "0192f3a0-7b1c-7c3d-8e4f-5a6b7c8d9e0f",
    timestamp: new Date(Date.now() - 60_000),
  });
  posthog.identify({ distinctId, properties: { name: "Ann" } });
  posthog.alias({ distinctId, alias: "customer-7" });
  posthog.groupIdentify({ groupType: "company", groupKey: "acme" });
  posthog.captureException(new RangeError("too far"), distinctId);
  await posthog.getAllFlags(distinctId);
  await posthog.shutdown();
})();
