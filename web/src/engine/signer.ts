/** The signer of proofs: a WebAssembly module, `web/signer`. */

/** What the module exports. */
interface Exports {
  memory: WebAssembly.Memory;
  allocate: (length: number) => number;
  prove: () => number;
}

/** Length of a proof in bytes: the key and the signature. */
const PROOF_LENGTH = 96;

/** Proves keys. */
export class Signer {
  readonly #exports: Exports;

  /** Makes an instance of the module. */
  constructor(module: WebAssembly.Module) {
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
  }

  /**
   * Returns the proof of a key, which is its public half and a signature. `seed`: the secret half. `challenge`: the
   * challenge of the server and its key. `origin`: that of the page.
   */
  prove(seed: Uint8Array, challenge: Uint8Array, origin: string): Uint8Array {
    const { memory, allocate, prove } = this.#exports;
    const input = [...seed, ...challenge, ...new TextEncoder().encode(origin)];
    const address = allocate(input.length);
    new Uint8Array(memory.buffer).set(input, address);
    const proof = prove();
    return new Uint8Array(memory.buffer).slice(proof, proof + PROOF_LENGTH);
  }
}
