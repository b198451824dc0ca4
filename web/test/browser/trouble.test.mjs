/** Trouble: lost connections, a dead server, a phone that sleeps, long histories. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, close, enter, numbered, openPage, say, sees, server, Server, setUp, texts, until } from "./support.mjs";

setUp();

/** Starts a server, a client, and a network by which a page has come in. `stop` ends all of them. */
async function startTalk() {
  const server = await Server.start();
  const network = await server.network();
  const client = await Client.start(server, "carl");
  const page = await openPage(browser, network.url);
  await enter(page, "anna");
  const stop = async () => {
    await close(page);
    client.stop();
    network.stop();
    await server.stop();
  };
  return { server, network, client, page, stop };
}

/** The texts of a page that are numbered. */
async function numbers(page) {
  return (await texts(page)).filter((it) => it.startsWith("number "));
}

test("what was missed and what was typed meanwhile arrive once and in order", async () => {
  const { network, client, page, stop } = await startTalk();
  client.say(...numbered(1, 5));
  await sees(page, "number 5");
  for (let round = 1; round <= 3; round += 1) {
    network.cut();
    client.say(...numbered(round * 5 + 1, round * 5 + 5));
    await say(page, `typed ${round}`);
    await client.event((it) => it.text === `typed ${round}`);
    await sees(page, `number ${round * 5 + 5}`);
  }
  assert.deepEqual(await numbers(page), numbered(1, 20));
  assert.deepEqual(client.texts.filter((it) => it.startsWith("typed")), ["typed 1", "typed 2", "typed 3"]);
  await stop();
});

test("server that is killed comes back while somebody types", async () => {
  const server = await Server.start();
  const page = await openPage(browser, server.url);
  await enter(page, "anna");
  await say(page, "before");
  await page.locator(".message:not(.is-pending)", { hasText: "before" }).waitFor();
  await server.kill();
  await page.getByText("No connection.").waitFor();
  await say(page, "meanwhile");
  await page.locator(".is-pending", { hasText: "meanwhile" }).waitFor();
  await page.fill("#compose", "half a sent");
  await server.startAgain();
  await page.getByRole("button", { name: "Try now" }).click().catch(() => undefined);
  await page.locator(".message:not(.is-pending)", { hasText: "meanwhile" }).waitFor();
  assert.equal(await page.inputValue("#compose"), "half a sent");
  assert.deepEqual((await texts(page)).filter((it) => /before|meanwhile/.test(it)), ["before", "meanwhile"]);
  await server.stop();
});

test("reload goes on: name, place, draft, and what was missed as new", async () => {
  const { network, client, page, stop } = await startTalk();
  client.say(...numbered(1, 30));
  await sees(page, "number 30");
  await page.fill("#compose", "a draft");
  // The position is saved a few seconds after the last message.
  await until(async () => page.evaluate(() => JSON.parse(localStorage["pi-chat.session"] ?? "null")?.includes("sequence")));
  await page.goto("about:blank");
  client.say(...numbered(31, 35));
  await client.event((it) => it.text === "number 35");
  await page.goto(network.url);
  await sees(page, "number 35");
  await until(async () => (await numbers(page)).length === 35);
  assert.deepEqual(await numbers(page), numbered(1, 35));
  assert.equal(await page.inputValue("#compose"), "a draft");
  await stop();
});

