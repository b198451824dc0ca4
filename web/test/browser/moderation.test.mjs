/** Moderation in the page: buttons and typed commands. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, Client, closed, enter, openActions, openPage, say, sees, server, setUp } from "./support.mjs";

let client;
let page;

setUp([], async () => {
  client = await Client.start(server, "ivan");
  page = await openPage(browser, server.url);
  await enter(page, "hanna");
  server.command(["role", "add"], ["hanna", "owner"]);
});

after(() => assert.deepEqual(page.problems, []));

test("moderator removes a message, silences with a length and a reason, and lifts it from the list", async () => {
  client.say("something rude");
  await sees(page, "something rude");
  await openActions(page, "something rude");
  await page.getByRole("button", { name: /Silence .ivan/ }).click();
  await page.selectOption("#length", { label: "2 hours" });
  await page.fill("#reason", "be kind");
  await page.getByRole("button", { name: /Silence .ivan/ }).click();
  const muted = await client.event((it) => it.type === "sanctioned" && it.action === "mute");
  assert.equal(muted.reason, "be kind");
  assert.ok(Math.abs(Date.parse(muted.until) - Date.now() - 7_200_000) < 60_000);
  await openActions(page, "something rude");
  await page.getByRole("button", { name: "Remove this message" }).click();
  await page.locator("dialog", { hasText: "something rude" }).getByRole("button", { name: "Remove this message" }).click();
  await sees(page, "This message was removed");

  await page.getByRole("button", { name: "Moderate this room" }).click();
  await page.locator(".sanction", { hasText: "ivan" }).getByText("be kind").waitFor();
  await page.fill("#topic", "Tea at four");
  await page.getByRole("button", { name: "Set" }).click();
  await page.getByLabel("Slow mode").selectOption("10");
  await page.getByLabel("Only moderators may talk here").check();
  await page.getByRole("button", { name: "Lift: ivan" }).click();
  await page.getByText("Nobody.").waitFor();
  await client.event((it) => it.type === "sanctioned" && it.action === "unmute");
  await page.keyboard.press("Escape");
  await closed(page);
  await page.locator(".topic", { hasText: /Tea at four · Slow mode: a message every .10. seconds · Only moderators may talk here/ }).waitFor();
});

test("commands of moderators do what they do in the terminal", async () => {
  await say(page, "/moderated off");
  await say(page, "/slow off");
  await client.event((it) => it.type === "modes" && it.slow_seconds === 0 && !it.moderated);
  client.say("tea is nice", "coffee is bad");
  await sees(page, "coffee is bad");
  await say(page, "/remove ivan NICE");
  await page.locator(".text", { hasText: "tea is nice" }).waitFor({ state: "detached" });
  await sees(page, "coffee is bad");
  await say(page, "/topic");
  await page.locator(".toast", { hasText: /Topic: .Tea at four/ }).waitFor();
  await say(page, "/ban ivan 10min");
  await page.locator(".toast", { hasText: "Something is missing or wrong after" }).waitFor();
  assert.equal(await page.inputValue("#compose"), "/ban ivan 10min", "it is not sent, and can be corrected");
  await say(page, "/ban --address ivan 10m");
  await page.locator(".toast", { hasText: "With --yes it is done." }).waitFor();
  await say(page, "/kick ivan enough");
  await client.event((it) => it.type === "sanctioned" && it.action === "kick");
  await say(page, "/ban ivan forever spam");
  await say(page, "/bans");
  await page.locator(".sanction", { hasText: "ivan" }).getByText(/banned · by .hanna. · spam/).waitFor();
  await page.getByRole("button", { name: "Lift: ivan" }).click();
  await page.getByText("Nobody.").waitFor();
  await page.keyboard.press("Escape");
  await closed(page);
});

test("buttons ask before they send somebody out, and give and take a role", async () => {
  const guest = await Client.start(server, "kurt");
  const chooses = async (name) => {
    await page.locator(".members-panel button", { hasText: "kurt" }).click();
    await page.getByRole("button", { name }).click();
    await page.locator("dialog h2", { hasText: name }).waitFor();
    await page.locator("dialog .danger").click();
  };
  await chooses(/Make .kurt. a moderator/);
  await guest.event((it) => it.type === "role" && it.own && it.role === "moderator");
  await chooses(/Take .kurt.* role in this room away/);
  await guest.event((it) => it.type === "role" && it.own && it.role === null);
  await chooses(/Send .kurt/);
  await guest.event((it) => it.type === "sanctioned" && it.action === "kick");
  guest.stop();
});

test("who is no moderator sees no such buttons, and is told what is not permitted", async () => {
  const guest = await openPage(browser, server.url);
  await enter(guest, "gast");
  await guest.locator(".members-panel", { hasText: "hanna" }).waitFor();
  assert.equal(await guest.getByRole("button", { name: "Moderate this room" }).count(), 0);
  await guest.locator(".members-panel button", { hasText: "hanna" }).click();
  await guest.getByRole("button", { name: /Write to/ }).waitFor();
  assert.equal(await guest.getByRole("button", { name: /Silence/ }).count(), 0);
  await guest.keyboard.press("Escape");
  await closed(guest);
  await say(guest, "/kick hanna");
  await guest.locator(".toast", { hasText: "You may not do this." }).waitFor();
  await guest.context().close();
});
