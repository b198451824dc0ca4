/** Every view as axe sees it: contrast, names of controls, order of headings, and the like. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { browser, Client, close, closed, enter, openActions, openPage, openTab, say, sees, server, Server, setUp } from "./support.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Devices on which each view is looked at. */
const DEVICES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

/** Name of the server in the local network, which leads to this machine. */
const NAME = "attic-chat.local";

let client;

setUp([`--host-resolver-rules=MAP ${NAME} 127.0.0.1`], async () => {
  client = await Client.start(server, "bob");
  client.say("hello anna", "see https://example.org/a/very/long/address/that/does/not/fit/into/a/small/window");
});

/** Has axe look at the page: there must be nothing to complain about. */
async function check(page, view) {
  const { violations } = await page.evaluate(axe).then(() => page.evaluate(() => globalThis.axe.run()));
  const found = violations.map((it) => `${view}: ${it.id}: ${it.nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, []);
}

/** Opens a page on a device. axe is put into it by its source, which the page's policy forbids. */
async function open(device, colorScheme, url = server.url) {
  return openPage(browser, url, { viewport: DEVICES[device], colorScheme, bypassCSP: true, reducedMotion: "reduce" });
}

/** Looks at the dialog that is open, and closes it. */
async function checkDialog(page, view) {
  await page.locator("dialog h2").waitFor();
  await check(page, view);
  await page.keyboard.press("Escape");
  await closed(page);
}

for (const colorScheme of ["light", "dark"]) {
  for (const device of Object.keys(DEVICES)) {
    test(`axe finds nothing: ${device}, ${colorScheme}`, async () => {
      const page = await open(device, colorScheme);
      await page.locator("#name").waitFor();
      await check(page, "name");
      await page.fill("#name", "bob");
      await page.press("#name", "Enter");
      await page.locator(".problem").waitFor();
      await check(page, "name refused");
      const name = `anna-${device}-${colorScheme}`;
      await enter(page, name);
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
      await say(page, "/dance");
      await page.locator(".toast").waitFor();
      await check(page, "note");
      await page.getByRole("button", { name: "Dismiss" }).click();

      for (const command of ["/rooms", "/help", "/who", "/bans"]) {
        await say(page, command);
        await checkDialog(page, command);
      }
      server.command(["role", "add"], [name, "owner"]);
      await say(page, "/mute carl 2h noise");
      await say(page, "/bans");
      await page.locator(".sanction").waitFor();
      await checkDialog(page, "moderation");
      await openActions(page, "hello anna");
      await checkDialog(page, "message");
      await page.locator("button.author", { hasText: "bob" }).first().click();
      await check(page, "person");
      await page.getByRole("button", { name: /Keep .bob. out/ }).click();
      await checkDialog(page, "sanction");
      await say(page, "/unmute carl");
      await say(page, "/search hello");
      await page.locator(".result").first().waitFor();
      await check(page, "search");
      await page.locator(".result").first().click();
      await page.locator(".is-marked").waitFor();
      await check(page, "result in its context");
      await close(page);
    });
  }

  test(`axe finds nothing where others are invited: ${colorScheme}`, async () => {
    const page = await open("desktop", colorScheme, server.url.replace("127.0.0.1", NAME));
    await enter(page, `host-${colorScheme}`);
    await page.getByRole("button", { name: "You and this page" }).click();
    await page.getByRole("button", { name: "Invite others" }).click();
    await page.locator("dialog img").waitFor();
    await checkDialog(page, "invite");
    await close(page);
  });

  test(`axe finds nothing where a device is added: ${colorScheme}`, async () => {
    const claims = await Server.start("--claims", "open");
    const page = await open("phone", colorScheme, claims.url.replace("127.0.0.1", NAME));
    await enter(page, "anna");
    await say(page, "/claim");
    await page.locator(".toast", { hasText: "is kept for you" }).waitFor();
    await say(page, "/link");
    await page.locator("dialog img").waitFor();
    await checkDialog(page, "link code");
    await say(page, "/unlink");
    await checkDialog(page, "unlink");
    await close(page);
    await claims.stop();
  });

  test(`axe finds nothing outside of the chat: ${colorScheme}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), "pi-chat-password-"));
    writeFileSync(join(directory, "password"), "secret\n", { mode: 0o600 });
    const own = await Server.start("--password-file", join(directory, "password"));
    const page = await open("phone", colorScheme, own.url);
    await page.fill("#name", "anna");
    await page.press("#name", "Enter");
    await page.waitForSelector("#password");
    await check(page, "password");
    await page.fill("#password", "wrong");
    await page.press("#password", "Enter");
    await page.locator(".problem").waitFor();
    await page.waitForFunction(() => document.querySelector("#password").value === "");
    await check(page, "password wrong");
    await page.fill("#password", "secret");
    await page.press("#password", "Enter");
    await page.waitForSelector("#compose");

    const second = await openTab(page.context(), own.url);
    await second.getByRole("button", { name: "Use it here" }).waitFor();
    await check(second, "elsewhere");
    await second.close();

    await own.kill();
    await page.getByText("No connection.").waitFor();
    await check(page, "no connection");
    await own.startAgain("--password-file", join(directory, "password"));
    await page.getByRole("button", { name: "Try now" }).click().catch(() => undefined);
    await page.getByText("No connection.").waitFor({ state: "detached" });
    if (await page.getByRole("button", { name: "Open the list of rooms" }).isVisible()) {
      await page.getByRole("button", { name: "Open the list of rooms" }).click();
    }
    await page.getByRole("button", { name: "You and this page" }).click();
    await page.locator("dialog h2").waitFor();
    await check(page, "settings");
    await page.getByRole("button", { name: "Leave the chat" }).click();
    await page.getByText("You have left. See you!").waitFor();
    await check(page, "end");
    await page.context().close();
    await own.stop();
    rmSync(directory, { recursive: true });

    const invited = await Server.start("--access", "invited");
    const guest = await open("phone", colorScheme, invited.url);
    await guest.fill("#name", "anna");
    await guest.press("#name", "Enter");
    await guest.waitForSelector("#invite");
    await check(guest, "invitation");
    await guest.context().close();
    await invited.stop();
  });
}
