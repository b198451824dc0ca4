//! Generates the man pages and the shell completions (bash, zsh, fish) of the packages, from the
//! programs' command lines and the shipped configuration files, so that they cannot be out of date.
//! `scripts/lib/release.sh` runs it: `cargo run --example manual -- DIR`.

mod settings;

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use pi_chat::cli;

/// Title of the manual, in the header of each man page.
const MANUAL: &str = "pi-chat";

/// Program and version, in the footer of each man page.
const SOURCE: &str = concat!("pi-chat ", env!("CARGO_PKG_VERSION"));

/// Writes completions into the directory of the first argument, and man pages into its `man/`.
fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).context("usage: manual DIRECTORY")?;
    let directory = Path::new(&directory);
    let manual = directory.join("man");
    fs::create_dir_all(&manual)?;
    for (command, section, related) in [
        (cli::server::command(), "8", "chat-server.toml(5), chat-client(1), chat-peer(1)"),
        (cli::client::command(), "1", "chat-peer(1), chat-server(8)"),
        (cli::peer::command(), "1", "chat-peer.toml(5), chat-client(1)"),
    ] {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let name = command.get_name().to_owned();
            generate_to(shell, &mut command.clone(), name, directory)?;
        }
        // Each subcommand has a page; `help` needs none.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        write_pages(&manual, &command, section, related)?;
    }
    for (name, about, text, related) in [
        (
            "chat-server.toml",
            "configuration of chat-server",
            include_str!("../chat-server.toml"),
            "chat-server(8)",
        ),
        (
            "chat-peer.toml",
            "configuration of chat-peer",
            include_str!("../chat-peer.toml"),
            "chat-peer(1)",
        ),
    ] {
        let path = manual.join(format!("{name}.5"));
        fs::write(&path, settings::config_page(name, about, text, related))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Writes the man page of a command, and recursively those of its subcommands. The users' programs,
/// whose section is 1, have a section ENVIRONMENT about the language.
///
/// `related` is the list of pages in its section SEE ALSO; a subcommand's names its parent.
fn write_pages(directory: &Path, command: &Command, section: &str, related: &str) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let path = directory.join(format!("{name}.{section}"));
    let mut page =
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let manual = Man::new(command.clone()).section(section);
    manual.source(SOURCE).manual(MANUAL).render(&mut page)?;
    if section == "1" {
        settings::environment().to_writer(&mut page)?;
    }
    settings::see_also(related).to_writer(&mut page)?;
    let parent = format!("{name}({section})");
    for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_pages(directory, subcommand, section, &parent)?;
    }
    Ok(())
}
