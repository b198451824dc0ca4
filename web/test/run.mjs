/**
 * Runs the page's tests: those of its parts, bundled for Node, and those in Chromium.
 *
 * usage: node test/run.mjs TARGET [WORD]
 *
 * TARGET is the directory for everything that is built: it has the page in `web`, the engine, and
 * the programs in `debug`. With WORD only the tests with it in their names run.
 */

import { rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { catalogues } from "../catalogues.mjs";

/** Files that run beside each other: they wait more than they work. */
const CONCURRENCY = 3;

/** Time for all tests of a file, in milliseconds. */
const PATIENCE = 240_000;

const directory = dirname(fileURLToPath(import.meta.url));
const [target, word] = process.argv.slice(2);
if (!target) throw new Error("usage: node test/run.mjs TARGET [WORD]");
process.env.PAGE_TARGET = resolve(target);

/** Returns the paths of the files in a directory that end in a certain way. */
async function filesIn(path, ending) {
  const names = await readdir(path);
  return names.filter((it) => it.endsWith(ending)).sort().map((it) => join(path, it));
}

const bundled = join(process.env.PAGE_TARGET, "web-test");
rmSync(bundled, { recursive: true, force: true });
await build({
  entryPoints: await filesIn(join(directory, "unit"), ".test.ts"),
  bundle: true,
  platform: "node",
  format: "esm",
  outdir: bundled,
  outExtension: { ".js": ".mjs" },
  plugins: [catalogues],
  logLevel: "warning",
});
process.chdir(join(directory, ".."));
const files = [...(await filesIn(join(directory, "browser"), ".test.mjs")), ...(await filesIn(bundled, ".mjs"))];
const tests = run({ files, concurrency: CONCURRENCY, timeout: PATIENCE, ...(word ? { testNamePatterns: [word] } : {}) });
tests.on("test:fail", () => {
  process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);
