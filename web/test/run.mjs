/**
 * Runs the page's tests: those of its parts, bundled for Node, then those in Chromium.
 *
 * usage: node test/run.mjs TARGET [WORD]
 *
 * TARGET is the directory for everything that is built: it has the page in `web`, the engine, and
 * the programs in `debug`. With WORD only the tests with it in their names run.
 */

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

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
  loader: { ".ftl": "text" },
  logLevel: "warning",
});
const files = [...(await filesIn(bundled, ".mjs")), ...(await filesIn(join(directory, "browser"), ".test.mjs"))];
// One file after the other: each starts a server and a browser.
for (const file of files) {
  const filter = word ? [`--test-name-pattern=${word}`] : [];
  const { status } = spawnSync(process.execPath, ["--test", ...filter, file], {
    stdio: "inherit",
    cwd: join(directory, ".."),
    timeout: 180_000,
  });
  if (status !== 0) process.exit(status ?? 1);
}
