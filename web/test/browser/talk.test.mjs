/** Talking: names, messages, rooms, direct messages, search, moderation. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, close, closed, enter, openPage, openTab, PythonClient, say, sees, server, Server, setUp, texts, until } from "./support.mjs";

setUp();

test("two browsers and a terminal's client talk, and a name that is taken is asked for again", async () => {
  const client = await Client.start(server, "carl");
  const anna = await openPage(browser, server.url);
  await enter(anna, "anna");
  const bob = await openPage(browser, server.url, { locale: "de-DE" });
  await bob.fill("#name", "Anna");
  await bob.press("#name", "Enter");
  await bob.getByText("Hier hat schon jemand diesen Namen.").waitFor();
  await enter(bob, "bob");

  await say(anna, "hello bob and carl");
  await sees(bob, "hello bob");
  await bob.locator("mark", { hasText: "bob" }).waitFor();
  await say(bob, "/me waves");
  await sees(anna, "bob waves");
  await client.event((it) => it.type === "message" && it.style === "action");
  client.say("hello browsers");
  await sees(anna, "hello browsers");
  assert.deepEqual(await texts(anna), await texts(bob));
  await until(async () => (await anna.locator(".members-panel li").count()) === 3);
  client.stop();
  await close(anna, bob);
});

test("two browsers, the terminal's client and the one in Python have the same conversation", async () => {
  const own = await Server.start();
  const terminal = await Client.start(own, "carl");
  const python = await PythonClient.start(own, "monty");
  const anna = await openPage(browser, own.url);
  await enter(anna, "anna");
  const bob = await openPage(browser, own.url);
  await enter(bob, "bob");
  for (let round = 1; round <= 5; round += 1) {
    await say(anna, `anna ${round}`);
    terminal.say(`carl ${round}`);
    python.type(`monty ${round} ✓`);
    await say(bob, `bob ${round}`);
  }
  await until(async () => (await texts(anna)).length === 20 && (await texts(bob)).length === 20);
  assert.deepEqual(await texts(bob), await texts(anna));
  await until(() => terminal.texts.length === 20);
  assert.deepEqual(terminal.texts, await texts(anna));
  const order = () => python.lines.map((it) => /(?:anna|bob|carl|monty) \d(?: ✓)?$/.exec(it)?.[0]).filter(Boolean);
  await until(() => order().length === 20);
  assert.deepEqual(order(), await texts(anna));
  python.type("/msg bob only you");
  await bob.locator(".conversation", { hasText: "monty" }).click();
  await sees(bob, "only you");
  python.stop();
  terminal.stop();
  await close(anna, bob);
  await own.stop();
});

test("rooms, direct messages, unread counts and search", async () => {
  const client = await Client.start(server, "dora");
  const page = await openPage(browser, server.url);
  await enter(page, "emil");
  await say(page, "/join kitchen");
  await page.locator("h1", { hasText: "#kitchen" }).waitFor();
  client.say("the lobby is unread", "emil, look");
  const lobby = page.locator(".conversation", { hasText: "lobby" });
  await until(async () => (await lobby.locator(".badge-mention span").first().textContent()) === "2");
  assert.match(await page.title(), /^\(2\) #kitchen/);
  client.send({ type: "direct", to: "emil", text: "psst" });
  await page.locator(".conversation", { hasText: "dora" }).click();
  await sees(page, "psst");
  await say(page, "what is it?");
  await client.event((it) => it.type === "direct" && it.text === "what is it?");
  await lobby.click();
  await page.locator(".line.new").waitFor();
  await sees(page, "emil, look");
  assert.equal(await lobby.locator(".badge").count(), 0);

  await page.getByRole("button", { name: "Search" }).click();
  await page.fill("#search-field", "unread");
  await page.press("#search-field", "Enter");
  await page.locator(".result", { hasText: "the lobby is unread" }).waitFor();
  await page.keyboard.press("Escape");
  await closed(page);

  await say(page, "/rooms");
  await page.locator(".choices", { hasText: "#kitchen" }).waitFor();
  await page.keyboard.press("Escape");
  client.stop();
  await close(page);
});

test("refused message stays and can be edited", async () => {
  const page = await openPage(browser, server.url);
  await enter(page, "fritz");
  await say(page, "/msg nobody-there hi");
  await page.locator(".is-refused", { hasText: "Nobody has this name." }).waitFor();
  await page.getByRole("button", { name: "Edit" }).click();
  await until(async () => (await page.inputValue("#compose")) === "hi");
  assert.equal(await page.locator(".is-refused").count(), 0);
  await close(page);
});

test("direct message does not reach somebody who has taken the name, unless its author wants it", async () => {
  const own = await Server.start();
  const friend = await Client.start(own, "nora");
  const page = await openPage(browser, own.url);
  await enter(page, "olga");
  friend.send({ type: "direct", to: "olga", text: "my secret is 42" });
  await page.locator(".conversation", { hasText: "nora" }).click();
  await sees(page, "my secret is 42");
  friend.send({ type: "quit" });
  await friend.event((it) => it.type === "end");
  const stranger = await Client.start(own, "nora");
  // What the page knows of the friend survives a reload.
  await page.reload();
  await sees(page, "my secret is 42");
  await say(page, "42 is a good one");
  await page.locator(".is-refused", { hasText: "Somebody else has this name now." }).waitFor();
  await say(page, "are you there?");
  await until(async () => (await page.locator(".is-refused").count()) === 2);
  assert.ok(!stranger.events.some((it) => it.type === "direct"));
  await page.getByRole("button", { name: "Send it to them anyway" }).last().click();
  await stranger.event((it) => it.type === "direct" && it.text === "are you there?");
  // The one that was sent is refused no longer when the page has drawn that.
  await until(async () => (await page.locator(".is-refused").count()) === 1);
  await page.getByRole("button", { name: "Discard" }).click();
  await page.locator(".is-refused").waitFor({ state: "detached" });
  assert.equal(stranger.events.filter((it) => it.type === "direct").length, 1);
  stranger.stop();
  friend.stop();
  await close(page);
  await own.stop();
});

test("hostile names and texts are shown as texts", async () => {
  const client = await Client.start(server, "mallory");
  const page = await openPage(browser, server.url);
  await enter(page, "gina");
  const hostile = [
    '<img src=x onerror="document.title=1">',
    "<script>document.title='owned'</script>",
    "javascript:alert(1) data:text/html,<b>x</b>",
    'https://a.example/"onmouseover="alert(1)',
    "abc\u202edcba\u2066 right to left",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} &lt;b&gt;",
    `a${"\u0300".repeat(400)}`,
    "x".repeat(4_000),
    "first\n\n\n\n\n\n\n\n\n\nlast",
    `${"long\n".repeat(800)}end`,
  ];
  client.say(...hostile, "all was said");
  await sees(page, "all was said");
  const heights = await page.locator(".message").evaluateAll((all) => all.map((it) => it.clientHeight));
  assert.ok(Math.max(...heights) < 720, `a message of many lines is ${Math.max(...heights)} pixels high`);
  const list = page.locator(".messages");
  assert.equal(await list.locator("img, script, b, iframe, style, [onerror], [onmouseover]").count(), 0);
  for (const link of await list.locator("a").all()) assert.match(await link.getAttribute("href"), /^https?:\/\//);
  const shown = await texts(page);
  assert.ok(shown.includes(hostile[0]) && shown.includes(hostile[1]), "markup is text");
  assert.ok(!shown.some((it) => /[\u202e\u2066]/.test(it)), "nothing turns the line around");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  client.stop();
  await close(page);
});

test("messages full of links become few elements, and are not drawn again while others come or the user types", async () => {
  const client = await Client.start(server, "lena");
  const page = await openPage(browser, server.url);
  await enter(page, "mona");
  for (let round = 1; round <= 8; round += 1) client.say("http://a.b ".repeat(360));
  client.say("that was all");
  await sees(page, "that was all");
  const links = await page.locator(".messages a[href='http://a.b']").count();
  assert.ok(links > 0 && links <= 8 * 50, `${links} links`);
  await page.evaluate(() => {
    globalThis.parsed = 0;
    const { canParse } = URL;
    URL.canParse = (text) => {
      globalThis.parsed += 1;
      return canParse(text);
    };
  });
  const isStored = (text) => until(() => page.evaluate((it) => localStorage.getItem("pi-chat.model")?.includes(it), text));
  await isStored('"draft":""');
  await page.locator("#compose").pressSequentially("typed");
  await isStored('"typed"');
  client.say("another");
  await sees(page, "another");
  assert.equal(await page.evaluate(() => globalThis.parsed), 0, "nothing is parsed again");
  client.stop();
  await close(page);
});

test("second tab of a browser takes the session over when asked to", async () => {
  const first = await openPage(browser, server.url);
  await enter(first, "judith");
  const second = await openTab(first.context(), server.url);
  await second.getByRole("button", { name: "Use it here" }).click();
  await second.waitForSelector("#compose");
  await first.getByText("open in another tab").waitFor();
  await say(second, "from the second tab");
  await sees(second, "from the second tab");
  await close(second);
});
