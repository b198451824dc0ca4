/**
 * Serves the page and passes what comes on a WebSocket to a chat-server's TCP port: what the server
 * is to do by itself, as far as the page sees it.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { extname, join } from "node:path";
import { WebSocketServer } from "ws";

/** Types of the page's files. */
const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

/** The policy under which the page has to work: nothing inline, nothing from elsewhere. */
function policy(host) {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    `connect-src 'self' ws://${host}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Connects a WebSocket with a TCP port until one of both ends. */
function passOn(socket, port) {
  const tcp = connect(port, "127.0.0.1");
  socket.on("message", (bytes) => tcp.write(bytes));
  socket.on("close", (code) => (code === 1000 ? tcp.end() : tcp.resetAndDestroy()));
  tcp.on("data", (bytes) => socket.send(bytes));
  tcp.on("end", () => socket.close(1000));
  tcp.on("error", () => socket.terminate());
}

/** Starts a bridge to the port that `port()` returns. Returns its address and how to use it. */
export async function startBridge(directory, port) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = pathname === "/" ? "/index.html" : pathname;
    try {
      const content = await readFile(join(directory, `${path}.gz`));
      response.writeHead(200, {
        "content-type": TYPES[extname(path)] ?? "text/plain",
        "content-encoding": "gzip",
        "content-security-policy": policy(request.headers.host),
      });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({ server, path: "/chat", handleProtocols: () => "pi-chat" });
  sockets.on("connection", (socket) => passOn(socket, port()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Breaks all connections, as a network does. */
    cut: () => sockets.clients.forEach((it) => it.terminate()),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
