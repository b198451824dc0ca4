"""Prints the licences of what is linked into the programs.

usage: notices.py TRIPLE FEATURES COPYRIGHT_OF_RUST

Asks cargo which crates the programs for TRIPLE have in them with FEATURES, and
collects what these crates say of their licences in files of their own. Equal
texts are printed once. What Rust's standard library says of itself comes last.
"""

import html
import json
import re
import subprocess
import sys
from pathlib import Path

# What crates call the files with their licences, and what is no such file.
IS_LICENCE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
IS_CODE = re.compile(r"\.(rs|toml|html|hbs|yml)$")


def crates(triple, features):
    """The crates that are linked in: neither build scripts' nor macros' nor tests' own, nor ours."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", triple]
    command += ["--no-default-features", "--features", features]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {it["id"]: it for it in told["packages"]}
    nodes = {it["id"]: it for it in told["resolve"]["nodes"]}
    ours = told["resolve"]["root"]
    linked, waiting = set(), [ours]
    while waiting:
        it = waiting.pop()
        is_macro = any("proc-macro" in target["kind"] for target in packages[it]["targets"])
        if it in linked or is_macro:
            continue
        linked.add(it)
        for dependency in nodes[it]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    linked.remove(ours)
    return sorted((packages[it] for it in linked), key=lambda it: (it["name"], it["version"]))


def texts(crate):
    """What the files of a crate say of its licence, without empty lines at either end."""
    directory = Path(crate["manifest_path"]).parent
    files = [it for it in directory.iterdir() if IS_LICENCE.match(it.name) and not IS_CODE.search(it.name)]
    files += [inner for it in files if it.is_dir() for inner in it.iterdir()]
    read = (it.read_text(encoding="utf-8", errors="replace") for it in sorted(files) if it.is_file())
    return ["\n".join(line.rstrip() for line in text.strip("\n").splitlines()) for text in read]


def plain(page):
    """The text of a page of HTML, which Rust's own notices are."""
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", "", page, flags=re.DOTALL)
    return re.sub(r"\n\s*\n+", "\n\n", html.unescape(text)).strip()


def main():
    """Prints the crates, then each text with the crates that have it, then Rust's."""
    triple, features, rust = sys.argv[1:]
    by_text = {}
    print("The programs contain these libraries, unchanged, each under its own licence:\n")
    for crate in crates(triple, features):
        name = f"{crate['name']} {crate['version']}"
        told = texts(crate)
        for text in told:
            by_text.setdefault(text, []).append(name)
        by = "" if told else f"; by {', '.join(crate['authors']) or crate['repository']}"
        print(f"{name}: {crate['license']}{by}")
    print("\nSQLite, where it is in them, is in the public domain.")
    for text, names in by_text.items():
        print("\n" + "=" * 72 + "\n" + ", ".join(dict.fromkeys(names)) + "\n\n" + text)
    print("\n" + "=" * 72 + "\nRust's standard library\n")
    print(plain(Path(rust).read_text(encoding="utf-8")))


main()