test("what was not acknowledged is sent after a reload, once and in order", async () => {
  const { server, network, client, page, stop } = await startTalk();
  // The server takes these, but the page does not learn it.
  network.holdAnswers();
  for (const text of numbered(1, 3)) await say(page, text);
  await client.event((it) => it.text === "number 3");
  await until(async () => (await page.locator(".is-pending").count()) === 3);
  await page.goto("about:blank");
  network.cut();
  await page.goto(network.url);
  await page.locator(".message:not(.is-pending)", { hasText: "number 3" }).waitFor();

  // The server never gets these. The refused one waits for its author.
  await say(page, "/msg nobody-there hi");
  await page.locator(".is-refused").waitFor();
  await page.locator(".conversation", { hasText: "lobby" }).click();
  await server.kill();
  await page.getByText("No connection.").waitFor();
  for (const text of numbered(4, 6)) await say(page, text);
  await page.locator(".is-pending", { hasText: "number 6" }).waitFor();
  await page.goto("about:blank");
  await server.startAgain();
  const witness = await Client.start(server, "dora");
  await page.goto(network.url);
  await page.locator(".message:not(.is-pending)", { hasText: "number 6" }).waitFor();
  // The history may come behind what was not acknowledged.
  await until(async () => (await numbers(page)).length >= 6);
  assert.deepEqual(await numbers(page), numbered(1, 6));
  await witness.event((it) => it.text === "number 6");
  assert.deepEqual(witness.texts.filter((it) => it.startsWith("number")), numbered(1, 6));
  await page.locator(".conversation", { hasText: "nobody-there" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await until(async () => (await page.inputValue("#compose")) === "hi");
  witness.stop();
  await stop();
});

test("browser that was offline is back by itself, with what was missed and what was typed", async () => {
  const { network, client, page, stop } = await startTalk();
  client.say("number 1");
  await sees(page, "number 1");
  await page.context().setOffline(true);
  network.cut();
  await page.getByText("No connection.").waitFor();
  await page.getByText("What you write is sent as soon as the connection is back.").waitFor();
  client.say("number 2");
  await say(page, "number 3");
  await page.locator(".is-pending").waitFor();
  await page.context().setOffline(false);
  await page.locator(".message:not(.is-pending)", { hasText: "number 3" }).waitFor();
  await page.getByText("No connection.").waitFor({ state: "detached" });
  assert.deepEqual(await numbers(page), numbered(1, 3));
  await client.event((it) => it.text === "number 3");
  await stop();
});

test("page that was frozen has everything when it is back", async () => {
  const { network, client, page, stop } = await startTalk();
  client.say("number 1");
  await sees(page, "number 1");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  network.cut();
  client.say(...numbered(2, 30));
  await client.event((it) => it.text === "number 30");
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  const back = Date.now();
  await sees(page, "number 30");
  console.log(`  back after ${Date.now() - back} ms`);
  assert.deepEqual(await numbers(page), numbered(1, 30));
  await stop();
});

test("busy room does not keep a draft from being stored", async () => {
  const { client, page, stop } = await startTalk();
  await page.fill("#compose", "half a sent");
  let said = 0;
  await until(async () => {
    // The next message as soon as the last one is there: the room is never silent.
    if (client.texts.length === said) client.say(`number ${(said += 1)}`);
    return page.evaluate(() => localStorage["pi-chat.model"]?.includes("half a sent"));
  });
  await stop();
});

test("browser that stores nothing, or has no channel between its tabs, has the chat all the same", async () => {
  const page = await openPage(browser, server.url, {}, () => {
    delete globalThis.BroadcastChannel;
    Object.defineProperty(globalThis, "localStorage", { get: () => { throw new DOMException("blocked", "SecurityError"); } });
  });
  await enter(page, "anna");
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await say(page, "still here");
  await page.locator(".message:not(.is-pending)", { hasText: "still here" }).waitFor();
  await close(page);
});

test("page says so if its engine cannot start, or traps, and comes in again", async () => {
  const broken = await openPage(browser, server.url, {}, () => {
    crypto.getRandomValues = (array) => {
      if (array.length === 1) throw new Error("no random numbers");
      return array;
    };
  });
  await broken.fill("#name", "bert");
  await broken.press("#name", "Enter");
  await broken.getByText("This browser cannot show the chat").waitFor();
  await broken.context().close();

  const page = await openPage(browser, server.url, {}, () => {
    const { decode } = TextDecoder.prototype;
    TextDecoder.prototype.decode = function (...input) {
      if (globalThis.isToTrap) throw new WebAssembly.RuntimeError("unreachable");
      return decode.apply(this, input);
    };
  });
  await enter(page, "bert");
  await page.evaluate(() => {
    globalThis.isToTrap = true;
    dispatchEvent(new Event("online"));
  });
  await page.getByText("Something went wrong in this page.").waitFor();
  await page.evaluate(() => (globalThis.isToTrap = false));
  await page.getByRole("button", { name: "Come in again" }).click();
  await enter(page, "bert");
  await say(page, "here again");
  await page.locator(".message:not(.is-pending)", { hasText: "here again" }).waitFor();
  await page.context().close();
});
