import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeLinkCode } from "../../src/engine/linker";

const module = new WebAssembly.Module(
  readFileSync(join(process.env.PAGE_TARGET ?? "", "wasm32-unknown-unknown/page/pi_chat_web_linker.wasm")),
);

/** The bytes of the code 0123-4567-89AB-CDEF. */
const BYTES = Uint8Array.from(Buffer.from("00443214c74254b635cf", "hex"));

test("link code is written as invitations are, and its hash is that of the code without hyphens", () => {
  const { hash, code, svg } = makeLinkCode(module, BYTES, "http://pi.local:2480/");
  assert.equal(code, "0123-4567-89AB-CDEF");
  assert.deepEqual(Buffer.from(hash), createHash("sha256").update("0123456789ABCDEF").digest());
  assert.match(svg, /^<svg .*<title>http:\/\/pi\.local:2480\/#invite=0123-4567-89AB-CDEF<\/title>/);
});

test("address that is too long, or none of a page, has no QR code, but the code is there", () => {
  for (const url of [`http://${"x".repeat(3_000)}/`, "404 Not Found", "javascript:alert(1)", "http://pi.local/#x", ""]) {
    const { code, svg } = makeLinkCode(module, BYTES, url);
    assert.deepEqual([code, svg], ["0123-4567-89AB-CDEF", ""], url);
  }
});
