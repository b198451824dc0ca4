/** The signer of proofs: a WebAssembly module, `web/signer`. */

import { callModule } from "./module";

/** Proves keys. */
export class Signer {
  readonly #module: WebAssembly.Module;

  /** `module`: the compiled module. */
  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /**
   * Returns the proof of a key, which is its public half and a signature. `seed`: the secret half. `challenge`: the
   * challenge of the server and its key. `origin`: that of the page.
   */
  prove(seed: Uint8Array, challenge: Uint8Array, origin: string): Uint8Array {
    return callModule(this.#module, [...seed, ...challenge], origin);
  }
}
