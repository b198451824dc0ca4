/** How soon a slow phone can be used. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, enter, openPage, sees, server, setUp } from "./support.mjs";

setUp();

/** Makes a page as slow as on a phone: a quarter of this processor, and what browsers' tools call "Fast 3G". */
async function slowDown(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: 180_000, uploadThroughput: 84_000 });
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
}

/** Counts how often a page makes a formatter of dates, the first of which takes a slow phone 0.3 s. */
function countFormatters() {
  globalThis.formatters = 0;
  Intl.DateTimeFormat = new Proxy(Intl.DateTimeFormat, {
    construct: (type, list) => {
      globalThis.formatters += 1;
      return new type(...list);
    },
  });
}

/** Returns when a page has first painted something, in milliseconds since it was asked for. */
async function paintTime() {
  return new Promise((resolve) => {
    const observer = new PerformanceObserver((list) => {
      const [paint] = list.getEntriesByName("first-contentful-paint");
      if (paint) resolve(paint.startTime);
    });
    observer.observe({ type: "paint", buffered: true });
  });
}

test("slow phone asks for the name before it loads the engine, and shows the chat soon after", async () => {
  const client = await Client.start(server, "bob");
  client.say("hello phone");
  const page = await openPage(browser, "about:blank", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await page.addInitScript(countFormatters);
  await slowDown(page);
  const start = Date.now();
  await page.goto(server.url, { waitUntil: "commit" });
  await page.waitForSelector("#name");
  // What is painted first is the form.
  const formAfter = await page.evaluate(paintTime);
  assert.equal(await page.evaluate(() => globalThis.formatters), 0);
  await enter(page, "anna");
  await sees(page, "hello phone");
  console.log(`  a slow phone asks for the name after ${Math.round(formAfter)} ms, and shows the chat after ${Date.now() - start} ms`);
  const { script, engine, texts } = await page.evaluate(() => {
    const find = (name, end = "") => performance.getEntriesByType("resource").find((it) => it.name.includes(name) && it.name.endsWith(end));
    return { script: find("/page-", "js").responseEnd, engine: find("/engine-").startTime, texts: find(".json").startTime };
  });
  assert.ok(texts < script, "the texts come beside the script");
  assert.ok(engine >= script, "the engine does not take the script's share of the network");
  // The aim is 1,500; a machine on which others run tests is slower than a phone.
  assert.ok(formAfter < 5_000, `${formAfter} ms`);
  client.stop();
  await page.context().close();
});
