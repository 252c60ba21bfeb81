//! `postgres.log`, where PostgreSQL and its guard write everything they say.
//!
//! Both hold it open in append mode for as long as they run, so it is bounded by copying it aside
//! and emptying it in place: a rename would leave them writing into the old file. What is written
//! between the two steps is lost, which a log of the last resort can bear.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Beyond this many bytes the log is set aside as `postgres.log.1`, replacing the one before.
const LARGEST: u64 = 10 << 20;

/// How much of the end an error shows.
const TAIL_BYTES: u64 = 16 << 10;
const TAIL_LINES: usize = 20;

#[derive(Clone, Debug)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("postgres.log") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for a child to write to. Private, since statements in it may carry data.
    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)
    }

    /// Its length: a mark for [`Log::since`], and a sign of life while it grows.
    pub(super) fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// The last lines written after `mark`.
    pub(super) fn since(&self, mark: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.path)?;
            let len = file.metadata()?.len();
            // A log that is shorter than the mark was emptied since.
            let from = if len < mark { 0 } else { mark };
            file.seek(SeekFrom::Start(from.max(len.saturating_sub(TAIL_BYTES))))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<_> = text.trim_end().lines().collect();
        match lines.get(lines.len().saturating_sub(TAIL_LINES)..) {
            Some([]) | None => "(nothing)".to_owned(),
            Some(last) => last.join("\n"),
        }
    }

    /// Sets the log aside when it has grown too large.
    pub(super) fn trim(&self) -> io::Result<()> {
        if self.len() <= LARGEST {
            return Ok(());
        }
        fs::copy(&self.path, self.path.with_extension("log.1"))?;
        OpenOptions::new().write(true).open(&self.path)?.set_len(0)
    }
}
