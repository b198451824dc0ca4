//! Files of the page for browsers: finds them below the web root, and never outside of it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// File that `/` stands for.
const INDEX: &str = "index.html";

/// Suffix of a file that is compressed with gzip and lies beside the original.
const GZIP_SUFFIX: &str = ".gz";

/// Beginning of the paths whose files never change: their names contain a hash of their contents.
const IMMUTABLE_PREFIX: &str = "/assets/";

/// Maximum length of a file, in bytes. Longer ones count as missing.
const MAX_FILE: u64 = 16 << 20;

/// Maximum number of directories in a path, and the file.
const MAX_SEGMENTS: usize = 8;

/// Size of the pieces in which a file is read to hash it, in bytes.
const HASH_PIECE: usize = 8 << 10;

/// Number of bytes of a hash that are shown in an entity tag.
const TAG_BYTES: usize = 12;

/// Opened file, with what its response says about it.
#[derive(Debug)]
pub(super) struct FoundFile {
    /// File, to be read from its beginning.
    pub(super) file: File,
    /// Length in bytes.
    pub(super) length: u64,
    /// Media type of the contents, before compression.
    pub(super) media_type: &'static str,
    /// True if the contents are compressed with gzip.
    pub(super) is_gzip: bool,
    /// Entity tag, with its quotes. `None` if the file never changes.
    pub(super) etag: Option<String>,
}

/// Opens the file of a request's path below `root`; `None` if there is none. Prefers the compressed
/// file if `accepts_gzip`. Follows no symbolic links below the root. Blocks.
///
/// # Errors
/// The file is there but cannot be read.
pub(super) fn find(root: &Path, path: &str, accepts_gzip: bool) -> io::Result<Option<FoundFile>> {
    let Some((directories, name)) = split_path(path) else { return Ok(None) };
    let Some(directory) = open_directory(root, &directories)? else { return Ok(None) };
    let compressed = match accepts_gzip {
        true => open_file(&directory, &format!("{name}{GZIP_SUFFIX}"))?,
        false => None,
    };
    let is_gzip = compressed.is_some();
    let opened = match compressed {
        Some(file) => Some(file),
        None => open_file(&directory, name)?,
    };
    let Some((mut file, length)) = opened else { return Ok(None) };
    let etag = match path.starts_with(IMMUTABLE_PREFIX) {
        true => None,
        false => Some(hash(&mut file)?),
    };
    Ok(Some(FoundFile { file, length, media_type: media_type(name), is_gzip, etag }))
}

/// Returns true if the page is there: a web root without its first file, plain or compressed, counts
/// as not installed. Blocks for a moment.
pub(in crate::server) fn has_page(root: &Path) -> bool {
    [INDEX.to_owned(), format!("{INDEX}{GZIP_SUFFIX}")].iter().any(|it| root.join(it).is_file())
}

/// Splits a path into its directories and the name of the file; `/` is [`INDEX`]. `None` if a part
/// is empty, begins with a dot, or has other characters than letters, digits, `.`, `_` and `-` of
/// ASCII: no such file is ever sent. So `..`, `%2e` and backslashes need no rule of their own.
fn split_path(path: &str) -> Option<(Vec<&str>, &str)> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some((Vec::new(), INDEX));
    }
    let is_good = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    };
    let mut parts: Vec<&str> = path.split('/').take(MAX_SEGMENTS + 1).collect();
    let is_valid = parts.len() <= MAX_SEGMENTS && parts.iter().all(is_good);
    let name = parts.pop()?;
    is_valid.then_some((parts, name))
}

/// Opens a directory below `root`, step by step. `None` if it does not exist, or a step is no
/// directory.
///
/// # Errors
/// It cannot be opened.
fn open_directory(root: &Path, directories: &[&str]) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    // The root itself may be a link: the owner has named it.
    let mut current = found(openat(CWD, root, flags, Mode::empty()))?;
    for name in directories {
        let Some(directory) = current else { return Ok(None) };
        current = found(openat(&directory, *name, flags | OFlags::NOFOLLOW, Mode::empty()))?;
    }
    Ok(current)
}

/// Opens a regular file of a directory and returns its length. `None` if there is no such file, or
/// it is longer than [`MAX_FILE`].
///
/// # Errors
/// It cannot be opened.
fn open_file(directory: &OwnedFd, name: &str) -> io::Result<Option<(File, u64)>> {
    // Opening a pipe must not wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Some(file) = found(openat(directory, name, flags, Mode::empty()))? else {
        return Ok(None);
    };
    let file = File::from(file);
    let about = file.metadata()?;
    let is_good = about.is_file() && about.len() <= MAX_FILE;
    Ok(is_good.then_some((file, about.len())))
}

