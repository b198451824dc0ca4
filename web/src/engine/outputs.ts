/** Decoding of the engine's outputs: `web/engine/src/outputs.rs` has their format. */

import type { ChatEvent } from "./events";

/** Something that the engine asks its driver to do. */
export type Output =
  | { kind: "connect"; bytes: Uint8Array<ArrayBuffer> }
  | { kind: "send"; bytes: Uint8Array<ArrayBuffer> }
  | { kind: "disconnect" }
  | { kind: "abandon" }
  | { kind: "event"; event: ChatEvent }
  | { kind: "persist"; session: string }
  | { kind: "wake"; at: number }
  | { kind: "unsent"; messages: string }
  | { kind: "challenge"; bytes: Uint8Array<ArrayBuffer> };

/** Bytes before an output's content: its kind, and the length of the content. */
const HEADER = 5;

/** Decodes one output from its kind and content; null if this page does not know the kind. */
function decodeOutput(kind: number, content: Uint8Array<ArrayBuffer>): Output | null {
  const text = () => new TextDecoder().decode(content);
  switch (kind) {
    case 1:
      return { kind: "connect", bytes: content };
    case 2:
      return { kind: "send", bytes: content };
    case 3:
      return { kind: "disconnect" };
    case 4:
      return { kind: "abandon" };
    case 5:
      return { kind: "event", event: JSON.parse(text()) as ChatEvent };
    case 6:
      return { kind: "persist", session: text() };
    case 7:
      return { kind: "wake", at: Number(text()) };
    case 8:
      return { kind: "unsent", messages: text() };
    case 9:
      return { kind: "challenge", bytes: content };
    default:
      return null;
  }
}

/** Decodes all outputs of a call, in order. Copies what they hold. */
export function decodeOutputs(bytes: Uint8Array): Output[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const outputs: Output[] = [];
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const start = at + HEADER;
    const end = start + view.getUint32(at + 1, true);
    const output = decodeOutput(view.getUint8(at), bytes.slice(start, end));
    if (output) outputs.push(output);
    at = end;
  }
  return outputs;
}
