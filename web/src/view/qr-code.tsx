/** QR codes. */

/** A QR code, as SVG; draws nothing if it is empty. */
export function QrCode({ svg }: { svg: string }) {
  return svg && <img class="code" alt="QR" src={`data:image/svg+xml,${encodeURIComponent(svg)}`} />;
}