/// Turns the errors of what does not exist, or is a link, into `None`.
///
/// # Errors
/// Every other one.
fn found(opened: rustix::io::Result<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the entity tag of a file's contents. The file is then at its beginning again.
///
/// # Errors
/// It cannot be read.
fn hash(file: &mut File) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut piece = [0; HASH_PIECE];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        digest.update(piece.get(..count).unwrap_or_default());
    }
    file.rewind()?;
    let digest = digest.finalize();
    let shown = digest.get(..TAG_BYTES).unwrap_or_default();
    Ok(format!("\"{}\"", data_encoding::HEXLOWER.encode(shown)))
}

/// Returns the media type of a file by the end of its name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "txt" | "ftl" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Returns a web root with a page, a compressed and a hashed file, and beside it a secret.
    fn web_root() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("web");
        fs::create_dir_all(root.join("assets/de")).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        fs::write(root.join("index.html"), "page").unwrap();
        fs::write(root.join("index.html.gz"), "zip").unwrap();
        fs::write(root.join("assets/de/a-12345678.js"), "code").unwrap();
        (directory, root)
    }

    /// Returns the contents and the other properties of a file that must be there.
    fn read(root: &Path, path: &str, gzip: bool) -> (String, FoundFile) {
        let mut found = find(root, path, gzip).unwrap().unwrap();
        let mut text = String::new();
        found.file.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, found.length);
        (text, found)
    }

    #[test]
    fn files_are_found_with_type_tag_and_compression() {
        let (_directory, root) = web_root();
        let (text, page) = read(&root, "/", false);
        assert_eq!(
            (text.as_str(), page.media_type, page.is_gzip),
            ("page", "text/html; charset=utf-8", false)
        );
        let tag = page.etag.unwrap();
        let (text, page) = read(&root, "/index.html", true);
        assert_eq!((text.as_str(), page.is_gzip), ("zip", true));
        assert_ne!(page.etag.unwrap(), tag, "each form has a tag of its own");
        let (text, code) = read(&root, "/assets/de/a-12345678.js", true);
        assert_eq!((text.as_str(), code.is_gzip, code.etag), ("code", false, None));
    }

    /// No path leads out of the root: not with dots, encodings or links, and not to other kinds of
    /// files.
    #[test]
    fn no_path_leads_out_of_the_root() {
        let (directory, root) = web_root();
        symlink(directory.path(), root.join("out")).unwrap();
        symlink(directory.path().join("secret"), root.join("link.txt")).unwrap();
        symlink("index.html", root.join("inner.html")).unwrap();
        fs::write(root.join(".hidden"), "x").unwrap();
        for path in [
            "/../secret",
            "/assets/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "//secret",
            "/out/secret",
            "/link.txt",
            "/inner.html",
            "/.hidden",
            "/assets",
            "/assets/",
            "/a\\b",
            "/index.html/",
            "/index.html/x",
            "/missing",
            "",
            "secret",
            "/a/b/c/d/e/f/g/h/i",
        ] {
            assert!(find(&root, path, true).unwrap().is_none(), "{path}");
        }
        assert!(find(&directory.path().join("no"), "/", true).unwrap().is_none());
    }

    /// What lies too deep, or is too long, counts as missing.
    #[test]
    fn deep_and_long_files_count_as_missing() {
        let (_directory, root) = web_root();
        let deepest = root.join("assets/2/3/4/5/6/7");
        fs::create_dir_all(deepest.join("8")).unwrap();
        for name in ["file", "8/file"] {
            fs::write(deepest.join(name), "x").unwrap();
        }
        assert!(find(&root, "/assets/2/3/4/5/6/7/file", false).unwrap().is_some());
        assert!(find(&root, "/assets/2/3/4/5/6/7/8/file", false).unwrap().is_none());
        for (name, length, is_there) in [("most", MAX_FILE, true), ("more", MAX_FILE + 1, false)] {
            File::create(root.join("assets").join(name)).unwrap().set_len(length).unwrap();
            let found = find(&root, &format!("/assets/{name}"), false).unwrap();
            assert_eq!(found.is_some(), is_there, "{name}");
        }
    }

    /// A link as the root itself is followed, because the owner has set it.
    #[test]
    fn root_may_be_a_link() {
        let (directory, root) = web_root();
        let link = directory.path().join("link");
        symlink(&root, &link).unwrap();
        assert_eq!(read(&link, "/", false).0, "page");
    }
}
