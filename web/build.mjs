/**
 * Builds the page: bundles script and style, gives all files but the first their hash as a name, and
 * compresses them.
 *
 * usage: node build.mjs ENGINE.wasm LINKER.wasm SIGNER.wasm DIRECTORY
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compileCatalogue, readCatalogue } from "./catalogues.mjs";

/** Directory of the page's sources. */
const sources = dirname(fileURLToPath(import.meta.url));

/** Bytes of the files that a browser loads, compressed, at most: every one of them, and the catalogue of a language. */
const BUDGET = 150_000;

/** Bytes of the signer, compressed, at most: only a browser with a key loads it. */
const SIGNER_BUDGET = 20_000;

/** Bytes of the maker of link codes, compressed, at most: only who adds a device loads it. */
const LINKER_BUDGET = 21_000;

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

/** Returns the compiled catalogues as JSON, by language. */
async function readCatalogues() {
  const languages = (await readdir(join(sources, "locales"))).sort().map((it) => it.split(".")[0]);
  const compile = async (it) => [it, JSON.stringify(compileCatalogue(await readCatalogue(it)))];
  return Object.fromEntries(await Promise.all(languages.map(compile)));
}

/**
 * Returns a smaller module that does the same. LLVM has optimised it for size already; Binaryen, which
 * knows WebAssembly itself, finds 3 % more. It allows the instructions that the compiler uses, and no more.
 * A function that is large stays one: without the limit there are fewer bytes, but more of them compressed.
 */
function shrink(modulePath) {
  const options = ["-Os", "--one-caller-inline-max-function-size", "30", "--enable-bulk-memory-opt", "--enable-nontrapping-float-to-int", "--enable-sign-ext",
    "--enable-mutable-globals", "--enable-reference-types", "--enable-multivalue", "--enable-bulk-memory"];
  const wasmOpt = join(sources, "node_modules/binaryen/bin/wasm-opt");
  return execFileSync(process.execPath, [wasmOpt, modulePath, ...options, "--output", "-"], { maxBuffer: 16 << 20 });
}

/**
 * Returns a module without the paths of the libraries' sources: they are in the messages of panics, which a browser
 * shows nowhere. Zero bytes take their place, which compress to almost nothing.
 */
function blankPaths(module) {
  const path = /(\/rustc\/[0-9a-f]{40}|\/rust\/deps|registry)\/[!-~]{1,80}?\.rs/g;
  return Buffer.from(module.toString("latin1").replace(path, (it) => "\0".repeat(it.length)), "latin1");
}

/** Returns the files of the page by their paths, in parts: what every browser loads, the catalogues of which it loads one, and what only some load. */
async function makeFiles(engine, linker, signer) {
  const texts = await readCatalogues();
  const catalogues = Object.entries(texts).map(([language, text]) => [assetPath(language, "json", text), text]);
  const catalogueFiles = Object.fromEntries(Object.keys(texts).map((it, at) => [it, `/${catalogues[at][0]}`]));
  const enginePath = assetPath("engine", "wasm", engine);
  const linkerPath = assetPath("linker", "wasm", linker);
  const signerPath = assetPath("signer", "wasm", signer);
  const modules = { ENGINE_FILE: enginePath, LINKER_FILE: linkerPath, SIGNER_FILE: signerPath };
  const chooser = await bundle("src/text/catalogues.ts", { format: "esm", define: { CATALOGUE_FILES: JSON.stringify(catalogueFiles) } });
  const chooserPath = assetPath("texts", "js", chooser);
  // The page's script takes the texts from the script that has asked for them already.
  const external = {
    name: "external",
    setup: ({ onResolve }) => onResolve({ filter: /\/catalogues$/ }, () => ({ path: `/${chooserPath}`, external: true })),
  };
  const script = await bundle("src/main.tsx", {
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    plugins: [external],
    define: Object.fromEntries(Object.entries(modules).map(([name, path]) => [name, JSON.stringify(`/${path}`)])),
  });
  const style = await bundle("page/style.css");
  const scriptPath = assetPath("page", "js", script);
  const stylePath = assetPath("page", "css", style);
  const html = (await readFile(join(sources, "page/index.html"), "utf8"))
    .replace("%STYLE%", `/${stylePath}`)
    .replace("%TEXTS%", `/${chooserPath}`)
    .replace("%SCRIPT%", `/${scriptPath}`);
  return {
    everywhere: [
      ["index.html", html],
      ["icon.svg", await readFile(join(sources, "page/icon.svg"))],
      ["manifest.webmanifest", await readFile(join(sources, "page/manifest.webmanifest"))],
      [enginePath, engine],
      [chooserPath, chooser],
      [scriptPath, script],
      [stylePath, style],
    ],
    catalogues,
    some: [[linkerPath, linker], [signerPath, signer]],
  };
}

/** Writes files, also compressed, and returns the sizes of what is sent of them. */
async function write(files, directory) {
  const sizes = [];
  for (const [path, content] of files) {
    await writeFile(join(directory, path), content);
    // Zopfli takes its time, once: what it makes is 5 % smaller than what gzip -9 does.
    const compressed = execFileSync("zopfli", ["-c", join(directory, path)]);
    await writeFile(join(directory, `${path}.gz`), compressed);
    sizes.push(compressed.length);
    console.log(`${String(compressed.length).padStart(8)}  ${path}`);
  }
  return sizes;
}

/** Says how large a part of the page is; it is an error if it is larger than its budget. */
function check(part, size, budget) {
  console.log(`${String(size).padStart(8)}  ${part}, of ${budget} bytes`);
  if (size <= budget) return;
  console.error(`${part}: larger than the budget`);
  process.exitCode = 1;
}

const [enginePath, linkerPath, signerPath, directory] = process.argv.slice(2);
if (!directory) throw new Error("usage: node build.mjs ENGINE.wasm LINKER.wasm SIGNER.wasm DIRECTORY");
const files = await makeFiles(...[enginePath, linkerPath, signerPath].map((it) => blankPaths(shrink(it))));
await rm(directory, { recursive: true, force: true });
await mkdir(join(directory, "assets"), { recursive: true });
const everywhere = (await write(files.everywhere, directory)).reduce((sum, it) => sum + it);
const largest = Math.max(...(await write(files.catalogues, directory)));
const [linkerSize, signerSize] = await write(files.some, directory);
check("what a browser loads, with the largest language", everywhere + largest, BUDGET);
check("the maker of link codes", linkerSize, LINKER_BUDGET);
check("the signer", signerSize, SIGNER_BUDGET);
