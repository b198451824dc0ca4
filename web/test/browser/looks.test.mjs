/** How it looks and whether everybody can use it: sizes, contrast, names of controls, keyboard. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { Client, enter, openPage, say, sees, Server, startBrowser, stopAll } from "./support.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
let server;
let client;

before(async () => {
  browser = await startBrowser();
  server = await Server.start();
  client = await Client.start(server, "bob");
  client.say("hello anna", "see https://example.org/a/very/long/address/that/does/not/fit/into/a/small/window");
});

after(async () => {
  await browser.close();
  await stopAll();
});

/** Has axe look at the page: there must be nothing to complain about. */
async function check(page, view) {
  const { violations } = await page.evaluate(axe).then(() => page.evaluate(() => globalThis.axe.run()));
  const found = violations.map((it) => `${view}: ${it.id}: ${it.nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, []);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [device, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]]) {
    test(`axe finds nothing: ${device}, ${colorScheme}`, async () => {
      // axe is put into the page by its source, which the page's policy forbids.
      const page = await openPage(browser, server.url, { viewport, colorScheme, bypassCSP: true, reducedMotion: "reduce" });
      await check(page, "name");
      await page.fill("#name", "bob");
      await page.press("#name", "Enter");
      await page.locator(".problem").waitFor();
      await check(page, "name refused");
      await enter(page, `anna-${device}-${colorScheme}`);
      await sees(page, "hello anna");
      await say(page, "/msg nobody hi");
      await page.locator(".is-refused").waitFor();
      await check(page, "direct");
      if (device === "phone") {
        await page.getByRole("button", { name: "Open the list of rooms" }).click();
        await check(page, "menu");
      }
      await page.locator(".conversation", { hasText: "lobby" }).click();
      await check(page, "room");
      await page.getByRole("button", { name: "Search" }).click();
      await page.fill("#search-field", "hello");
      await page.press("#search-field", "Enter");
      await page.locator(".result").first().waitFor();
      await check(page, "search");
      await page.keyboard.press("Escape");
      for (const command of ["/rooms", "/help", "/who"]) {
        await say(page, command);
        await page.locator("dialog h2").waitFor();
        await check(page, command);
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      await page.locator("button.author", { hasText: "bob" }).first().click();
      await check(page, "person");
      assert.deepEqual(page.problems, []);
      await page.context().close();
    });
  }
}

test("nothing is cut off from 320x568 to 1920x1080, and at a zoom of 400 %", async () => {
  const page = await openPage(browser, server.url);
  await enter(page, "sizes");
  await sees(page, "hello anna");
  for (const [width, height] of [[320, 568], [390, 844], [568, 320], [768, 1024], [1280, 800], [1920, 1080], [320, 256]]) {
    await page.setViewportSize({ width, height });
    const inside = await page.evaluate(() => {
      const box = document.querySelector("#compose").getBoundingClientRect();
      return {
        page: document.documentElement.scrollWidth <= innerWidth,
        field: box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight && box.width > 150,
        list: document.querySelector(".messages").clientHeight > 60,
      };
    });
    assert.deepEqual(inside, { page: true, field: true, list: true }, `${width}x${height}`);
  }
  await page.context().close();
});

test("touch targets of a phone are large enough", async () => {
  const page = await openPage(browser, server.url, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await enter(page, "fingers");
  await sees(page, "hello anna");
  const small = await page.locator("button:visible").evaluateAll((all) =>
    all.filter((it) => it.getBoundingClientRect().height < 24 || it.getBoundingClientRect().width < 24).map((it) => it.outerHTML),
  );
  assert.deepEqual(small, []);
  await page.context().close();
});

test("keyboard alone does everything", async () => {
  const page = await openPage(browser, server.url);
  await page.keyboard.type("keys");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#compose");
  await page.locator("#compose").focus();
  await page.keyboard.type("typed @bo");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await sees(page, "typed @bob");
  await page.keyboard.press("Shift+Tab");
  const reached = await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.className);
  assert.match(reached, /What to do with this message/);
  await page.keyboard.press("Enter");
  await page.locator("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  const focused = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  assert.match(focused, /What to do with this message/, "the focus comes back");
  await page.context().close();
});

test("screen reader is told new messages by a place of their own", async () => {
  const page = await openPage(browser, server.url);
  await enter(page, "listener");
  await sees(page, "hello anna");
  client.say("announce this");
  await page.locator("[aria-live=polite]", { hasText: "bob: announce this" }).waitFor({ state: "attached" });
  assert.equal(await page.locator(".messages [aria-live], .messages [role=log]").count(), 0);
  await page.context().close();
});
