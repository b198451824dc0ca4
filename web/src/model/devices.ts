/** Further devices of the user, who has claimed the name. */

/** Id of the request that makes a link code. */
export const LINK = "link";

/** Number of the notice that another device has come. */
export const DEVICE_LINKED = 10;

/** Time for which a link code is good, in milliseconds. */
export const CODE_TIME = 300_000;

/** A link code, by which another device of the user comes in under the name. */
export interface LinkCode {
  code: string;
  /** Address of the page, for the other device. */
  url: string;
  /** QR code of that address with the code, as SVG; empty if there is none. */
  svg: string;
}

/** A link code that the server has taken. */
export interface ShownCode extends LinkCode {
  /** When the code ends, in milliseconds since 1970. */
  end: number;
}
