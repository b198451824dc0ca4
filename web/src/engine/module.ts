/** Calls of WebAssembly modules that make bytes of bytes: `web/linker` and `web/signer`. */

/** What such a module exports: see `web/buffer.rs`. */
interface Exports {
  memory: WebAssembly.Memory;
  allocate: (length: number) => number;
  run: () => number;
  output: () => number;
}

/** Calls a compiled module with an input of bytes and a text, and returns its output. */
export function callModule(module: WebAssembly.Module, bytes: readonly number[], text: string): Uint8Array {
  // A new instance each time: its memory, which may hold a secret, goes with it.
  const { memory, allocate, run, output } = new WebAssembly.Instance(module).exports as unknown as Exports;
  const input = [...bytes, ...new TextEncoder().encode(text)];
  const address = allocate(input.length);
  new Uint8Array(memory.buffer).set(input, address);
  const length = run();
  return new Uint8Array(memory.buffer).slice(output(), output() + length);
}
