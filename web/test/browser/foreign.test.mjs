/** Pages of others: they may not use the server through the browsers of its users. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { browser, enter, openPage, server, Server, setUp } from "./support.mjs";

/** Names that stand for this machine: that of an attacker, and that of a machine of the local network. */
const NAMES = ["evil.example", "attic.local"];

/** Web server of another site, whose empty page has no policy. */
let elsewhere;

setUp([`--host-resolver-rules=${NAMES.map((it) => `MAP ${it} 127.0.0.1`).join(", ")}`], async () => {
  elsewhere = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html>");
  });
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
});

after(() => elsewhere.close());

/** Opens a WebSocket in a page, and tells whether the server accepts it. */
function connects(page, url) {
  return page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, "pi-chat");
        socket.onopen = () => resolve(true);
        socket.onclose = () => resolve(false);
      }),
    url,
  );
}

test("page of another origin gets no WebSocket and reads nothing, unless it is allowed to", async () => {
  const origin = `http://127.0.0.1:${elsewhere.address().port}`;
  for (const isAllowed of [false, true]) {
    const own = await Server.start(...(isAllowed ? ["--web-origins", origin] : []));
    const page = await openPage(browser, origin);
    assert.equal(await connects(page, `ws://${new URL(own.url).host}/chat`), isAllowed);
    const read = await page.evaluate((url) => fetch(url).then((it) => it.text()).catch(() => null), own.url);
    assert.equal(read, null);
    await page.context().close();
    await own.stop();
  }
});

test("name of another site that leads to the server is refused, a local name is not", async () => {
  const [evil, local] = NAMES.map((it) => `${it}:${new URL(server.url).port}`);
  const page = await openPage(browser, `http://${local}/`, { bypassCSP: true });
  await enter(page, "anna");
  assert.equal(await connects(page, `ws://${local}/chat`), true);

  const told = await page.goto(`http://${evil}/`);
  assert.equal(told.status(), 421);
  assert.match(await page.textContent("body"), /does not know the host/);
  // An attacker's page is loaded before the name leads here, and so has no policy.
  assert.equal(await connects(page, `ws://${evil}/chat`), false);
  assert.equal(await page.evaluate(() => fetch("/").then((it) => it.status)), 421);
  await page.context().close();
});
