/** What the tests in the browser share: servers, clients, and pages. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Network } from "./network.mjs";

/** Directory for everything that is built. */
const target = process.env.PAGE_TARGET;

/** Time to wait for anything, in milliseconds. */
const PATIENCE = 15_000;

/** Arguments with which Chromium needs neither a screen nor the network. */
const CHROMIUM = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Path of a program. */
export function program(name) {
  return join(target, "debug", name);
}

/** Servers, clients and networks that run. */
const running = new Set();

/** Stops all of them, also after a test that has failed. */
export async function stopAll() {
  for (const it of running) await it.stop();
}

/** Lines in which a server says where it listens: for programs, for browsers, for them over https. */
const LISTENING = [
  /^listening on \S*:(\d+)/,
  /^listening for browsers on \S*:(\d+)/,
  /^listening for browsers with TLS on \S*:(\d+)/,
];

/** Options with which a server lets browsers in over https as well. */
export const WITH_HTTPS = ["--web-tls", "true", "--web-tls-listen", "127.0.0.1:0"];

/** A chat-server with a store of its own, which serves the page. */
export class Server {
  #data = mkdtempSync(join(tmpdir(), "pi-chat-page-"));
  /** Options by which it keeps its messages, and an owner's command finds it. */
  #place = ["--data", this.#data];
  #process;
  /** Ports for programs, for browsers, and for them over https. It keeps the first two when it starts again. */
  #ports = [0, 0, 0];

  /** Starts a server. */
  static async start(...options) {
    const server = new Server();
    running.add(server);
    await server.startAgain(...options);
    return server;
  }

  /** Starts a server that keeps nothing on the disk. */
  static async startInMemory(...options) {
    const server = new Server();
    running.add(server);
    server.#place = ["--control", join(server.#data, "control.sock")];
    await server.startAgain(...options);
    return server;
  }

  /** Port for programs. */
  get port() {
    return this.#ports[0];
  }

  /** Address of the page. */
  get url() {
    return `http://127.0.0.1:${this.#ports[1]}/`;
  }

  /** Address of the page over https, of a server with {@link WITH_HTTPS}. */
  get httpsUrl() {
    return `https://127.0.0.1:${this.#ports[2]}/`;
  }

