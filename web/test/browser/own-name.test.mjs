/** A name of one's own: the key of a browser, and what a server keeps for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, close, enter, openPage, openTab, say, sees, Server, setUp, until } from "./support.mjs";

/** A server where everybody may claim a name, and one where only invited people may. */
let open;
let invited;

setUp([], async () => {
  open = await Server.start("--claims", "open");
  invited = await Server.start("--access", "invited");
});

/** Answer to somebody who asks for a claimed name. */
const CLAIMED = "This name belongs to somebody.";

/** Opens the page, and notes in `page.signers` how often it loads the signer. */
async function openNoting(url, options = {}, script = null) {
  const page = await openPage(browser, "about:blank", options, script);
  page.signers = 0;
  page.context().on("request", (it) => (page.signers += Number(it.url().includes("/signer-"))));
  await page.goto(url);
  return page;
}

/** What a page has stored. */
async function stored(page, key) {
  return page.evaluate((it) => localStorage[`pi-chat.${it}`] ?? null, key);
}

/** Opens the dialog about the user. */
async function openSettings(page) {
  await page.getByRole("button", { name: "You and this page" }).click();
}

/** Keeps the name, by the menu. */
async function keepName(page) {
  await openSettings(page);
  await page.getByRole("button", { name: "Keep this name" }).click();
  await page.getByRole("button", { name: "Give the name up" }).waitFor();
}

/** Gives the name up, by the menu that is open. */
async function giveUp(page) {
  await page.getByRole("button", { name: "Give the name up" }).click();
  // The question, which has a button with the same name.
  await page.getByText("Then anybody gets it").waitFor();
  await page.getByRole("button", { name: "Give the name up" }).click();
  await page.getByText("Done.").waitFor();
}

/** Leaves the chat by the menu. */
async function leave(page) {
  await openSettings(page);
  await page.getByRole("button", { name: "Leave the chat" }).click();
  await page.getByRole("button", { name: "Come in again" }).waitFor();
}

/** Asks for a name that belongs to somebody. */
async function isRefused(url, name) {
  const other = await openNoting(url);
  await other.fill("#name", name);
  await other.press("#name", "Enter");
  await other.getByText(CLAIMED).waitFor();
  return other;
}

test("name that is kept is for this browser alone, also after a reload and after leaving, until it is given up", async () => {
  const page = await openNoting(open.url);
  await enter(page, "anna");
  await say(page, "before the key");
  await page.locator(".message:not(.is-pending)", { hasText: "before the key" }).waitFor();
  assert.equal(page.signers, 0, "who wants no key loads no signer");
  await keepName(page);
  await page.locator(".toast", { hasText: /The name .?anna.? is kept for you/ }).waitFor();
  assert.equal(page.signers, 1);
  await page.getByRole("button", { name: "Close" }).click();
  await leave(page);

  const other = await isRefused(open.url, "Anna");
  await page.reload();
  await enter(page, "anna");
  await sees(page, "before the key");
  await page.reload();
  await page.waitForSelector("#compose");
  await openSettings(page);
  await page.getByText(/The name .?anna.? is kept for you/).waitFor();
  await giveUp(page);
  await leave(page);
  await enter(other, "anna");
  await close(page, other);
});

test("refused claim is told in the server's words", async () => {
  const plain = await Server.start();
  const page = await openNoting(plain.url);
  await enter(page, "bob");
  await openSettings(page);
  await page.getByRole("button", { name: "Keep this name" }).click();
  await page.locator(".toast-error", { hasText: /invitation/ }).waitFor();
  assert.equal(await stored(page, "claimed"), null);
  await close(page);
  await plain.stop();
});

test("invitation keeps the name by itself, and the key comes in without a code later", async () => {
  const page = await openNoting(`${invited.url}#invite=${invited.invite()}`);
  await enter(page, "carla");
  await page.locator(".toast", { hasText: /The name .?carla.? is kept for you/ }).waitFor();
  await until(async () => (await stored(page, "invite")) === null);
  await leave(page);
  const other = await openNoting(`${invited.url}#invite=${invited.invite()}`);
  await other.fill("#name", "carla");
  await other.press("#name", "Enter");
  await other.getByText(CLAIMED).waitFor();
  // Only the key is left.
  await page.evaluate(() => Object.keys(localStorage).forEach((it) => it !== "pi-chat.key" && delete localStorage[it]));
  await page.reload();
  await enter(page, "carla");
  await close(page, other);
});

