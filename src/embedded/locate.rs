//! Finding the server's binaries.
//!
//! Whatever the operator named or installed is preferred to a download: it is the one that gets the
//! system's security updates. A directory counts only when `postgres`, `initdb` and `pg_ctl` lie in
//! it side by side, after links are resolved, because they look for each other there; so a wrapper
//! or a lone link in `PATH` leads to the real directory or to nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::account::{Account, ask, complaint};
use super::error::Error;

/// The oldest major version that Muster runs on.
const OLDEST: u32 = 14;

const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// The usual folders: parent, start of the name that has the version in it, and the way from there.
const FOLDERS: [(&str, &str, &str); 12] = [
    // Debian, Ubuntu; openSUSE has the version in the name.
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/lib64", "postgresql-", "bin"),
    // PostgreSQL's own packages for Red Hat's family.
    ("/usr", "pgsql-", "bin"),
    // Alpine.
    ("/usr/libexec", "postgresql", ""),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/Library/PostgreSQL", "", "bin"),
];

/// A directory with the server's programs, and their version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// As the server says it: `15.14`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Looks into one directory; the error says why it does not serve.
    pub(super) async fn probe(dir: &Path, account: &Account) -> Result<Self, String> {
        let dir = fs::canonicalize(dir).map_err(|error| format!("it cannot be read: {error}"))?;
        if let Some(absent) = PROGRAMS.iter().find(|program| !dir.join(program).is_file()) {
            return Err(format!("there is no {absent} in it"));
        }
        // As the account, so that binaries it cannot reach or run are not chosen.
        let mut command = account.command(dir.join("postgres"));
        command.arg("--version");
        let output =
            ask(command).await.map_err(|error| format!("postgres cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let Some((version, major)) = version(&text) else {
            return Err(format!("postgres does not tell its version: {}", complaint(&output)));
        };
        if major < OLDEST {
            return Err(format!(
                "it is PostgreSQL {version}, and {OLDEST} is the oldest that works"
            ));
        }
        Ok(Self { dir, version, major })
    }
}

/// What a search came to.
#[derive(Debug)]
pub(super) enum Search {
    Found(Binaries),
    /// Nothing usable. Each entry says what was there instead, for the error text.
    Nothing {
        unusable: Vec<String>,
    },
    /// Servers, but none of the wanted major version.
    Others {
        versions: Vec<String>,
    },
}

/// Where to search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// If given, the only place: whoever names a directory wants that one.
    pub(super) bin_dir: Option<&'a Path>,
    /// Whether the system's own places count.
    pub(super) installed: bool,
    /// Downloaded binaries are below it.
    pub(super) data_dir: &'a Path,
}

/// Searches the places in order. `wanted` is the major version of an existing cluster.
///
/// # Errors
///
/// A `bin_dir` that does not serve.
pub(super) async fn search(
    places: Places<'_>,
    wanted: Option<u32>,
    account: &Account,
) -> Result<Search, Error> {
    let fits = |binaries: &Binaries| wanted.is_none_or(|major| major == binaries.major);
    if let Some(dir) = places.bin_dir {
        let binaries = Binaries::probe(dir, account)
            .await
            .map_err(|why| Error::BinDir { dir: dir.to_owned(), why })?;
        return Ok(if fits(&binaries) {
            Search::Found(binaries)
        } else {
            Search::Others { versions: vec![binaries.version] }
        });
    }
    let (mut unusable, mut versions) = (Vec::new(), Vec::new());
    for dir in candidates(places, account).await {
        match Binaries::probe(&dir, account).await {
            Ok(binaries) if fits(&binaries) => return Ok(Search::Found(binaries)),
            Ok(binaries) => versions.push(binaries.version),
            Err(why) => unusable.push(format!("{}: {why}", dir.display())),
        }
    }
    Ok(if versions.is_empty() { Search::Nothing { unusable } } else { Search::Others { versions } })
}

/// Every directory that may hold a server, in the order of preference, each once.
async fn candidates(places: Places<'_>, account: &Account) -> Vec<PathBuf> {
    let mut found = if places.installed { installed(account).await } else { Vec::new() };
    found.extend(newest_first(places.data_dir, super::download::PREFIX, "bin"));
    let mut seen = BTreeSet::new();
    found.retain(|dir| seen.insert(dir.clone()));
    found
}

/// `PATH`, then what `pg_config` says, then the usual folders.
async fn installed(account: &Account) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path).filter(|dir| dir.is_absolute()) {
        found.extend(PROGRAMS.iter().filter_map(|program| real_home(&dir.join(program))));
    }
    let mut pg_config = account.command("pg_config");
    pg_config.arg("--bindir");
    if let Ok(output) = ask(pg_config).await {
        let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        found.extend(dir.is_absolute().then(|| real_home(&dir.join("postgres"))).flatten());
    }
    for (parent, prefix, inner) in FOLDERS {
        found.extend(newest_first(Path::new(parent), prefix, inner));
    }
    found
}

/// The directory in which a program really lies.
fn real_home(program: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(program).ok()?;
    real.is_file().then(|| real.parent().map(Path::to_owned)).flatten()
}

/// `parent/prefix*/inner` where a `postgres` is in it, the highest version first.
fn newest_first(parent: &Path, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = numbers(name.strip_prefix(prefix)?);
            Some((version, real_home(&entry.path().join(inner).join("postgres"))?))
        })
        .collect();
    found.sort_by(|(left, _), (right, _)| right.cmp(left));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// `-16.4` → 16, 4; a name without numbers sorts last.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian …)` → `15.14`, 15. Knows `18beta1` and `19devel`, too.
fn version(text: &str) -> Option<(String, u32)> {
    let version =
        text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some((version.to_owned(), major))
}

#[cfg(test)]
mod tests {
    use super::{numbers, version};

    #[test]
    fn a_version_is_read_from_what_builds_print() {
        let read = |text| version(text).map(|(version, major)| format!("{version} {major}"));
        assert_eq!(read("postgres (PostgreSQL) 17.11").as_deref(), Some("17.11 17"));
        assert_eq!(
            read("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)").as_deref(),
            Some("15.14 15")
        );
        assert_eq!(read("postgres (PostgreSQL) 19devel").as_deref(), Some("19devel 19"));
        assert_eq!(read("a wrapper of mine"), None);
    }

    #[test]
    fn ten_is_newer_than_nine() {
        assert!(numbers("-9.6") < numbers("-10"));
        assert!(numbers("@16") < numbers("17.2.1"));
        assert!(numbers("") < numbers("14"));
    }
}
