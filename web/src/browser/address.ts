/** The address by which others reach this page. */

/** Path of the QR code of that address, which has the address as its title. */
const CODE = "/invite.svg";

/** Address of the page for others, with its QR code as SVG; empty if the server has none. */
export interface PageAddress {
  url: string;
  svg: string;
}

/** Asks the server for the address. If it knows none that others reach, it is that of this page. */
export async function pageAddress(): Promise<PageAddress> {
  const svg = await fetch(CODE).then((it) => (it.ok ? it.text() : ""), () => "");
  // Read as HTML, in which nothing is an error: one would bring styles that the page does not allow.
  const url = new DOMParser().parseFromString(svg, "text/html").querySelector("title")?.textContent ?? "";
  return /^https?:\/\//.test(url) ? { url, svg } : { url: `${location.origin}/`, svg: "" };
}
