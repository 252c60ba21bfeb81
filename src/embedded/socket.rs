//! The directory of the server's unix socket.
//!
//! It is private, which is the whole authentication of the private server: whoever can enter it may
//! do everything. It is short and not below the data directory, because the path of a unix socket
//! has hardly more than a hundred bytes. It is new for every run, and its path is noted in the data
//! directory first, so that a killed run's directory is found and removed by the next one.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::Error;

/// The port that names the socket's file. Nothing listens on a port.
pub(super) const PORT: u16 = 5432;

/// macOS has room for 104 bytes in a socket's address, Linux for 108, both with a closing zero.
const LONGEST_SOCKET: usize = 103;

const PREFIX: &str = "muster-";
const DIGITS: usize = 8;

/// Makes a new directory, noted in `data_dir`.
pub(super) async fn create(data_dir: &Path, account: &Account) -> Result<PathBuf, Error> {
    let mut bases = vec![std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    bases.retain(|base| base.is_absolute());
    bases.dedup();
    let mut why = String::new();
    for base in &bases {
        let dir = base.join(format!("{PREFIX}{:08x}", rand::random::<u32>()));
        if !is_fit(&dir) {
            why = format!("{} is too long, or has unusual characters", dir.display());
            continue;
        }
        let note = note_path(data_dir);
        fs::write(&note, dir.as_os_str().as_encoded_bytes())
            .map_err(Error::data("write", &note))?;
        if let Err(error) = make(&dir, account) {
            why = error.to_string();
            continue;
        }
        match account.blocked_by(&dir).await? {
            None => return Ok(dir),
            Some(blocked) => why = format!("it may not enter {}", blocked.display()),
        }
        remove(data_dir, account);
    }
    let tried = bases.iter().map(|base| base.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(Error::SocketDir { tried, why, account: account.name().to_owned() })
}

/// Whether a socket may lie in it, and PostgreSQL does not take its path for a list.
///
/// PostgreSQL also makes a lock file beside the socket, with a longer name, but only the path of a
/// socket is short of room.
fn is_fit(dir: &Path) -> bool {
    dir.to_str().is_some_and(|text| {
        text.len() + format!("/.s.PGSQL.{PORT}").len() <= LONGEST_SOCKET
            && !text.contains([',', '"', '\'', '\\'])
    })
}

/// Makes the directory unless it is there: something may have cleaned the temporary directory
/// while the server was down.
pub(super) fn ensure(dir: &Path, account: &Account) -> io::Result<()> {
    match make(dir, account) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if is_ours(dir, account) {
                return account.own(dir);
            }
            // In a directory where everybody may write, the name may have been taken by somebody.
            Err(io::Error::other(format!("{} belongs to somebody else", dir.display())))
        }
        made => made,
    }
}

fn make(dir: &Path, account: &Account) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(dir)?;
    account.own(dir)
}

/// Removes the noted directory and the note. Anything that is not certainly ours stays.
pub(super) fn remove(data_dir: &Path, account: &Account) {
    let note = note_path(data_dir);
    let Ok(text) = fs::read_to_string(&note) else { return };
    let dir = PathBuf::from(text);
    if is_name_of_ours(&dir)
        && is_ours(&dir, account)
        && let Err(error) = fs::remove_dir_all(&dir)
    {
        tracing::warn!(dir = %dir.display(), %error, "cannot remove the old socket directory");
        return;
    }
    let _ = fs::remove_file(note);
}

fn note_path(data_dir: &Path) -> PathBuf {
    data_dir.join("socket-dir")
}

fn is_name_of_ours(dir: &Path) -> bool {
    let digits = dir.file_name().and_then(|name| name.to_str()?.strip_prefix(PREFIX));
    dir.is_absolute()
        && digits.is_some_and(|digits| {
            digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// A real directory (not a link to one), closed to all others, and the account's, or still root's when
/// the run that made it was killed before it gave it away.
fn is_ours(dir: &Path, account: &Account) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|metadata| {
        metadata.is_dir()
            && (metadata.uid() == account.uid() || account.switches() && metadata.uid() == 0)
            && metadata.permissions().mode().trailing_zeros() >= 6
    })
}
