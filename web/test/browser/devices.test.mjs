/** Several devices of one person: the page makes link codes, and takes the name back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, close, closed, enter, openPage, openTab, say, sees, Server, setUp, until } from "./support.mjs";

/** Name of the server in the local network, which leads to this machine. */
const NAME = "attic-chat.local";

/** A server where everybody may claim a name. */
let open;

setUp([`--host-resolver-rules=MAP ${NAME} 127.0.0.1`], async () => {
  open = await Server.start("--claims", "open");
});

/** Opens the dialog about the user. */
async function openSettings(page) {
  await page.getByRole("button", { name: /^(You and this page|Du und diese Seite)$/ }).click();
}

/** Comes in with a name and keeps it. The dialog about the user is open then. */
async function comeAndKeep(page, name) {
  await enter(page, name);
  await openSettings(page);
  await page.getByRole("button", { name: /^(Keep this name|Diesen Namen behalten)$/ }).click();
  await page.getByRole("button", { name: /^(Give the name up|Den Namen hergeben)$/ }).waitFor();
}

/** Makes a link code in the dialog about the user, which is open. */
async function makeCode(page) {
  await page.getByRole("button", { name: /^(Add another device|Weiteres Gerät hinzufügen)$/ }).click();
  return page.locator(".link-code").textContent();
}

/** Closes pages whose only problem may be that the server has no address for others: only this machine reaches it. */
async function closeLocal(...pages) {
  for (const page of pages) page.problems = page.problems.filter((it) => !it.includes("404"));
  await close(...pages);
}

/** Returns the names that a chat-client lists in the lobby. */
async function names(client, id) {
  client.send({ type: "members", room: "lobby", id });
  return (await client.event((it) => it.type === "roster" && it.id === id)).names;
}

test("page makes a code, and with it another browser is the same person, until it is unlinked", async () => {
  const page = await openPage(browser, open.url.replace("127.0.0.1", NAME));
  await comeAndKeep(page, "anna");
  const code = await makeCode(page);
  assert.match(code, /^([\dA-Z]{4}-){3}[\dA-Z]{4}$/);
  await page.getByRole("timer").filter({ hasText: /another .?4:5\d/ }).waitFor();
  const picture = page.locator("dialog img");
  const link = await picture.evaluate((it) => it.naturalWidth > 0 && /<title>(.*)<\/title>/.exec(decodeURIComponent(it.src))[1]);
  assert.equal(link, `${open.url.replace("127.0.0.1", NAME)}#invite=${code}`);

  const phone = await openPage(browser, link);
  await enter(phone, "anna");
  // The code is used: it is not shown any longer, and whose device it is is asked.
  await page.locator(".toast", { hasText: "Another device has come in under your name." }).waitFor();
  await page.locator("dialog").waitFor({ state: "detached" });
  const bob = await Client.start(open, "bob");
  assert.deepEqual(await names(bob, 1), ["anna", "bob"]);
  bob.send({ type: "direct", to: "anna", text: "to both" });
  for (const it of [page, phone]) {
    await it.locator(".conversation", { hasText: "bob" }).click();
    await sees(it, "to both");
  }
  await say(phone, "from the phone");
  await bob.event((it) => it.type === "direct" && it.text === "from the phone");
  await sees(page, "from the phone");

  await openSettings(page);
  await page.getByRole("button", { name: "Unlink other devices" }).click();
  await page.getByText("They are out at once").waitFor();
  await page.getByRole("button", { name: "Unlink other devices" }).click();
  await phone.getByText("This device may use the name no longer").first().waitFor();
  await close(page, phone);
  await bob.stop();
});

test("code is made by a command, is enough when it is typed, and ends after five minutes", async () => {
  const page = await openPage(browser, "about:blank", { locale: "de-DE" });
  await page.clock.install();
  await page.goto(open.url);
  await comeAndKeep(page, "clara");
  await page.getByRole("button", { name: "Schließen" }).click();
  await closed(page);
  await say(page, "/link");
  const code = await page.locator(".link-code").textContent();
  // Only this machine reaches the address: there is nothing to scan.
  assert.equal(await page.locator("dialog img").count(), 0);
  await page.getByRole("timer").filter({ hasText: /^Er gilt einmal, noch .?\d:\d\d.?\.$/ }).waitFor();
  await page.clock.fastForward("05:01");
  await page.getByText("Dieser Code gilt nicht mehr.").waitFor();
  await page.getByRole("button", { name: "Neuen Code machen" }).click();
  const another = await page.locator(".link-code").textContent();
  assert.notEqual(another, code);

  const phone = await openTab(await browser.newContext({ locale: "de-DE" }), open.url);
  await phone.fill("#name", "clara");
  await phone.press("#name", "Enter");
  await phone.fill("#invite", another.replaceAll("-", " ").toLowerCase());
  await phone.press("#invite", "Enter");
  await phone.waitForSelector("#compose");
  await page.locator(".toast", { hasText: "Ein weiteres Gerät ist unter deinem Namen da." }).waitFor();
  await closeLocal(phone, page);
});

test("who has claimed no name is told so", async () => {
  const page = await openPage(browser, open.url);
  await enter(page, "dora");
  await say(page, "/link");
  await page.locator(".toast-error", { hasText: /claim|cannot be claimed/i }).waitFor();
  assert.equal(await page.locator("dialog").count(), 0);
  await openSettings(page);
  assert.equal(await page.getByRole("button", { name: "Add another device" }).count(), 0);
  await closeLocal(page);
});

test("what is read on one device is read on the other, also on one that comes later", async () => {
  const page = await openPage(browser, open.url);
  await comeAndKeep(page, "erik");
  const code = await makeCode(page);
  const phone = await openPage(browser, `${open.url}#invite=${code}`);
  await enter(phone, "erik");
  await page.locator("dialog").waitFor({ state: "detached" });
  const client = await Client.start(open, "frieda");
  client.send({ type: "direct", to: "erik", text: "one" });
  // Both look at this conversation, not at the lobby.
  for (const it of [page, phone]) {
    await it.locator(".conversation", { hasText: "frieda" }).click();
    await sees(it, "one");
  }
  const lobby = (it) => it.locator(".conversation", { hasText: "lobby" });
  const badge = (it) => lobby(it).locator(".badge");
  client.say("hello", "erik?");
  for (const it of [page, phone]) await badge(it).getByText("2", { exact: true }).waitFor();
  await lobby(page).click();
  await sees(page, "erik?");
  await badge(phone).waitFor({ state: "detached" });
  // Direct messages have one mark for all of them.
  client.send({ type: "direct", to: "erik", text: "two" });
  await sees(phone, "two");
  await page.locator(".conversation", { hasText: "frieda" }).locator(".badge").waitFor({ state: "detached" });

  await phone.goto("about:blank");
  client.say("while the phone is away");
  await sees(page, "while the phone is away");
  client.send({ type: "direct", to: "erik", text: "three" });
  await page.locator(".conversation", { hasText: "frieda" }).click();
  await sees(page, "three");
  // The mark is sent when the last one is five seconds old.
  await until(async () => {
    await phone.goto(open.url);
    await phone.waitForSelector("#compose");
    await sees(phone, "three");
    return (await phone.locator(".conversation .badge").count()) === 0;
  });
  await closeLocal(page, phone);
  await client.stop();
});
