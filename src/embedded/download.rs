//! Downloading the server's binaries, when there are none on the machine.
//!
//! The archive is pinned by version and SHA-256 and is unpacked only after the checksum was found
//! right. It is unpacked beside its place and renamed into it, so that a tree of that name is whole:
//! it is kept and found again by the search for binaries.
//!
//! Size and time are bounded. Entries of the archive that would land outside of the tree are an
//! error even though the checksum was right.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::Error;
use super::locate::Binaries;

/// The tree of a downloaded version is `postgresql-<version>` below the data directory.
pub(super) const PREFIX: &str = "postgresql-";

/// A download that is not finished is named so, with random digits behind.
const UNFINISHED: &str = "download-";

/// The pinned archives have some 15 MB packed and 60 MB unpacked.
const LARGEST_ARCHIVE: u64 = 128 << 20;
const LARGEST_TREE: u64 = 1 << 30;

const CONNECT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_mins(15);

/// The release whose builds are pinned below.
const VERSION: &str = "17.11.0";
const RELEASES: &str = "https://github.com/theseus-rs/postgresql-binaries/releases/download";

/// Architecture and system as Rust names them, the build's name for both, and its SHA-256.
const PINNED: [(&str, &str, &str, &str); 4] = [
    (
        "x86_64",
        "linux",
        "x86_64-unknown-linux-gnu",
        "b7a1ba6bae6499d8296e3e81b0171eecfd1766ca9aaa0057e41ad3e844e5e2e0",
    ),
    (
        "aarch64",
        "linux",
        "aarch64-unknown-linux-gnu",
        "abffda09209280ec1502b73720dc4d254fb7fff9a072e324926c600a5b16c221",
    ),
    (
        "x86_64",
        "macos",
        "x86_64-apple-darwin",
        "e43a81b15e1cfe7f9d8fd79c6d4d0366e9001a5f690e322224dca704656602f7",
    ),
    (
        "aarch64",
        "macos",
        "aarch64-apple-darwin",
        "fd4b62794b160e26973a768a1eef3248aef9d2ff23ebd6d884a4299485e28e57",
    ),
];

/// An archive of PostgreSQL's server: a `.tar.gz` with one folder at the top, or none, and in it
/// `bin`, `lib` and `share`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Where it is, `https` or `http`.
    pub url: String,
    /// The SHA-256 of the archive, in hexadecimal.
    pub sha256: String,
    /// The version in it, major version first: `17.11.0`. Names the directory that it is kept in.
    pub version: String,
}

impl Download {
    /// The archive that is pinned for this platform, or `None` when there is none.
    pub fn pinned() -> Option<Self> {
        let here = (std::env::consts::ARCH, std::env::consts::OS);
        PINNED.iter().find(|(arch, os, ..)| here == (*arch, *os)).map(|(_, _, build, sha256)| {
            Self {
                url: format!("{RELEASES}/{VERSION}/postgresql-{VERSION}-{build}.tar.gz"),
                sha256: (*sha256).to_owned(),
                version: VERSION.to_owned(),
            }
        })
    }

    /// The major version in it, as far as the version tells.
    pub(super) fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }
}

/// Downloads the archive, unpacks it below `data_dir` and checks that the server in it runs here.
pub(super) async fn fetch(
    download: &Download,
    data_dir: &Path,
    account: &Account,
) -> Result<Binaries, Error> {
    super::sweep(data_dir, UNFINISHED);
    let tree = data_dir.join(format!("{PREFIX}{}", download.version));
    // The search did not find it usable, so a tree that is there already stays in the way.
    if tree.join("bin/postgres").exists() {
        return check(&tree, account).await;
    }
    let unfinished = data_dir.join(format!("{UNFINISHED}{:08x}", rand::random::<u32>()));
    fs::create_dir(&unfinished).map_err(Error::data("create", &unfinished))?;
    let done = fetch_into(&unfinished, download, &tree).await;
    let _ = fs::remove_dir_all(&unfinished);
    done?;
    tracing::info!(dir = %tree.display(), "PostgreSQL is unpacked");
    check(&tree, account).await
}

/// A downloaded server still depends on libraries of the system, so that it is here does not mean
/// that it runs. It stays even if not: it may run once the missing library is installed.
async fn check(tree: &Path, account: &Account) -> Result<Binaries, Error> {
    Binaries::probe(&tree.join("bin"), account)
        .await
        .map_err(|why| Error::Unusable { dir: tree.to_owned(), why })
}

