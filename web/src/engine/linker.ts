/** The maker of link codes: a WebAssembly module, `web/linker`. */

import { callModule } from "./module";

/** Random bytes in a code. */
export const RANDOM_LENGTH = 10;

/** Lengths of the hash of a code, and of the code as it is shown. */
const [HASH_LENGTH, CODE_LENGTH] = [32, 19];

/** A link code. */
export interface LinkCode {
  /** What the server is told of it. */
  hash: Uint8Array;
  code: string;
  /** QR code of the page's address with the code, as SVG; empty if the address is too long, or none of a page. */
  svg: string;
}

/**
 * Makes a link code of random bytes. `module`: the compiled module. `url`: address of the page, for other devices.
 */
export function makeLinkCode(module: WebAssembly.Module, random: Uint8Array, url: string): LinkCode {
  const made = callModule(module, [...random], url);
  const text = (from: number, to?: number) => new TextDecoder().decode(made.subarray(from, to));
  const svgFrom = HASH_LENGTH + CODE_LENGTH;
  return { hash: made.subarray(0, HASH_LENGTH), code: text(HASH_LENGTH, svgFrom), svg: text(svgFrom) };
}
