import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Signer } from "../../src/engine/signer";

/** Proof of `docs/protocol/vectors/proofs.json`. */
interface Vector {
  name: string;
  seed: string;
  key: string;
  challenge: string;
  server_key: string;
  origin?: string;
  signature: string;
  accepted: boolean;
}

const vectors = JSON.parse(readFileSync("../docs/protocol/vectors/proofs.json", "utf8")) as Vector[];

const module = new WebAssembly.Module(
  readFileSync(join(process.env.PAGE_TARGET ?? "", "wasm32-unknown-unknown/page/pi_chat_web_signer.wasm")),
);

test("signer makes the proofs of the vectors, one after the other", () => {
  const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
  const pages = vectors.filter((it) => it.accepted && it.origin);
  assert.ok(pages.length > 0);
  const signer = new Signer(module);
  for (const it of [...pages, ...pages]) {
    const proof = signer.prove(bytes(it.seed), bytes(it.challenge + it.server_key), it.origin!);
    assert.equal(Buffer.from(proof).toString("hex"), it.key + it.signature, it.name);
  }
});

test("signer that is given too little does not trap", () => {
  assert.equal(new Signer(module).prove(new Uint8Array(31), new Uint8Array(), "").length, 96);
});
