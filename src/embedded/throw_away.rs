//! A data directory that goes with what it was made for.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A directory for data that nobody needs afterwards. It is made by whoever uses it.
#[derive(Debug)]
pub struct ThrowAway(PathBuf);

impl ThrowAway {
    /// Among the system's temporary files, under a name that says what it is for and that no other has.
    #[must_use]
    pub fn new(purpose: &str) -> Self {
        let name = format!("muster-{purpose}-{}-{:04x}", std::process::id(), rand::random::<u16>());
        Self(std::env::temp_dir().join(name))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!("removing {}: {error}", self.0.display());
        }
    }
}
