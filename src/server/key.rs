//! The key that signs tokens, as the settings give it or as it is made once.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use crate::config::{Config, Secret};

/// The file of the generated key, below the data directory.
const KEY_FILE: &str = "secret-key";

/// The key that signs tokens: the configured one, or with the embedded default one that is made once and
/// kept in the data directory, readable by its owner alone.
///
/// # Errors
/// When there is a `DATABASE_URL` and no key, or the file can be neither read nor written.
pub fn key(config: &Config) -> anyhow::Result<Secret> {
    if let Some(key) = &config.secret_key {
        return Ok(key.clone());
    }
    if config.database_url.is_some() {
        anyhow::bail!("MUSTER_SECRET_KEY is required with DATABASE_URL");
    }
    let path = config.data_dir.join(KEY_FILE);
    if let Some(found) = read_key(&path)? {
        return Ok(found);
    }
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("making {}", config.data_dir.display()))?;
    let text = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        // Linking fails if somebody else made the key meanwhile; then that one counts.
        let linked = std::fs::hard_link(&temporary, &path);
        std::fs::remove_file(&temporary)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    write().with_context(|| format!("writing the key to {}", path.display()))?;
    read_key(&path)?.with_context(|| format!("the key in {} vanished", path.display()))
}

fn read_key(path: &Path) -> anyhow::Result<Option<Secret>> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 16 => Ok(Some(Secret::new(text.trim()))),
        Ok(_) => anyhow::bail!(
            "{} holds no usable key; remove it or set MUSTER_SECRET_KEY",
            path.display()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading the key in {}", path.display())),
    }
}
