"""Prints the licences of the crates that are linked into the programs.

usage: notices.py TRIPLE FEATURES COPYRIGHT_OF_RUST

Asks cargo for the crates that are linked in for TRIPLE with FEATURES, and collects
the licence files of these crates. Equal texts are printed once. The notices of
Rust's standard library, an HTML file, come last.
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


def crates(triple, features):
    """Returns cargo's metadata of the crates that are linked in.

    These are neither build scripts' nor macros' nor tests' dependencies, nor ours.
    """
    selection = ["--locked", "--no-default-features", "--features", features]
    tree = run("cargo", "tree", *selection, "--target", triple, "--edges", "normal,no-proc-macro",
               "--prefix", "none", "--format", "{p}")
    linked = {tuple(line.split()[:2]) for line in tree.splitlines()}
    metadata = run("cargo", "metadata", *selection, "--filter-platform", triple, "--format-version=1")
    found = [it for it in json.loads(metadata)["packages"]
             if (it["name"], f"v{it['version']}") in linked and it["source"]]
    return sorted(found, key=lambda it: (it["name"], it["version"]))


def texts(crate):
    """Returns the texts of a crate's licence files, without empty lines at either end."""
    directory = Path(crate["manifest_path"]).parent
    files = [it for it in directory.iterdir() if IS_LICENCE.match(it.name) and not IS_CODE.search(it.name)]
    files += [inner for it in files if it.is_dir() for inner in it.iterdir()]
    read = (it.read_text(encoding="utf-8", errors="replace") for it in sorted(files) if it.is_file())
    return ["\n".join(line.rstrip() for line in text.strip("\n").splitlines()) for text in read]


def plain(page):
    """Returns the text of an HTML page."""
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    return re.sub(r"\n\s*\n+", "\n\n", html.unescape(text)).strip()


def main():
    """Prints the crates, each licence text with the crates that have it, and Rust's notices."""
    triple, features, rust = sys.argv[1:]
    by_text = {}
    print("The programs contain these libraries, unchanged, each under its own licence:\n")
    for crate in crates(triple, features):
        name = f"{crate['name']} {crate['version']}"
        licences = texts(crate)
        for text in licences:
            by_text.setdefault(text, []).append(name)
        by = "" if licences else f"; by {', '.join(crate['authors']) or crate['repository']}"
        print(f"{name}: {crate['license']}{by}")
    print("\nSQLite, where it is in them, is in the public domain.")
    for text, names in by_text.items():
        print("\n" + "=" * 72 + "\n" + ", ".join(dict.fromkeys(names)) + "\n\n" + text)
    print("\n" + "=" * 72 + "\nRust's standard library\n")
    print(plain(Path(rust).read_text(encoding="utf-8")))


main()
