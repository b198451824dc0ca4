/** The page over https, with the certificate that the server has made itself. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, close, enter, openPage, say, sees, Server, setUp, WITH_HTTPS } from "./support.mjs";

setUp();

test("over https the page talks by an encrypted WebSocket, with those who came by plain HTTP", async () => {
  const own = await Server.start(...WITH_HTTPS);
  const bob = await openPage(browser, own.url);
  await enter(bob, "bob");
  const sockets = [];
  const anna = await openPage(browser, own.httpsUrl, { ignoreHTTPSErrors: true });
  anna.on("websocket", (it) => sockets.push(it.url()));
  await enter(anna, "anna");
  await say(anna, "hello bob");
  await sees(bob, "hello bob");
  await say(bob, "hello anna");
  await sees(anna, "hello anna");
  assert.deepEqual(sockets, [`${own.httpsUrl.replace("https", "wss")}chat`]);
  assert.equal(await anna.evaluate(() => isSecureContext), true);
  await close(anna, bob);
  await own.stop();
});
