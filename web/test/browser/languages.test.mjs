/** Languages: the browser's own, and text from right to left. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, Client, close, enter, openPage, say, sees, server, setUp } from "./support.mjs";

setUp();

/** Opens the page, and notes in `page.catalogues` which languages it loads. */
async function openNoting(options, prepare = () => undefined) {
  const page = await openPage(browser, "about:blank", options);
  page.catalogues = [];
  page.context().on("request", (it) => {
    const [, language] = /\/(\w+)-\w+\.json$/.exec(it.url()) ?? [];
    if (language) page.catalogues.push(language);
  });
  await prepare(page);
  await page.goto(server.url);
  return page;
}

test("browser loads the texts of its language only, and another language's when its own is changed", async () => {
  const page = await openNoting({ locale: "de-DE" });
  await enter(page, "lena");
  await say(page, "hallo");
  await page.locator(".line.day", { hasText: "heute" }).waitFor();
  assert.deepEqual(page.catalogues, ["de"]);
  const devtools = await page.context().newCDPSession(page);
  const speak = async (language) => {
    const userAgent = await page.evaluate(() => navigator.userAgent);
    await devtools.send("Emulation.setUserAgentOverride", { userAgent, acceptLanguage: language });
    await page.evaluate(() => dispatchEvent(new Event("languagechange")));
  };
  // What is drawn already is drawn again.
  await speak("en-GB");
  await page.getByRole("button", { name: "You and this page" }).waitFor();
  await page.getByRole("button", { name: /^What to do with this message/ }).waitFor({ state: "attached" });
  assert.equal(await page.getAttribute("html", "lang"), "en");
  assert.deepEqual(page.catalogues, ["de", "en"]);
  // Without the server as well: what a browser has loaded once it keeps.
  await page.context().setOffline(true);
  await speak("de-DE");
  await page.getByRole("button", { name: "Du und diese Seite" }).waitFor();
  await close(page);
});

test("page whose texts cannot be loaded says so in all languages", async () => {
  const page = await openNoting({ locale: "en-GB" }, (it) => it.context().route("**/assets/*.json", (route) => route.abort()));
  await page.getByText(/could not be loaded\. Reload it\. .* konnte nicht geladen werden/).waitFor();
  await page.context().unroute("**/assets/*.json");
  await page.reload();
  await page.getByText("What shall the others call you?").waitFor();
  await page.context().close();
});

test("browser in German has the page in German, with its times; one in French has it in English", async () => {
  const page = await openPage(browser, server.url, { locale: "de-AT", timezoneId: "Europe/Vienna" });
  await page.getByText("Wie sollen dich die anderen nennen?").waitFor();
  assert.equal(await page.getAttribute("html", "lang"), "de");
  await enter(page, "jürgen");
  await say(page, "Grüß Gott");
  await page.locator(".line.day", { hasText: "heute" }).waitFor();
  await say(page, "/tanzen");
  await page.locator(".toast", { hasText: "Es gibt keinen Befehl /\u2068tanzen\u2069." }).waitFor();
  await page.getByRole("button", { name: "Suche" }).click();
  const hint = page.locator("dialog .hint");
  /** Searches, and waits for the line below the field. */
  const search = async (typed, told) => {
    await page.fill("#search-field", typed);
    await page.press("#search-field", "Enter");
    await hint.filter({ hasText: told }).waitFor();
  };
  await page.fill("#search-field", "gruß nach:heute");
  await page.press("#search-field", "Enter");
  await page.locator(".result", { hasText: "Grüß Gott" }).waitFor();
  await search("!!!", /^Eine Suche braucht ein Wort, und nicht zu viele\.$/);
  await search("raum:lobby x", /^Was bedeutet .raum:lobby.\?.*ist es Text\.$/);
  const time = page.locator(".message time").first();
  const clock = await time.textContent();
  assert.match(clock, /^\d\d:\d\d$/, "no am and pm");
  const inVienna = new Date(await time.getAttribute("datetime")).toLocaleTimeString("en-GB", { timeZone: "Europe/Vienna" });
  assert.equal(clock, inVienna.slice(0, 5));
  await close(page);

  const other = await openPage(browser, server.url, { locale: "fr-FR" });
  await other.getByText("What shall the others call you?").waitFor();
  assert.equal(await other.getAttribute("html", "lang"), "en");
  await other.context().close();
});

test("names and messages from right to left are shown so, and nothing around them is", async () => {
  const client = await Client.start(server, "שרה");
  const page = await openPage(browser, server.url);
  await enter(page, "anna");
  client.say("שלום לכולם!", "מה שלומך anna? (טוב)");
  await sees(page, "שלום לכולם!");
  await sees(page, "מה שלומך");
  const texts = page.locator(".messages .text", { hasText: "של" });
  for (const text of await texts.all()) {
    assert.equal(await text.evaluate((it) => getComputedStyle(it).direction), "rtl");
  }
  // The sign at the end of the sentence is at its left.
  const ends = await texts.first().evaluate((it) => {
    const node = document.createTreeWalker(it, NodeFilter.SHOW_TEXT).nextNode();
    const left = (at) => {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      return range.getBoundingClientRect().left;
    };
    return { sign: left(node.length - 1), first: left(0) };
  });
  assert.ok(ends.sign < ends.first);
  const author = page.locator("button.author", { hasText: "שרה" }).first();
  const [name, time] = await Promise.all([author.boundingBox(), page.locator(".message-head time").last().boundingBox()]);
  assert.ok(name.x < time.x, "the line of name and time runs from left to right");
  client.send({ type: "say", room: "lobby", style: "action", text: "waves" });
  const action = page.locator(".text.is-action", { hasText: "waves" });
  assert.equal(await action.evaluate((it) => getComputedStyle(it).direction), "ltr", "its text decides, not the name before it");
  await page.locator("mark", { hasText: "anna" }).waitFor();
  await author.click();
  await page.getByRole("button", { name: /Write to .שרה. only/ }).click();
  await page.locator("h1", { hasText: "שרה" }).waitFor();
  await say(page, "תודה");
  await client.event((it) => it.type === "direct" && it.text === "תודה");
  client.stop();
  await close(page);
});
