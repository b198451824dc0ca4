/**
 * This user's key, by which servers know the user again: one for each origin. Where the browser stores nothing, it is
 * there as long as the page is open.
 */

import { Signer } from "../engine/signer";
import { load, save } from "./storage";

/** Length of the secret half in bytes. */
const SEED_LENGTH = 32;

/** The key, which need not be there. The signer is loaded only when it is needed. */
export class UserKey {
  #made: number[] | null = null;
  #signer: Promise<Signer> | null = null;

  /** The secret half; null if there is no key. Another tab may have made it. */
  get #seed(): number[] | null {
    const seed = load("key");
    return seed?.length === SEED_LENGTH ? seed : this.#made;
  }

  /** Makes a key unless there is one. Fails if the signer cannot be loaded: no key is made that cannot be used. */
  async make(): Promise<void> {
    await this.#load();
    if (this.#seed) return;
    this.#made = [...crypto.getRandomValues(new Uint8Array(SEED_LENGTH))];
    save("key", this.#made);
  }

  /** Proves the key to the server with this challenge. Returns an empty proof if there is none. */
  async prove(challenge: Uint8Array): Promise<Uint8Array> {
    const seed = this.#seed;
    return seed ? (await this.#load()).prove(Uint8Array.from(seed), challenge, location.origin) : new Uint8Array();
  }

  /** Returns the signer, and loads it first. If that fails, the next call tries it again. */
  #load(): Promise<Signer> {
    this.#signer ??= WebAssembly.compileStreaming(fetch(SIGNER_FILE)).then((it) => new Signer(it));
    this.#signer.catch(() => (this.#signer = null));
    return this.#signer;
  }
}