  /** Starts the server with the store that it had. */
  async startAgain(...options) {
    const [port, webPort] = this.#ports.map((it) => `127.0.0.1:${it}`);
    this.#process = spawn(
      program("chat-server"),
      [
        ...this.#place,
        ...["--listen", port, "--announce", "false"],
        ...["--web-listen", webPort, "--web-root", join(target, "web")],
        ...options,
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let missing = options.includes("--web-tls-listen") ? 3 : 2;
    for await (const line of createInterface(this.#process.stderr)) {
      const index = LISTENING.findIndex((it) => it.test(line));
      if (index < 0) continue;
      this.#ports[index] = Number(LISTENING[index].exec(line)[1]);
      missing -= 1;
      if (missing > 0) continue;
      this.#process.stderr.resume();
      return;
    }
    throw new Error("the server does not start");
  }

  /** Starts a network by which browsers reach this server. */
  async network() {
    const network = await Network.to(this.#ports[1]);
    running.add(network);
    return network;
  }

  /** Runs an owner's command, such as `role add`, on the store. Returns its output. */
  command(words, options = [], input = "") {
    const arguments_ = [...words, ...this.#place, ...options];
    const { status, stdout, stderr } = spawnSync(program("chat-server"), arguments_, { input });
    if (status !== 0) throw new Error(`chat-server ${words.join(" ")}: ${stderr}`);
    return stdout.toString();
  }

  /** Kills the server, as a power cut does. */
  async kill() {
    if (!this.#process || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Makes an invitation, and returns its code. */
  invite(...options) {
    return JSON.parse(this.command(["invite", "--code", "--json"], options)).invited.code;
  }

  /** Stops the server and removes its store. */
  async stop() {
    running.delete(this);
    await this.kill();
    rmSync(this.#data, { recursive: true });
  }
}

/** A chat-client, which is driven by JSON lines. */
export class Client {
  #process;
  #lines;
  /** Directory for what it keeps; null: it keeps nothing. */
  #state = null;
  /** Objects that it has written. */
  events = [];

  /** Starts a client and waits until it has joined. `hasKey`: it has a key, which it keeps. */
  static async start(server, name, hasKey = false) {
    const client = new Client();
    running.add(client);
    const options = [`127.0.0.1:${server.port}`, "--name", name, "--json"];
    const env = { ...process.env };
    if (hasKey) {
      client.#state = mkdtempSync(join(tmpdir(), "pi-chat-client-"));
      env.XDG_STATE_HOME = client.#state;
    } else {
      options.push("--fresh");
    }
    client.#process = spawn(program("chat-client"), options, { env, stdio: ["pipe", "pipe", "inherit"] });
    client.#lines = createInterface(client.#process.stdout);
    client.#lines.on("line", (line) => client.events.push(JSON.parse(line)));
    await until(() => client.events.find((it) => it.type === "history_end"));
    return client;
  }

  /** Sends requests. */
  send(...requests) {
    for (const it of requests) this.#process.stdin.write(`${JSON.stringify(it)}\n`);
  }

  /** Says something in the lobby. */
  say(...texts) {
    this.send(...texts.map((text) => ({ type: "say", room: "lobby", text })));
  }

  /** Texts of the messages that it has received. */
  get texts() {
    return this.events.filter((it) => it.type === "message").map((it) => it.text);
  }

  /** Waits for an object. */
  async event(matches) {
    return until(() => this.events.find(matches));
  }

  /** Ends the client, and removes what it has kept when it has ended. */
  async stop() {
    running.delete(this);
    const { exitCode, signalCode } = this.#process;
    const ended = exitCode === null && signalCode === null && once(this.#process, "exit");
    this.#process.kill();
    await ended;
    if (this.#state) rmSync(this.#state, { recursive: true, force: true });
  }
}

/** The client in Python that was written from the protocol's pages alone (`examples/`). */
export class PythonClient {
  #process;
  /** Lines that it has written. */
  lines = [];

  /** Starts a client and waits until it has joined. */
  static async start(server, name) {
    const client = new PythonClient();
    running.add(client);
    const script = fileURLToPath(new URL("../../../examples/chat_client.py", import.meta.url));
    client.#process = spawn("python3", ["-u", script, `127.0.0.1:${server.port}`, "--name", name], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface(client.#process.stdout).on("line", (line) => client.lines.push(line));
    await client.line((it) => it.includes(name));
    return client;
  }

  /** Types a line. */
  type(line) {
    this.#process.stdin.write(`${line}\n`);
  }

  /** Waits for a line. */
  async line(matches) {
    return until(() => this.lines.find(matches));
  }

  /** Ends the client. */
  stop() {
    running.delete(this);
    this.#process.kill();
  }
}

/** Waits for a condition, and returns its value. */
export async function until(condition) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Starts Chromium, perhaps with further arguments. */
export async function startBrowser(...further) {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: [...CHROMIUM, ...further] });
}

/** The browser of a file's tests, from the first of them on. */
export let browser;

/** The server that a file's tests share, from the first of them on. */
export let server;

/**
 * Has Chromium, perhaps with further arguments, and a server run during a file's tests. `prepare` is called when they
 * run, before the first test: a hook of the file's own would not wait for them. All is stopped after the last test.
 */
export function setUp(further = [], prepare = () => undefined) {
  before(async () => {
    browser = await startBrowser(...further);
    server = await Server.start();
    await prepare();
  });
  after(async () => {
    await browser.close();
    await stopAll();
  });
}

/**
 * Opens the page as a browser of its own, and collects what goes wrong in it. `script` is a function that runs in the
 * browser before the page does.
 */
export async function openPage(browser, url, options = {}, script = null) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE);
  if (script) await context.addInitScript(script);
  return openTab(context, url);
}

/** Opens the page in a tab of a browser. */
export async function openTab(context, url) {
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => {
    // A connection that cannot be opened is no fault of the page.
    if (message.type() === "error" && !/WebSocket|ERR_/.test(message.text())) page.problems.push(message.text());
  });
  await page.goto(url);
  return page;
}

/** Closes pages, which must have had no problem. */
export async function close(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }
}

/** Comes in with a name. */
export async function enter(page, name) {
  await page.fill("#name", name);
  await page.press("#name", "Enter");
  await page.waitForSelector("#compose");
}

/** Says something in the present conversation. */
export async function say(page, text) {
  await page.fill("#compose", text);
  await page.click(".send");
}

/** Waits until a text is in the list of messages. */
export async function sees(page, text) {
  await page.locator(".messages .text", { hasText: text }).first().waitFor();
}

/** Texts of the messages in the page that the server has. */
export async function texts(page) {
  return page.locator(".message:not(.is-pending) .text").allTextContents();
}

/** Texts `number first` to `number last`. */
export function numbered(first, last) {
  return Array.from({ length: last - first + 1 }, (_, at) => `number ${first + at}`);
}

/** Opens what can be done with the first message that has a text. */
export async function openActions(page, text) {
  const row = page.locator(".message", { hasText: text }).first();
  await row.hover();
  await row.getByRole("button", { name: "What to do" }).click();
}

/** Waits until nothing lies over the page. */
export async function closed(page) {
  await page.locator("dialog").waitFor({ state: "detached" });
}
