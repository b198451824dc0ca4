/**
 * Takes pictures of the main views, on a phone and a desktop, light and dark.
 *
 * usage: node test/screens.mjs TARGET DIRECTORY
 *
 * TARGET is the directory for everything that is built (`scripts/build-page`, `cargo build`).
 */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

const [target, directory] = process.argv.slice(2);
if (!target || !directory) throw new Error("usage: node test/screens.mjs TARGET DIRECTORY");
process.env.PAGE_TARGET = resolve(target);
const { Client, enter, openPage, say, sees, Server, startBrowser, stopAll } = await import("./browser/support.mjs");

/** What is said in the pictures: who says what. */
const TALK = [
  ["jonas", "Good morning! The workshop opens at ten."],
  ["jonas", "Bring your own mug this time 😄"],
  ["mira", "Is somebody near the kitchen? The oven is still on"],
  ["bob", "on my way"],
  ["bob", "/me turns it off"],
  ["mira", "thank you!"],
  ["jonas", "The plan for Saturday: https://wiki.example/saturday"],
  ["mira", "Anna, can you bring the long cable?"],
];

const devices = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const browser = await startBrowser();
mkdirSync(directory, { recursive: true });
for (const [device, viewport] of Object.entries(devices)) {
  for (const colorScheme of ["light", "dark"]) {
    const server = await Server.start("--name", "attic");
    const clients = new Map();
    for (const name of ["jonas", "mira", "bob"]) clients.set(name, await Client.start(server, name));
    const take = (page, view) => page.screenshot({ path: join(directory, `${view}-${device}-${colorScheme}.png`) });
    const page = await openPage(browser, server.url, { viewport, colorScheme, deviceScaleFactor: 2, reducedMotion: "reduce" });
    await take(page, "name");
    await enter(page, "anna");
    for (const [name, text] of TALK) {
      const [type, said] = text.startsWith("/me ") ? ["action", text.slice(4)] : ["say", text];
      clients.get(name).send({ type, room: "lobby", text: said });
      await sees(page, said);
    }
    await say(page, "Yes, it is in my bag already");
    await page.locator(".message.is-own:not(.is-pending)").waitFor();
    for (const room of ["kitchen", "workshop"]) {
      clients.get("mira").send({ type: "join", room });
      await say(page, `/join ${room}`);
      await page.locator("h1", { hasText: room }).waitFor();
    }
    clients.get("mira").send({ type: "say", room: "kitchen", text: "tea is ready" });
    clients.get("bob").send({ type: "direct", to: "anna", text: "psst, cake at four" });
    await page.locator(".conversation", { hasText: "bob" }).waitFor({ state: "attached" });
    if (device === "phone") {
      await page.getByRole("button", { name: "Open the list of rooms" }).click();
      await take(page, "rooms");
    }
    await page.locator(".conversation", { hasText: "lobby" }).click();
    await page.locator("h1", { hasText: "lobby" }).waitFor();
    await page.mouse.move(0, 0);
    await take(page, "room");
    await page.getByRole("button", { name: "Search" }).click();
    await page.fill("#search-field", "saturday");
    await page.press("#search-field", "Enter");
    await page.locator(".result").first().waitFor();
    await take(page, "search");
    await page.context().close();
    for (const it of clients.values()) it.stop();
    await server.stop();
  }
}
await browser.close();
await stopAll();
