"""Prints the licences of the libraries in the programs, and in the page for browsers.

usage: notices.py TRIPLE FEATURES COPYRIGHT_OF_RUST [--page]

Asks cargo for the crates that are linked in for TRIPLE with FEATURES, and collects
the licence files of these crates; with --page also those of the page's engine and
npm packages. Equal texts are printed once. The notices of Rust's standard library,
an HTML file, come last. Runs in the project's directory.
"""

import html
import json
import re
import subprocess
import sys
from pathlib import Path

# The names of licence files, and of files that only look like one.
IS_LICENCE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
IS_CODE = re.compile(r"\.(rs|toml|html|hbs|yml)$")


def run(*command):
    """Runs a command and returns its output."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def crates(triple, selection):
    """Returns cargo's metadata of the crates that are linked in with these arguments.

    These are neither build scripts' nor macros' nor tests' dependencies, nor ours.
    """
    tree = run("cargo", "tree", "--locked", *selection, "--target", triple, "--edges", "normal,no-proc-macro",
               "--prefix", "none", "--format", "{p}")
    linked = {tuple(line.split()[:2]) for line in tree.splitlines()}
    metadata = run("cargo", "metadata", "--locked", "--all-features", "--filter-platform", triple,
                   "--format-version=1")
    found = [it for it in json.loads(metadata)["packages"]
             if (it["name"], f"v{it['version']}") in linked and it["source"]]
    return [{"directory": Path(it["manifest_path"]).parent, "name": it["name"], "version": it["version"],
             "licence": it["license"], "by": ", ".join(it["authors"]) or it["repository"]}
            for it in sorted(found, key=lambda it: (it["name"], it["version"]))]


def npm_packages(directory=Path("web"), modules=Path("web/node_modules")):
    """Returns the npm packages that the package in a directory depends on, directly or not."""
    found = []
    for name in json.loads((directory / "package.json").read_text(encoding="utf-8")).get("dependencies", {}):
        package = json.loads((modules / name / "package.json").read_text(encoding="utf-8"))
        found.append({"directory": modules / name, "name": name, "version": package["version"],
                      "licence": package["license"], "by": "its authors"})
        found += npm_packages(modules / name)
    return found


def texts(library):
    """Returns the texts of a library's licence files, without empty lines at either end."""
    files = [it for it in library["directory"].iterdir() if IS_LICENCE.match(it.name) and not IS_CODE.search(it.name)]
    files += [inner for it in files if it.is_dir() for inner in it.iterdir()]
    read = [it.read_text(encoding="utf-8", errors="replace") for it in sorted(files) if it.is_file()]
    if not read and library["licence"] == "Apache-2.0":
        # This licence has to come along, and has no names in it.
        read = [Path("LICENSE-APACHE").read_text(encoding="utf-8")]
    return ["\n".join(line.rstrip() for line in text.strip("\n").splitlines()) for text in read]


def plain(page):
    """Returns the text of an HTML page."""
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    return re.sub(r"\n\s*\n+", "\n\n", html.unescape(text)).strip()


def list_libraries(libraries, by_text):
    """Prints a line for each library, and adds their names to those of each licence text."""
    for library in libraries:
        name = f"{library['name']} {library['version']}"
        licences = texts(library)
        for text in licences:
            by_text.setdefault(text, []).append(name)
        by = "" if licences else f"; by {library['by']}"
        print(f"{name}: {library['licence']}{by}")


def main():
    """Prints the libraries, each licence text with the libraries that have it, and Rust's notices."""
    triple, features, rust, *rest = sys.argv[1:]
    by_text = {}
    print("The programs contain these libraries, unchanged, each under its own licence:\n")
    list_libraries(crates(triple, ["--no-default-features", "--features", features]), by_text)
    print("\nSQLite, where it is in them, is in the public domain.")
    if rest == ["--page"]:
        print("\nThe page for browsers contains these, compiled or minified:\n")
        packages = [f"pi-chat-web-{it}" for it in ("engine", "linker", "signer")]
        members = [word for it in packages for word in ("--package", it)]
        compiled = crates("wasm32-unknown-unknown", members)
        list_libraries([*compiled, *npm_packages()], by_text)
    for text, names in by_text.items():
        print("\n" + "=" * 72 + "\n" + ", ".join(dict.fromkeys(names)) + "\n\n" + text)
    print("\n" + "=" * 72 + "\nRust's standard library\n")
    print(plain(Path(rust).read_text(encoding="utf-8")))


main()
