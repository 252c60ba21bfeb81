//! One owner for a data directory.
//!
//! The lock is the operating system's, on the open file `lock`: it ends with the process that holds
//! it however that ends, so it is never stale. The process id inside only serves the error text.
//! The file stays when the lock is released, since removing it would let two newcomers lock two
//! different files of the same name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::Error;

/// Held for as long as a server may run on the data directory.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would do, were there not another thread that is just starting a process:
        // until that process is itself, it holds a copy of the open file, and with it the lock.
        let _ = self.file.unlock();
    }
}

impl Lock {
    pub(super) fn take(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::data("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { dir: data_dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(Error::data("lock", &path)(source)),
        }
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write().map_err(Error::data("write", &path))?;
        Ok(Self { file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // The holder writes its number just after it locks, so an empty file is possible for an instant.
    match file.take(20).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => format!("process {}", text.trim()),
        _ => "process unknown".to_owned(),
    }
}
