/** A long history: reading back, going to what a search has found, and back to the newest. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, closed, enter, numbered, openPage, sees, server, setUp, texts, until } from "./support.mjs";

/** Messages in the lobby, `number 1` and so on. */
const COUNT = 40_000;

/** Distance from the beginning of the list at which older messages are put before the others, in pixels. */
const MARGIN = 600;

/** Growth of the page's memory that is allowed, in bytes: 150 rows more or less, and what the browser keeps of them. */
const GROWTH = 8_000_000;

setUp([], async () => {
  await server.kill();
  const start = Date.now() - COUNT * 1_000;
  const lines = numbered(1, COUNT).map((text, at) =>
    JSON.stringify({ sequence: at + 1, time: start + at * 1_000, room: "lobby", username: "bob", session: 1, reference: at + 1, style: 0, text }),
  );
  lines.unshift(JSON.stringify({ format: "pi-chat-log", version: 1, log_id: "0".repeat(32) }));
  server.command(["import"], ["-"], `${lines.join("\n")}\n`);
  await server.startAgain();
});

/** Checks that the page shows messages without a hole, and few of them. Returns the first and last number. */
async function shown(page) {
  const seen = (await texts(page)).filter((it) => it.startsWith("number "));
  const first = Number(seen[0].slice(7));
  assert.deepEqual(seen, numbered(first, first + seen.length - 1), "none is missing");
  assert.ok(seen.length <= 150, `${seen.length} rows`);
  return [first, first + seen.length - 1];
}

/** Scrolls to an end of the list until a condition on the first and last number holds. */
async function scroll(page, top, isThere) {
  await until(async () => {
    await page.locator(".messages").evaluate((it, top) => it.scrollTo({ top }), top);
    return isThere(...(await shown(page)));
  });
}

/** Searches for a message in the open dialog, and goes to it: it must be in sight, with others around it. */
async function goTo(page, number) {
  await page.fill("#search-field", `${number} from:bob in:lobby`);
  await page.press("#search-field", "Enter");
  await page.locator(".result", { hasText: `number ${number}` }).click();
  await closed(page);
  const marked = page.locator(".message.is-marked", { hasText: `number ${number}` });
  await until(() =>
    marked.evaluate((it) => {
      const [row, list] = [it.getBoundingClientRect(), it.closest(".messages").getBoundingClientRect()];
      return row.top >= list.top && row.bottom <= list.bottom;
    }),
  );
  const [first, last] = await shown(page);
  assert.ok(first < number - 15 && last > number + 15, `from ${first} to ${last}`);
}

/** Memory of the page's script in bytes, without what can be freed. */
async function memory(devtools) {
  await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  return metrics.find((it) => it.name === "JSHeapUsedSize").value;
}

test("what is read stays in place while older messages come", async () => {
  const page = await openPage(browser, server.url);
  await enter(page, "anna");
  await sees(page, `number ${COUNT}`);
  const list = page.locator(".messages");
  for (let step = 0; step < 30; step += 1) {
    // What is in the middle of the list stays there when older messages come.
    const before = await list.evaluate((it) => {
      it.scrollTop = Math.max(0, it.scrollTop - 500);
      const middle = it.getBoundingClientRect().top + it.clientHeight / 2;
      const row = [...it.querySelectorAll(".message")].find((row) => row.getBoundingClientRect().bottom > middle);
      return { key: row.dataset.key, top: row.getBoundingClientRect().top };
    });
    await until(async () => {
      const { top, above } = await page.locator(`[data-key="${before.key}"]`).evaluate((it) => {
        return { top: it.getBoundingClientRect().top, above: it.closest(".messages").scrollTop };
      });
      assert.ok(Math.abs(top - before.top) < 2, `row ${before.key} moved by ${top - before.top}`);
      return above >= MARGIN;
    });
  }
  const [first] = await shown(page);
  assert.ok(first < COUNT - 300, `it went back to ${first}`);
  await page.context().close();
});

test("who scrolls while something is drawn is not taken back, however late the browser tells of the scrolling", async () => {
  const page = await openPage(browser, server.url);
  await enter(page, "emil");
  await sees(page, `number ${COUNT}`);
  const list = page.locator(".messages");
  const [first] = await shown(page);
  const row = page.locator(".message", { hasText: `number ${first + 3}` });
  const place = () => row.evaluate((it) => it.getBoundingClientRect().bottom);
  await page.evaluate(() => addEventListener("scroll", (event) => event.stopImmediatePropagation(), { capture: true }));
  // Once from the newest, once from a place above. The page is drawn anew when somebody comes in.
  const clients = [];
  for (const name of ["frieda", "gustav"]) {
    await list.evaluate((it) => (it.scrollTop -= 100));
    const before = await place();
    clients.push(await Client.start(server, name));
    await page.locator(".members li", { hasText: name }).waitFor();
    assert.ok(Math.abs((await place()) - before) < 2, `it moved by ${(await place()) - before}`);
  }
  for (const client of clients) client.stop();
  await page.context().close();
});

test("reading far back and on again leaves the page as small as it was", async () => {
  const page = await openPage(browser, server.url);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  await enter(page, "berta");
  await sees(page, `number ${COUNT}`);
  const before = await memory(devtools);
  // More than the page holds at a time.
  for (const back of [400, 800, 1_200]) await scroll(page, 0, (first) => first < COUNT - back);
  for (const back of [800, 400, 0]) await scroll(page, 1e9, (_, last) => last >= COUNT - back);
  const growth = (await memory(devtools)) - before;
  console.log(`  the page's script has ${Math.round(before / 1000)} kB, and ${Math.round(growth / 1000)} kB more after reading back`);
  assert.ok(growth < GROWTH, `it grew by ${growth} bytes`);
  await page.context().close();
});

test("search leads to a message among those around it, and there is a way back", async () => {
  const page = await openPage(browser, server.url);
  const client = await Client.start(server, "carl");
  await enter(page, "dora");
  await sees(page, `number ${COUNT}`);
  await page.getByRole("button", { name: "Search" }).click();
  await page.fill("#search-field", "frm:bob");
  await page.press("#search-field", "Enter");
  await page.getByText(/What does .frm:bob. mean/).waitFor();
  await goTo(page, 12_345);
  // What is here already is gone to as well.
  await scroll(page, 1e9, (_, last) => last > 12_600);
  await page.getByRole("button", { name: "Search" }).click();
  await goTo(page, 12_345);
  await scroll(page, 1e9, (_, last) => last > 12_600);
  client.say("meanwhile");
  await page.getByRole("button", { name: /1. new message/ }).click();
  await sees(page, "meanwhile");
  await shown(page);
  assert.equal(await page.locator(".to-newest").count(), 0);
  client.stop();
  await page.context().close();
});
