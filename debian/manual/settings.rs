//! The page of a configuration file, from the commented file itself.

use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::{MANUAL, SOURCE};

/// What a paragraph of the file is made of: words, then keys with their
/// values.
#[derive(Default)]
struct Paragraph<'a> {
    /// Lines for people.
    words: Vec<&'a str>,
    /// Lines such as `listen = ["[::]:2428"]`.
    keys: Vec<&'a str>,
}

/// The page. `text` is the file: paragraphs of comments between empty lines.
/// Those without a key go before, the others become one entry each.
pub(crate) fn page(name: &str, about: &str, text: &str, related: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", [name, "5", "", SOURCE, MANUAL]);
    page.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
    page.control("SH", ["DESCRIPTION"]);
    let (entries, introduction): (Vec<Paragraph<'_>>, Vec<Paragraph<'_>>) =
        paragraphs(text).into_iter().partition(|it| !it.keys.is_empty());
    for paragraph in introduction {
        page.control("PP", []);
        write_words(&mut page, &paragraph.words);
    }
    page.control("SH", ["KEYS"]);
    for paragraph in entries {
        for (index, key) in paragraph.keys.iter().enumerate() {
            // Keys that are explained together stand together.
            page.control(if index == 0 { "TP" } else { "TQ" }, []);
            page.text([bold(*key)]);
        }
        write_words(&mut page, &paragraph.words);
    }
    page.to_roff() + &see_also(related).to_roff()
}

/// Where a package puts what the pages call docs/….
const DOCUMENTS: &str = "Files that are named as docs/... are in /usr/share/doc/chat-server/docs; \
                         the package chat-client has json.md, in its own directory there.";

/// The section that names other pages.
pub(crate) fn see_also(related: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]).text([roman(related)]);
    section.control("PP", []).text([roman(DOCUMENTS)]);
    section
}

/// Cuts the file at its empty lines.
fn paragraphs(text: &str) -> Vec<Paragraph<'_>> {
    let mut found = vec![Paragraph::default()];
    for line in text.lines() {
        let Some(line) = line.strip_prefix('#').map(|it| it.strip_prefix(' ').unwrap_or(it)) else {
            found.push(Paragraph::default());
            continue;
        };
        let Some(paragraph) = found.last_mut() else { continue };
        let is_key = line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        if is_key { paragraph.keys.push(line) } else { paragraph.words.push(line) }
    }
    found.retain(|it| !it.keys.is_empty() || !it.words.is_empty());
    found
}

/// Writes words as they stand; what is indented is a line to type.
fn write_words(page: &mut Roff, words: &[&str]) {
    let mut prose: Vec<&str> = Vec::new();
    let write = |page: &mut Roff, prose: &mut Vec<&str>| {
        if !prose.is_empty() {
            page.text([roman(prose.join("\n"))]);
            prose.clear();
        }
    };
    for line in words {
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

    /// Keys are entries with what is said about them; what is to be typed has
    /// a line of its own; nothing is left out.
    #[test]
    fn entries() {
        let text = "# A file.\n#\n#     type --this\n\n# A number,\n# and its half.\n# one = 1\n# half = 0.5\n";
        let page = page("x.toml", "settings of x", text, "x(1)");
        for piece in [
            ".TH x.toml 5 ",
            ".SH DESCRIPTION\n.PP\nA file.\n.PP\n.RS 4\n\\fBtype \\-\\-this\\fR\n.RE\n",
            ".SH KEYS\n.TP\n\\fBone = 1\\fR\n.TQ\n\\fBhalf = 0.5\\fR\nA number,\nand its half.\n",
            ".SH \"SEE ALSO\"\nx(1)\n",
        ] {
            assert!(page.contains(piece), "{piece}\nis not in\n{page}");
        }
    }

    /// An empty line between a key and its explanation would part them.
    #[test]
    fn every_key_is_explained() {
        for text in [include_str!("../chat-server.toml"), include_str!("../chat-peer.toml")] {
            for paragraph in paragraphs(text) {
                let Paragraph { words, keys } = paragraph;
                assert!(keys.is_empty() || !words.is_empty(), "{keys:?}");
            }
        }
    }
}
