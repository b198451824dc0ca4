/** Coming in where only invited people may: by a link, by a typed code, and with what is wrong with it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, close, enter, openPage, openTab, say, sees, Server, setUp, until } from "./support.mjs";

/** A server that lets only invited people in. */
let closed;

setUp([], async () => {
  closed = await Server.start("--access", "invited");
});

/** Returns the address of the page with an invitation. */
function link(code) {
  return `${closed.url}#invite=${code}`;
}

/** What the page keeps of an invitation. */
async function kept(page) {
  return page.evaluate(() => localStorage["pi-chat.invite"] ?? null);
}

/** Enters a name, which is not enough to come in. */
async function enterInVain(page, name) {
  await page.fill("#name", name);
  await page.press("#name", "Enter");
  await page.locator("#invite").waitFor();
}

test("link with an invitation lets in, also after a reload, and leaves no code behind", async () => {
  const page = await openPage(browser, link(closed.invite()));
  await page.locator("#name").waitFor();
  assert.equal(page.url(), closed.url, "the address can be passed on");
  // The invitation is still needed, so a reload must not lose it.
  assert.notEqual(await kept(page), null);
  await page.reload();
  await enter(page, "anna");
  await until(async () => (await kept(page)) === null);
  await say(page, "I am in");
  await page.locator(".message:not(.is-pending)", { hasText: "I am in" }).waitFor();
  await page.reload();
  await sees(page, "I am in");
  await page.waitForSelector("#compose");
  await close(page);
});

test("who has no invitation is asked for it, told what is wrong with it, and comes in with a right one", async () => {
  const page = await openPage(browser, closed.url, { locale: "de-DE" });
  await enterInVain(page, "bob");
  await page.getByText("Hierher kommt nur, wer eingeladen ist.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "invite", "the code can be typed at once");
  const code = closed.invite();
  const wrong = page.getByText("Diese Einladung gilt nicht");
  for (const text of ["no code", "0000-0000-0000-0000"]) {
    await page.fill("#invite", text);
    await page.press("#invite", "Enter");
    await wrong.waitFor();
    assert.equal(await page.inputValue("#invite"), text, "it can be corrected");
  }
  // As it is typed by hand.
  await page.fill("#invite", code.replaceAll("-", "").toLowerCase());
  await page.press("#invite", "Enter");
  await page.waitForSelector("#compose");
  await close(page);

  // It was for one.
  const other = await openPage(browser, link(code), { locale: "de-DE" });
  await enterInVain(other, "carl");
  await other.getByText("Diese Einladung gilt nicht").waitFor();
  assert.equal(await kept(other), null, "it is not tried again after a reload");
  await close(other);
});

test("invitation for a name says which one", async () => {
  const code = closed.invite("--name", "dora");
  const page = await openPage(browser, link(code));
  await enterInVain(page, "emil");
  await page.getByText(/This invitation is for the name .?dora/).waitFor();
  await page.fill("#name", "dora");
  await page.press("#name", "Enter");
  await page.waitForSelector("#compose");
  await close(page);
});

test("link that is opened in a tab that has the page brings its invitation", async () => {
  const page = await openPage(browser, closed.url);
  await enterInVain(page, "gerd");
  await page.goto(link(closed.invite()));
  await until(async () => page.url() === closed.url);
  await enter(page, "gerd");
  // Another page of this browser takes over with the session alone.
  const tab = await openTab(page.context(), closed.url);
  await tab.getByRole("button", { name: "Use it here" }).click();
  await tab.waitForSelector("#compose");
  assert.deepEqual(tab.problems, []);
  await close(page);
});

test("server that lets everybody in refuses a wrong invitation, lets in without, and keeps a name for a right one", async () => {
  const open = await Server.start();
  const page = await openPage(browser, `${open.url}#invite=0000-0000-0000-0000`);
  await enterInVain(page, "hans");
  await page.fill("#invite", "");
  await page.press("#invite", "Enter");
  await page.waitForSelector("#compose");
  const code = open.invite("--name", "frida");
  const other = await openPage(browser, open.url);
  await enterInVain(other, "frida");
  await other.getByText(/belongs to somebody/).waitFor();
  await other.fill("#invite", code);
  await other.press("#invite", "Enter");
  await other.waitForSelector("#compose");
  await close(page, other);
  await open.stop();
});
