/** Getting others in: the dialog with the QR code, the window of a login, and the page to print. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { browser, close, enter, openPage, program, server, setUp } from "./support.mjs";

/** Name of the server in the local network, which leads to this machine. */
const NAME = "attic-chat.local";

setUp([`--host-resolver-rules=MAP ${NAME} 127.0.0.1`]);

/** Waits for a text that has the server's address in it. */
async function saysAddress(page, part) {
  const text = await page.getByText(part).textContent();
  assert.ok(text.includes(new URL(server.url).origin), text);
}

/** Opens the dialog for inviting others. */
async function openDialog(page, settings, invite) {
  await page.getByRole("button", { name: settings }).click();
  await page.getByRole("button", { name: invite }).click();
}

test("the code leads others where this browser was, and on http the address is copied by hand", async () => {
  const url = server.url.replace("127.0.0.1", NAME);
  const page = await openPage(browser, url, { locale: "de-DE" });
  await enter(page, "anna");
  await openDialog(page, "Du und diese Seite", "Andere einladen");
  await page.locator("dialog").getByRole("link", { name: url, exact: true }).waitFor();
  const code = page.locator("dialog img");
  await code.waitFor();
  const [width, title] = await code.evaluate((it) => [it.naturalWidth, decodeURIComponent(it.src)]);
  assert.ok(width > 0, "the picture is drawn");
  assert.ok(title.includes(`<title>${url}</title>`), title);
  await page.getByText("Zum Kopieren markierst du die Adresse.").waitFor();
  assert.equal(await page.locator("dialog .primary").count(), 0);
  await close(page);
});

test("an address that only this machine reaches has no code, and is copied where the browser allows it", async () => {
  const page = await openPage(browser, server.url);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await enter(page, "bob");
  const answered = page.waitForResponse("**/invite.svg");
  await openDialog(page, "You and this page", "Invite others");
  assert.equal((await answered).status(), 404);
  await page.getByRole("button", { name: "Copy the address" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), server.url);
  assert.equal(await page.locator("dialog img").count(), 0);
  await page.context().close();
});

test("where the browser can share, the address is shared", async () => {
  const page = await openPage(browser, "about:blank");
  await page.addInitScript(() => {
    navigator.share = async (it) => void (globalThis.shared = it);
  });
  await page.goto(server.url);
  await enter(page, "carl");
  await openDialog(page, "You and this page", "Invite others");
  await page.getByRole("button", { name: "Share the address" }).click();
  assert.equal(await page.evaluate(() => globalThis.shared.url), server.url);
  await page.context().close();
});

test("the window of a login, whose WebSockets never open, says to use the browser", async () => {
  const page = await openPage(browser, "about:blank");
  // So does Apple's: the object is there, but reports an error and the end.
  await page.addInitScript(() => {
    globalThis.WebSocket = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => this.onclose?.({ code: 1006, reason: "" }));
      }
      close() {}
    };
  });
  await page.goto(server.url);
  await page.fill("#name", "dora");
  await page.press("#name", "Enter");
  await saysAddress(page, "If this window has opened by itself");
  await close(page);
});

test("a browser without WebSocket or WebAssembly is told what to do", async () => {
  for (const missing of ["WebSocket", "WebAssembly"]) {
    const page = await openPage(browser, "about:blank");
    await page.addInitScript((it) => delete globalThis[it], missing);
    await page.goto(server.url);
    await saysAddress(page, "in another browser");
    await page.context().close();
  }
});

test("a browser without script shows what is needed", async () => {
  const page = await openPage(browser, server.url, { javaScriptEnabled: false });
  const text = page.locator("noscript");
  assert.match(await text.textContent(), /needs JavaScript.*braucht JavaScript/);
  const { y, height } = await text.boundingBox();
  assert.ok(y + height < 200, "at the top of the page");
  await close(page);
});

/** Runs `chat-server invite` with these words and this password, while a status is told at a control socket. */
async function invite(directory, status, words, password) {
  const control = join(directory, "control");
  const told = createServer((socket) => socket.end(`${JSON.stringify(status)}\n`)).listen(control);
  try {
    await once(told, "listening");
    const process = spawn(program("chat-server"), ["invite", "--control", control, ...words]);
    process.stderr.pipe(globalThis.process.stderr);
    process.stdin.end(`${password}\n`);
    assert.deepEqual(await once(process, "exit"), [0, null]);
  } finally {
    told.close();
  }
}

test("the invitation to print takes one page of A4, however long its texts are", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pi-chat-invitation-"));
  const status = JSON.parse(server.command(["status", "--json"]));
  const long = `${"w".repeat(63)}.${"w".repeat(63)}.example`;
  const fingerprint = Array(8).fill("00000").join(" ");
  try {
    for (const [host, ssid, password] of [
      [NAME, "Attic", "correct horse"],
      [long, "W".repeat(32), "W".repeat(63)],
    ]) {
      const file = join(directory, `${ssid}.html`);
      const sha256 = "0".repeat(64);
      const links = [`chats://${host}/#fingerprint=${sha256}`];
      const tls = { listening: ["[::]:2429"], fingerprint, sha256, links };
      const addresses = [host, "192.168.178.201", `[2001:db8${":ffff".repeat(6)}]`];
      const asked = { ...status, web: addresses.map((it) => `http://${it}:2480/`), tls };
      await invite(directory, asked, ["--wifi", ssid, "--page", file], password);
      const page = await openPage(browser, pathToFileURL(file).href);
      const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
      assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1, ssid);
      const [, width, height] = /\/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]/.exec(pdf).map(Number);
      assert.ok(Math.abs(width - 595) < 2 && Math.abs(height - 842) < 2, `${width}x${height} points`);
      assert.equal(await page.locator("svg").count(), 2);
      const text = await page.locator("body").innerText();
      assert.ok(text.includes(fingerprint) && text.includes(links[0]), text);
      // Nothing is cut off.
      assert.ok(await page.evaluate(() => document.body.scrollHeight <= document.body.clientHeight));
      await close(page);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the slips to print take a page of A4 for every four, and nothing is cut off", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pi-chat-slips-"));
  try {
    const file = join(directory, "sheet.html");
    const words = ["invite", "--sheet", "5", "--url", server.url, "--wifi", "W".repeat(32), "--page", file];
    server.command(words, [], `${"W".repeat(63)}\n`);
    const page = await openPage(browser, pathToFileURL(file).href);
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 2);
    assert.equal(await page.locator("svg").count(), 10);
    const cut = (slips) => slips.filter((it) => it.scrollHeight > it.clientHeight).length;
    assert.equal(await page.locator(".slip").evaluateAll(cut), 0);
    await close(page);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
