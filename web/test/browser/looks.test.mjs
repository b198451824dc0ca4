/** Whether everybody can use it: sizes, touch, keyboard, screen readers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, closed, enter, openPage, say, sees, server, Server, setUp } from "./support.mjs";

let client;

setUp([], async () => {
  client = await Client.start(server, "bob");
  client.say("hello anna", "see https://example.org/a/very/long/address/that/does/not/fit/into/a/small/window");
});

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
  // Dialogs scroll by themselves, and only up and down.
  for (const [width, height] of [[320, 568], [320, 256], [1920, 1080]]) {
    await page.setViewportSize({ width, height });
    for (const command of ["/help", "/rooms", "/bans", "/search hello"]) {
      await say(page, command);
      await page.locator("dialog h2").waitFor();
      const box = await page.locator("dialog").evaluate((it) => ({
        wide: it.scrollWidth > it.clientWidth || it.getBoundingClientRect().right > innerWidth || it.getBoundingClientRect().left < 0,
        high: it.getBoundingClientRect().bottom > innerHeight || it.getBoundingClientRect().top < 0,
      }));
      assert.deepEqual(box, { wide: false, high: false }, `${command} at ${width}x${height}`);
      await page.keyboard.press("Escape");
      await closed(page);
    }
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

test("notes cover neither the controls nor the strip, and those without urgency go by themselves", async () => {
  const own = await Server.start("--motd", "Welcome, and be so kind as to read what hangs beside the door");
  const page = await openPage(browser, own.url, { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true });
  await enter(page, "toast");
  await page.locator(".toast", { hasText: "Welcome" }).waitFor();
  await say(page, "/topic");
  const info = page.locator(".toast", { hasText: "This room has no topic." });
  await info.waitFor();
  await say(page, "/dance");
  await page.locator(".toast-error").waitFor();
  // A tap fails if something lies over its target.
  await page.getByRole("button", { name: "Open the list of rooms" }).tap();
  await page.getByRole("button", { name: "Close the list of rooms" }).tap();
  await own.kill();
  await page.getByRole("button", { name: "Try now" }).tap();
  await info.waitFor({ state: "detached" });
  assert.equal(await page.locator(".toast").count(), 2, "those of the server and errors stay");
  await page.context().close();
  await own.stop();
});

/** Presses Tab until the focus is on something with a certain name. */
async function tabTo(page, name, key = "Tab") {
  for (let count = 0; count < 60; count += 1) {
    const reached = await page.evaluate(() => {
      const it = document.activeElement;
      if (it === document.body) return "";
      return `${it.getAttribute("aria-label") ?? ""} ${it.textContent} ${it.id} ${it.className}`;
    });
    if (name.test(reached)) return;
    await page.keyboard.press(key);
  }
  assert.fail(`Tab does not lead to ${name}`);
}

/** Presses Enter on something with a certain name. */
async function press(page, name, key = "Tab") {
  await tabTo(page, name, key);
  await page.keyboard.press("Enter");
}

test("keyboard alone does everything", async () => {
  const page = await openPage(browser, server.url);
  await page.waitForSelector("#name:focus");
  await page.keyboard.type("keys");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#compose");
  await tabTo(page, /compose/);
  await page.keyboard.type("typed @bo");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await sees(page, "typed @bob");

  await page.locator(".message:not(.is-pending) .text", { hasText: "typed @bob" }).waitFor();
  // A message: the arrows lead to the others, and the focus comes back when its dialog closes.
  await tabTo(page, /What to do with this message: .*: typed @bob/, "Shift+Tab");
  await page.keyboard.press("ArrowUp");
  await page.waitForFunction(() => !document.activeElement.getAttribute("aria-label")?.endsWith("typed @bob"));
  await press(page, /What to do with this message/, "Shift+Tab");
  await page.locator("dialog").waitFor();
  await page.keyboard.press("Escape");
  await closed(page);
  await page.waitForFunction(() => document.activeElement.getAttribute("aria-label")?.startsWith("What to do"));

  // A search, and where it leads.
  await press(page, /^Search/, "Shift+Tab");
  await page.locator("dialog").waitFor();
  await tabTo(page, /search-field/);
  await page.keyboard.type("hello");
  await page.keyboard.press("Enter");
  await page.locator(".result").first().waitFor();
  await press(page, /hello anna/);
  await page.locator(".is-marked").waitFor();
  await page.waitForFunction(() => document.activeElement.getAttribute("aria-label")?.endsWith(": bob: hello anna"));

  // Another room, and leaving it; a person.
  await press(page, /Find or make a room/);
  await page.locator("dialog").waitFor();
  await tabTo(page, /room-name/);
  await page.keyboard.type("attic");
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "#attic" }).waitFor();
  await press(page, /Leave this room/);
  await page.locator("dialog").waitFor();
  await press(page, /danger/);
  await page.locator("h1", { hasText: "#lobby" }).waitFor();
  await page.locator(".members-panel", { hasText: "bob" }).waitFor();
  await press(page, /^ Bbob/);
  await press(page, /Mention .bob/);
  await page.waitForFunction(() => document.activeElement.id === "compose" && document.activeElement.value === "@bob ");
  await page.keyboard.type("hi");
  await page.keyboard.press("Enter");
  await sees(page, "@bob hi");
  await press(page, /^ Bbob/);
  await press(page, /Write to .bob. only/);
  await page.locator("h1", { hasText: "bob" }).waitFor();
  await press(page, /Close this conversation/);
  await page.locator("dialog").waitFor();
  await press(page, /danger/);
  await press(page, /You and this page/);
  await press(page, /Leave the chat/);
  await press(page, /Come in again/);
  await page.waitForSelector("#name");
  await page.context().close();
});

test("who is in no room has the menu, and closing a conversation asks first", async () => {
  const page = await openPage(browser, server.url, { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true });
  await enter(page, "nowhere");
  await page.getByRole("button", { name: "Leave this room" }).tap();
  await page.getByRole("button", { name: "Close", exact: true }).tap();
  await closed(page);
  await page.locator("h1", { hasText: "#lobby" }).waitFor();
  await page.getByRole("button", { name: "Leave this room" }).tap();
  await page.locator("dialog").getByRole("button", { name: "Leave this room" }).tap();
  await page.locator("h1").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Open the list of rooms" }).tap();
  await page.getByRole("button", { name: "You and this page" }).tap();
  await page.getByRole("button", { name: "Leave the chat" }).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).tap();
  await page.locator(".sidebar.is-open").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Open the list of rooms" }).tap();
  await page.waitForFunction(() => document.activeElement.classList.contains("menu-close"));
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.activeElement.matches(".menu-button button"));
  await page.locator(".sidebar.is-open").waitFor({ state: "detached" });
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
