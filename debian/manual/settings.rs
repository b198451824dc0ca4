//! Man pages of configuration files, generated from the commented files.

use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::{MANUAL, SOURCE};

/// A paragraph of a configuration file: text, then the keys that it explains.
#[derive(Default)]
struct Paragraph<'a> {
    /// Lines of text, without `# `.
    text: Vec<&'a str>,
    /// Lines with a key and its default value, such as `listen = ["[::]:2428"]`.
    keys: Vec<&'a str>,
}

/// Returns the man page of a configuration file in roff.
///
/// `text` is the file's content: commented paragraphs between empty lines. Paragraphs without a key
/// become the description, each other one becomes an entry. `related` is the section SEE ALSO.
pub(crate) fn config_page(name: &str, about: &str, text: &str, related: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", [name, "5", "", SOURCE, MANUAL]);
    page.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
    page.control("SH", ["DESCRIPTION"]);
    let (entries, introduction): (Vec<Paragraph<'_>>, Vec<Paragraph<'_>>) =
        split_paragraphs(text).into_iter().partition(|it| !it.keys.is_empty());
    for paragraph in introduction {
        page.control("PP", []);
        render_text(&mut page, &paragraph.text);
    }
    page.control("SH", ["KEYS"]);
    for paragraph in entries {
        for (index, key) in paragraph.keys.iter().enumerate() {
            // Keys of one paragraph share an entry.
            page.control(if index == 0 { "TP" } else { "TQ" }, []);
            page.text([bold(*key)]);
        }
        render_text(&mut page, &paragraph.text);
    }
    page.to_roff() + &see_also(related).to_roff()
}

/// Paragraph on where the packages install the files that the pages call `docs/…`.
const DOCUMENTS: &str = "Files that are named as docs/... are in /usr/share/doc/chat-server/docs; \
                         the package chat-client has json.md, in its own directory there.";

/// Returns the section SEE ALSO, which names related pages and the directory of `docs/`.
pub(crate) fn see_also(related: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]).text([roman(related)]);
    section.control("PP", []).text([roman(DOCUMENTS)]);
    section
}

/// Variables that say which language the users' programs speak, in the order in which they count.
const LANGUAGE_VARIABLES: [&str; 4] = ["LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"];

/// What the [`LANGUAGE_VARIABLES`] do.
const LANGUAGE_TEXT: &str = "Language of what the program tells people, English or German: the \
                             first of these variables that names one of the two. LANGUAGE may \
                             name several, separated by colons; it does not count where the others \
                             set the locale C or POSIX. Without any it is English, and so is what \
                             programs read (--json) and what goes to a log.";

/// Returns the section ENVIRONMENT of the users' programs: the variables of the language.
pub(crate) fn environment() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["ENVIRONMENT"]);
    for (index, variable) in LANGUAGE_VARIABLES.into_iter().enumerate() {
        section.control(if index == 0 { "TP" } else { "TQ" }, []);
        section.text([bold(variable)]);
    }
    section.text([roman(LANGUAGE_TEXT)]);
    section
}

/// Splits a configuration file into paragraphs, at its empty lines.
fn split_paragraphs(text: &str) -> Vec<Paragraph<'_>> {
    let mut found = vec![Paragraph::default()];
    for line in text.lines() {
        let Some(line) = line.strip_prefix('#').map(|it| it.strip_prefix(' ').unwrap_or(it)) else {
            found.push(Paragraph::default());
            continue;
        };
        let Some(paragraph) = found.last_mut() else { continue };
        let is_key = line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        if is_key { paragraph.keys.push(line) } else { paragraph.text.push(line) }
    }
    found.retain(|it| !it.keys.is_empty() || !it.text.is_empty());
    found
}

/// Appends lines of text to a page; a line that is indented by four spaces becomes a bold one, a
/// command to type.
fn render_text(page: &mut Roff, lines: &[&str]) {
    let mut prose: Vec<&str> = Vec::new();
    let write = |page: &mut Roff, prose: &mut Vec<&str>| {
        if !prose.is_empty() {
            page.text([roman(prose.join("\n"))]);
            prose.clear();
        }
    };
    for line in lines {
        match line.strip_prefix("    ") {
            Some(typed) => {
                write(page, &mut prose);
                let typed: Inline = bold(typed);
                page.control("PP", []).control("RS", ["4"]).text([typed]);
                page.control("RE", []).control("PP", []);
            }
            None if line.is_empty() => write(page, &mut prose),
            None => prose.push(line),
        }
    }
    write(page, &mut prose);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each key becomes an entry with its text, each indented line a line of its own.
    #[test]
    fn page_has_entries_and_commands() {
        let text = "# A file.\n#\n#     type --this\n\n# A number,\n# and its half.\n# one = 1\n# half = 0.5\n";
        let page = config_page("x.toml", "settings of x", text, "x(1)");
        for piece in [
            ".TH x.toml 5 ",
            ".SH DESCRIPTION\n.PP\nA file.\n.PP\n.RS 4\n\\fBtype \\-\\-this\\fR\n.RE\n",
            ".SH KEYS\n.TP\n\\fBone = 1\\fR\n.TQ\n\\fBhalf = 0.5\\fR\nA number,\nand its half.\n",
            ".SH \"SEE ALSO\"\nx(1)\n",
        ] {
            assert!(page.contains(piece), "{piece}\nis not in\n{page}");
        }
    }

    /// Each key of the shipped files is in one paragraph with its explanation.
    #[test]
    fn every_key_is_explained() {
        for text in [include_str!("../chat-server.toml"), include_str!("../chat-peer.toml")] {
            for paragraph in split_paragraphs(text) {
                let Paragraph { text, keys } = paragraph;
                assert!(keys.is_empty() || !text.is_empty(), "{keys:?}");
            }
        }
    }
}
