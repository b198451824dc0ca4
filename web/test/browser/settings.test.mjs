/** Settings: sound, notifications, whom one ignores, leaving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, close, closed, enter, openPage, say, sees, server, Server, setUp, until } from "./support.mjs";

let client;

setUp([], async () => {
  client = await Client.start(server, "bob");
});

/** Counts tones and notifications in a page, and lets a test say whether the page is in sight. */
function watch() {
  Object.assign(globalThis, { tones: 0, notified: [], sight: "visible" });
  globalThis.AudioContext = class extends AudioContext {
    constructor() {
      super();
      globalThis.tones += 1;
    }
  };
  const permission = () => globalThis.answer ?? "default";
  globalThis.Notification = class {
    static get permission() {
      return permission();
    }
    static requestPermission() {
      globalThis.answer = "granted";
      return Promise.resolve("granted");
    }
    constructor(title, { body }) {
      globalThis.notified.push(`${title}: ${body}`);
      globalThis.last = this;
    }
    close() {}
  };
  Object.defineProperty(document, "visibilityState", { get: () => globalThis.sight });
}

/** Has the page be in sight, or not. */
async function setSight(page, sight) {
  await page.evaluate((sight) => {
    globalThis.sight = sight;
    document.dispatchEvent(new Event("visibilitychange"));
  }, sight);
}

/** Opens a page that is watched, and its settings. */
async function openSettings(name) {
  const page = await openPage(browser, "about:blank");
  await page.addInitScript(watch);
  await page.goto(server.url);
  await enter(page, name);
  await page.getByRole("button", { name: "You and this page" }).click();
  // It is drawn a moment later: an Escape before that would close nothing.
  await page.locator("dialog").waitFor();
  return page;
}

test("sound and notifications come for what is meant for the user, out of sight, and when they are on", async () => {
  const page = await openSettings("anna");
  const sound = page.getByLabel("Play a sound for what is meant for you");
  assert.equal(await sound.isChecked(), false, "off at first");
  await sound.check();
  await page.getByRole("button", { name: "Show notifications" }).click();
  await page.getByText("Notifications are on.").waitFor();
  await page.keyboard.press("Escape");
  await closed(page);
  await setSight(page, "hidden");
  client.say("nothing special", "anna, are you there?");
  client.send({ type: "direct", to: "anna", text: "psst" });
  await until(async () => (await page.evaluate(() => globalThis.notified.length)) === 2);
  assert.deepEqual(await page.evaluate(() => globalThis.notified), ["bob: anna, are you there?", "bob: psst"]);
  assert.equal(await page.evaluate(() => globalThis.tones), 2);
  await until(async () => /^\(3\) /.test(await page.title()));
  // Who clicks it gets there.
  await page.evaluate(() => globalThis.last.onclick());
  await page.locator("h1", { hasText: "bob" }).waitFor();
  await setSight(page, "visible");
  await page.locator(".conversation", { hasText: "lobby" }).click();
  client.say("anna, this is in sight");
  await sees(page, "this is in sight");
  assert.equal(await page.evaluate(() => globalThis.tones), 2);
  // In sight, but in another conversation: the sound is enough.
  const direct = page.locator(".conversation", { hasText: "bob" });
  client.send({ type: "direct", to: "anna", text: "look here" });
  await direct.locator(".badge").waitFor();
  assert.deepEqual(await page.evaluate(() => [globalThis.tones, globalThis.notified.length]), [3, 2]);
  await direct.click();
  await sees(page, "look here");
  await page.locator(".conversation", { hasText: "lobby" }).click();

  await page.reload();
  await page.getByRole("button", { name: "You and this page" }).click();
  assert.equal(await page.getByLabel("Play a sound for what is meant for you").isChecked(), true, "it is kept");
  await page.getByLabel("Play a sound for what is meant for you").uncheck();
  await page.keyboard.press("Escape");
  await setSight(page, "hidden");
  client.say("anna, quietly");
  await until(async () => /^\(1\)/.test(await page.title()));
  assert.equal(await page.evaluate(() => globalThis.tones), 0);
  await close(page);
});

test("ignored person is hidden in any spelling of the name, until the user wants to see them", async () => {
  const page = await openPage(browser, server.url);
  await enter(page, "clara");
  client.say("one can read this, clara");
  await sees(page, "one can read this");
  assert.equal(await page.locator(".is-mention").count(), 1);
  await say(page, "/ignore BOB");
  await page.getByText(/Hidden: you do not want to see what .bob. writes/).first().waitFor();
  assert.equal(await page.getByText("one can read this").count(), 0);
  assert.equal(await page.locator(".is-mention").count(), 0);
  await say(page, "/search read");
  await page.locator(".result", { hasText: /Hidden: you do not want to see what .bob. writes/ }).waitFor();
  assert.equal(await page.getByText("one can read this").count(), 0);
  await page.fill("#search-field", "read from:bob");
  await page.press("#search-field", "Enter");
  await page.locator(".result", { hasText: "one can read this" }).waitFor();
  await page.keyboard.press("Escape");
  await closed(page);
  await say(page, "/ignore");
  await page.locator(".toast", { hasText: /Hidden: .bob/ }).waitFor();
  await page.reload();
  await page.getByText(/Hidden: you do not want to see what .bob. writes/).first().waitFor();
  await say(page, "/unignore bob");
  await sees(page, "one can read this");
  await page.context().close();
});

test("who leaves a server that does not answer leaves nothing in the browser either", async () => {
  const own = await Server.start();
  const page = await openPage(browser, own.url);
  await enter(page, "emma");
  await own.kill();
  await page.getByText("No connection.").waitFor();
  await say(page, "never to be sent");
  await until(() => page.evaluate(() => localStorage["pi-chat.unsent"]?.includes("never to be sent")));
  await page.getByRole("button", { name: "You and this page" }).click();
  await page.getByRole("button", { name: "Leave the chat" }).click();
  // At once: the page may be closed while it still tries.
  const isClean = async () => assert.doesNotMatch(await page.evaluate(() => JSON.stringify(localStorage)), /never to be sent|token/);
  await isClean();
  await page.getByRole("button", { name: "Come in again" }).waitFor();
  await isClean();
  await own.startAgain();
  await page.getByRole("button", { name: "Come in again" }).click();
  await enter(page, "emil");
  await say(page, "something new");
  await sees(page, "something new");
  assert.equal(await page.getByText("never to be sent").count(), 0);
  await page.context().close();
  await own.stop();
});

test("who leaves frees the name, and the page forgets what was said", async () => {
  const page = await openSettings("dora");
  await page.keyboard.press("Escape");
  await closed(page);
  client.send({ type: "direct", to: "dora", text: "for you only" });
  await page.locator(".conversation", { hasText: "bob" }).click();
  await sees(page, "for you only");
  await page.fill("#compose", "a draft");
  await page.locator(".conversation", { hasText: "lobby" }).click();
  await page.getByRole("button", { name: "You and this page" }).click();
  await page.getByRole("button", { name: "Leave the chat" }).click();
  await page.getByText("You have left. See you!").waitFor();
  const stored = await page.evaluate(() => JSON.stringify(localStorage));
  assert.doesNotMatch(stored, /for you only|a draft|token/);
  const other = await Client.start(server, "dora");
  other.stop();
  await page.getByRole("button", { name: "Come in again" }).click();
  await page.waitForSelector("#name");
  await page.context().close();
});
