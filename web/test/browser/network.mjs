/** A network between browsers and the server that breaks when a test wants it to. */

import { connect, createServer } from "node:net";

/** Passes the bytes of browsers to a port of this machine, and back. */
export class Network {
  #listener;
  #sockets = new Set();
  /** Connections to the server, with those to browsers. */
  #answers = new Map();

  /** Starts passing what comes to a port of its own on to `port`. */
  static async to(port) {
    const network = new Network();
    network.#listener = createServer((browser) => network.#pass(browser, connect(port, "127.0.0.1")));
    await new Promise((resolve) => network.#listener.listen(0, "127.0.0.1", resolve));
    return network;
  }

  /** Address of the page by this network. */
  get url() {
    return `http://127.0.0.1:${this.#listener.address().port}/`;
  }

  /** Connects two sockets until either of them ends. */
  #pass(browser, server) {
    this.#answers.set(server, browser);
    for (const [from, to] of [[browser, server], [server, browser]]) {
      this.#sockets.add(from);
      from.pipe(to);
      // A reset is followed by `close`.
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        this.#answers.delete(from);
        to.destroy();
      });
    }
  }

  /** Passes nothing more to browsers on the connections that there are; the server gets everything. */
  holdAnswers() {
    for (const [server, browser] of this.#answers) server.unpipe(browser);
  }

  /** Breaks all connections. New ones are possible. */
  cut() {
    for (const it of this.#sockets) it.resetAndDestroy();
  }

  /** Breaks all connections, and lets no more through. */
  stop() {
    this.#listener.close();
    this.cut();
  }
}