async fn fetch_into(unfinished: &Path, download: &Download, tree: &Path) -> Result<(), Error> {
    let url = presentable(&download.url);
    let failed = |why: String| Error::Download { url: url.clone(), why };
    tracing::info!(url, "no suitable PostgreSQL is installed; downloading one, which happens once");
    let archive = unfinished.join("archive.tar.gz");
    let actual = match tokio::time::timeout(WHOLE, receive(&download.url, &archive)).await {
        Ok(received) => received.map_err(failed)?,
        Err(_) => return Err(failed(format!("not done after {} s", WHOLE.as_secs()))),
    };
    if !actual.eq_ignore_ascii_case(&download.sha256) {
        return Err(Error::Checksum { url, expected: download.sha256.clone(), actual });
    }
    let into = unfinished.join("tree");
    let unpacking = {
        let into = into.clone();
        tokio::task::spawn_blocking(move || unpack(&archive, &into))
    };
    let unpacked = match unpacking.await {
        Ok(unpacked) => unpacked,
        Err(panic) => Err(io::Error::other(panic)),
    };
    let top =
        unpacked.map_err(|error| failed(format!("the archive cannot be unpacked: {error}")))?;
    fs::rename(top, tree).map_err(Error::data("create", tree))
}

/// Writes what the address answers into a file, and returns its SHA-256.
async fn receive(url: &str, archive: &Path) -> Result<String, String> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(chain)?;
    let answer = client.get(url).send().await.map_err(chain)?;
    if !answer.status().is_success() {
        return Err(format!("the server answered {}", answer.status()));
    }
    let length = answer.content_length();
    if length.is_some_and(|length| length > LARGEST_ARCHIVE) {
        return Err(too_large());
    }
    let mut file = File::create(archive).map_err(|error| error.to_string())?;
    let (mut hash, mut received, mut told) = (Sha256::new(), 0, 0);
    let mut body = answer.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(chain)?;
        received += piece.len() as u64;
        if received > LARGEST_ARCHIVE {
            return Err(too_large());
        }
        hash.update(&piece);
        // Blocks for a moment now and then; nothing else happens during this start.
        file.write_all(&piece).map_err(|error| error.to_string())?;
        if received - told >= 4 << 20 {
            told = received;
            let of = length.map(|length| length >> 20);
            tracing::info!(megabytes = received >> 20, of, "downloading PostgreSQL");
        }
    }
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn too_large() -> String {
    format!("it has more than {} MB", LARGEST_ARCHIVE >> 20)
}

/// Unpacks the archive below `into` and returns the folder that `bin` is in.
fn unpack(archive: &Path, into: &Path) -> io::Result<PathBuf> {
    fs::create_dir(into)?;
    let unzipped = GzDecoder::new(File::open(archive)?).take(LARGEST_TREE);
    let mut archive = tar::Archive::new(unzipped);
    for entry in archive.entries()? {
        let mut entry = entry?;
        // Answers false, and writes nothing, when the path would leave `into`.
        if !entry.unpack_in(into)? {
            let path = entry.path()?.into_owned();
            return Err(io::Error::other(format!("{} leads outside", path.display())));
        }
    }
    let mut top = into.to_owned();
    if !top.join("bin").is_dir() {
        top = match super::named(into, "").as_slice() {
            [only] => only.clone(),
            _ => return Err(io::Error::other("it does not have one folder at the top")),
        };
    }
    if !top.join("bin/postgres").is_file() {
        return Err(io::Error::other("there is no bin/postgres in it"));
    }
    // The account that runs it must be able to enter, whatever our own umask made of the folder.
    fs::set_permissions(&top, fs::Permissions::from_mode(0o755))?;
    Ok(top)
}

/// The address for a text: without a name and password, and without a query, which may be a secret.
fn presentable(url: &str) -> String {
    let public = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = public.split_once("://") else { return public.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// An error with its causes, since by itself reqwest's text only says that a request failed; and
/// without the address, which the error that it goes into has already.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Download, PINNED, presentable};

    #[test]
    fn what_is_pinned_is_whole() {
        for (_, _, build, sha256) in PINNED {
            assert_eq!(sha256.len(), 64, "{build}");
            assert!(sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "{build}");
        }
        assert!(Download::pinned().is_none_or(|pinned| pinned.major() == Some(17)));
    }

    #[test]
    fn no_secret_of_an_address_is_shown() {
        for (url, shown) in [
            ("https://ann:hunter2@a.example/pg@1.gz?key=1#x", "https://a.example/pg@1.gz"),
            ("http://a.example:8080", "http://a.example:8080"),
            ("no address", "no address"),
        ] {
            assert_eq!(presentable(url), shown);
        }
    }
}
