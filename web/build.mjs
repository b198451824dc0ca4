/**
 * Builds the page: bundles script and style, gives all files but the first their hash as a name, and
 * compresses them.
 *
 * usage: node build.mjs ENGINE.wasm DIRECTORY
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Directory of the page's sources. */
const sources = dirname(fileURLToPath(import.meta.url));

/** Bytes of all files, compressed, at most: what a phone has to load. */
const BUDGET = 150_000;

/** Returns the path of an asset: its content's hash is in its name, so it may be cached for ever. */
function assetPath(name, extension, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  return `assets/${name}-${hash}.${extension}`;
}

/** Bundles an entry point and returns its text. */
async function bundle(entry, options = {}) {
  const { outputFiles } = await build({
    entryPoints: [join(sources, entry)],
    bundle: true,
    minify: true,
    write: false,
    charset: "utf8",
    target: ["chrome111", "firefox115", "safari16.4"],
    ...options,
  });
  return outputFiles[0].text;
}

/**
 * Returns a smaller engine that does the same. LLVM has optimised it for size already; Binaryen, which
 * knows WebAssembly itself, finds 3 % more. It allows the instructions that the compiler uses, and no more.
 */
function shrink(enginePath) {
  const options = ["-Oz", "--enable-bulk-memory-opt", "--enable-nontrapping-float-to-int", "--enable-sign-ext",
    "--enable-mutable-globals", "--enable-reference-types", "--enable-multivalue", "--enable-bulk-memory"];
  const wasmOpt = join(sources, "node_modules/binaryen/bin/wasm-opt");
  return execFileSync(process.execPath, [wasmOpt, enginePath, ...options, "--output", "-"], { maxBuffer: 16 << 20 });
}

/** Returns the files of the page by their paths. */
async function makeFiles(engine) {
  const enginePath = assetPath("engine", "wasm", engine);
  const script = await bundle("src/main.tsx", {
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".ftl": "text" },
    define: { ENGINE_FILE: JSON.stringify(`/${enginePath}`) },
  });
  const style = await bundle("page/style.css");
  const scriptPath = assetPath("page", "js", script);
  const stylePath = assetPath("page", "css", style);
  const html = (await readFile(join(sources, "page/index.html"), "utf8"))
    .replace("%STYLE%", `/${stylePath}`)
    .replace("%SCRIPT%", `/${scriptPath}`);
  return new Map([
    ["index.html", html],
    ["icon.svg", await readFile(join(sources, "page/icon.svg"))],
    ["manifest.webmanifest", await readFile(join(sources, "page/manifest.webmanifest"))],
    [enginePath, engine],
    [scriptPath, script],
    [stylePath, style],
  ]);
}

const [enginePath, directory] = process.argv.slice(2);
if (!enginePath || !directory) throw new Error("usage: node build.mjs ENGINE.wasm DIRECTORY");
const files = await makeFiles(shrink(enginePath));
await rm(directory, { recursive: true, force: true });
await mkdir(join(directory, "assets"), { recursive: true });
let total = 0;
for (const [path, content] of files) {
  await writeFile(join(directory, path), content);
  // Zopfli takes its time, once: what it makes is 5 % smaller than what gzip -9 does.
  const compressed = execFileSync("zopfli", ["-c", join(directory, path)]);
  await writeFile(join(directory, `${path}.gz`), compressed);
  total += compressed.length;
  console.log(`${String(compressed.length).padStart(8)}  ${path}`);
}
console.log(`${String(total).padStart(8)}  in all, of ${BUDGET} bytes`);
if (total > BUDGET) {
  console.error("the page is larger than its budget");
  process.exitCode = 1;
}