test("link code of a chat-client makes the page another device of its user", async () => {
  const laptop = await Client.start(open, "greta", true);
  laptop.send({ type: "claim", id: 1 });
  await laptop.event((it) => it.type === "done" && it.id === 1);
  laptop.send({ type: "link", id: 2 });
  const { code } = await laptop.event((it) => it.type === "link_code");

  const page = await openNoting(`${open.url}#invite=${code}`);
  await enter(page, "greta");
  laptop.say("from the laptop");
  await sees(page, "from the laptop");
  await say(page, "from the phone");
  await laptop.event((it) => it.type === "message" && it.text === "from the phone");
  const hugo = await Client.start(open, "hugo");
  hugo.send({ type: "members", room: "lobby", id: 3 });
  const { names } = await hugo.event((it) => it.type === "roster" && it.asked);
  assert.deepEqual(names.filter((it) => it === "greta"), ["greta"]);
  hugo.send({ type: "direct", to: "greta", text: "to both" });
  await laptop.event((it) => it.type === "direct" && it.text === "to both");
  await page.locator(".conversation", { hasText: "hugo" }).click();
  await sees(page, "to both");
  await page.locator(".conversation", { hasText: "lobby" }).click();
  await page.reload();
  await page.waitForSelector("#compose");
  await sees(page, "from the laptop");

  laptop.send({ type: "unlink", id: 3 });
  await page.getByText("This device may use the name no longer").first().waitFor();
  await close(page);
  await laptop.stop();
  await hugo.stop();
});

test("invitation without a claim lets in and says nothing about names", async () => {
  const page = await openNoting(`${invited.url}#invite=${invited.invite("--no-claim")}`);
  await enter(page, "dora");
  await until(async () => (await stored(page, "invite")) === null);
  assert.equal(await page.locator(".toast").count(), 0);
  assert.notEqual(await stored(page, "key"), null);
  await close(page);
});

test("code that is typed makes a key as well", async () => {
  const page = await openNoting(invited.url);
  await page.fill("#name", "emil");
  await page.press("#name", "Enter");
  await page.fill("#invite", invited.invite());
  await page.press("#invite", "Enter");
  await page.locator(".toast", { hasText: /The name .?emil.? is kept for you/ }).waitFor();
  await close(page);
});

test("server that keeps nothing takes no keys: the page loads no signer and offers nothing", async () => {
  const volatile = await Server.startInMemory("--access", "invited");
  const page = await openNoting(`${volatile.url}#invite=${volatile.invite()}`);
  await enter(page, "frida");
  await openSettings(page);
  await page.getByRole("button", { name: "Leave the chat" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Keep this name" }).count(), 0);
  await until(async () => (await stored(page, "invite")) === null);
  assert.deepEqual([page.signers, await stored(page, "key")], [0, null]);
  await close(page);
  await volatile.stop();
});

test("another tab of the browser has the same key", async () => {
  const page = await openNoting(open.url);
  await enter(page, "gerd");
  const tab = await openTab(page.context(), open.url);
  await tab.getByRole("button", { name: "Use it here" }).waitFor();
  await keepName(page);
  await tab.getByRole("button", { name: "Use it here" }).click();
  await tab.waitForSelector("#compose");
  // The session is bound to the key: without it the tab would be somebody new, whose name is another's.
  await say(tab, "from the tab");
  await tab.locator(".message:not(.is-pending)", { hasText: "from the tab" }).waitFor();
  assert.deepEqual(tab.problems, []);
  await close(page);
});

test("browser that stores nothing has its key as long as the page is open, and claims nothing by itself", async () => {
  const refuse = () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  };
  const network = await open.network();
  const page = await openNoting(`${network.url}#invite=${open.invite()}`, {}, refuse);
  await enter(page, "hans");
  assert.equal(page.signers, 1);
  await keepName(page);
  await page.getByRole("button", { name: "Close" }).click();
  network.cut();
  await say(page, "after the cut");
  await page.locator(".message:not(.is-pending)", { hasText: "after the cut" }).waitFor();
  const other = await isRefused(open.url, "hans");
  await close(page, other);
  network.stop();
});

test("signer that cannot be loaded is told to who wants a name; who has a key waits for it", async () => {
  const page = await openNoting(open.url);
  await enter(page, "ida");
  await page.context().route("**/signer-*", (it) => it.abort());
  await openSettings(page);
  await page.getByRole("button", { name: "Keep this name" }).click();
  await page.locator(".toast-error", { hasText: "a part of it could not be loaded" }).waitFor();
  assert.equal(await stored(page, "key"), null);
  await page.context().unroute("**/signer-*");
  await page.getByRole("button", { name: "Keep this name" }).click();
  await page.getByRole("button", { name: "Give the name up" }).waitFor();
  await page.context().route("**/signer-*", (it) => it.abort());
  await page.reload();
  await page.getByText("No connection.").waitFor();
  await page.context().unroute("**/signer-*");
  // It tries again by itself, so that there may be no button for it any more.
  await say(page, "with the key");
  await page.locator(".message:not(.is-pending)", { hasText: "with the key" }).waitFor();
  await close(page);
});

test("proof that the server refuses ends the session, and the page comes in again without its key", async () => {
  // As behind a proxy that changes the origin.
  const distort = () => {
    const { encode } = TextEncoder.prototype;
    TextEncoder.prototype.encode = function (text) {
      return encode.call(this, text === location.origin ? "http://elsewhere.example" : text);
    };
  };
  const page = await openNoting(`${open.url}#invite=${open.invite()}`, {}, distort);
  await page.fill("#name", "jan");
  await page.press("#name", "Enter");
  await page.getByText("The server does not accept the key of this browser.").waitFor();
  await page.getByRole("button", { name: "Come in again" }).click();
  await enter(page, "jan");
  await close(page);
});
