//! Binaries that are downloaded, from a server of our own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muster::embedded::{Download, Embedded, Error, Options};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::support::{Place, connect, names, within};

#[tokio::test]
async fn binaries_are_downloaded_once_and_run() {
    let place = Place::new();
    let files = Files::serve(archive(&[])).await;
    let first = within(Embedded::start(files.options(&place))).await.unwrap();
    connect(first.socket_dir(), &first).await;
    within(first.stop()).await.unwrap();
    assert!(place.data.join("postgresql-99.1/bin/postgres").is_file());
    assert_eq!(files.served(), 1);

    let second = within(Embedded::start(files.options(&place))).await.unwrap();
    within(second.stop()).await.unwrap();
    assert_eq!(files.served(), 1, "it was downloaded again");
}

#[tokio::test]
async fn a_download_with_another_checksum_is_refused_and_nothing_of_it_stays() {
    let place = Place::new();
    let files = Files::serve(archive(&[])).await;
    let mut options = files.options(&place);
    let expected = "0".repeat(64);
    options.download.as_mut().unwrap().sha256.clone_from(&expected);
    let refusal = within(Embedded::start(options)).await.unwrap_err();
    assert!(matches!(refusal, Error::Checksum { .. }), "{refusal:?}");
    let said = refusal.to_string();
    assert!(said.contains(&expected) && said.contains(&hex_sha256(&files.body)), "{said}");
    assert_eq!(place.downloaded(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_download_says_what_to_install_instead() {
    let place = Place::new();
    let files = Files::serve(archive(&[])).await;
    let mut options = files.options(&place);
    let moved = format!("http://ann:hunter2@{}/moved.tar.gz?token=hunter2", files.address);
    options.download.as_mut().unwrap().url = moved;
    let said = within(Embedded::start(options)).await.unwrap_err().to_string();
    assert!(said.contains("/moved.tar.gz") && !said.contains("hunter2"), "{said}");
    assert!(said.contains("404") && said.contains("apt-get install postgresql"), "{said}");

    let mut options = files.options(&place);
    options.download.as_mut().unwrap().url = "http://127.0.0.1:1/postgresql.tar.gz".to_owned();
    let said = within(Embedded::start(options)).await.unwrap_err().to_string();
    assert!(said.contains("refused") && said.contains("apt-get install postgresql"), "{said}");
    assert_eq!(place.downloaded(), Vec::<String>::new());

    let mut options = files.options(&place);
    options.download = None;
    let said = within(Embedded::start(options)).await.unwrap_err().to_string();
    assert!(said.contains("no PostgreSQL was found"), "{said}");
    assert!(said.contains("apt-get install postgresql") && said.contains("DATABASE_URL"), "{said}");
}

#[tokio::test]
async fn an_archive_cannot_write_outside_of_its_folder() {
    let place = Place::new();
    let files = Files::serve(archive(&[("../../escaped", "")])).await;
    let said = within(Embedded::start(files.options(&place))).await.unwrap_err().to_string();
    assert!(said.contains("escaped leads outside"), "{said}");
    assert!(!place.dir.join("escaped").exists() && !place.data.join("escaped").exists());
    assert_eq!(place.downloaded(), Vec::<String>::new());
}

#[tokio::test]
async fn a_downloaded_server_that_does_not_run_here_is_told_apart() {
    let place = Place::new();
    let broken = "#!/bin/sh\necho 'libxml2.so.2: cannot open shared object file' >&2\nexit 127\n";
    let files = Files::serve(archive(&[("postgresql-99.1-here/bin/postgres", broken)])).await;
    for _ in 0..2 {
        let refusal = within(Embedded::start(files.options(&place))).await.unwrap_err();
        assert!(matches!(refusal, Error::Unusable { .. }), "{refusal:?}");
        let said = refusal.to_string();
        assert!(said.contains("libxml2.so.2") && said.contains("apt-get install"), "{said}");
    }
    assert_eq!(files.served(), 1, "it was downloaded again");
}

/// A server of one file over HTTP, as far as a download needs it.
struct Files {
    address: SocketAddr,
    body: Arc<Vec<u8>>,
    served: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Files {
    async fn serve(body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (body, served) = (Arc::new(body), Arc::new(AtomicUsize::new(0)));
        let task = tokio::spawn({
            let (body, served) = (body.clone(), served.clone());
            async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    let found = request[..read].starts_with(b"GET /postgresql.tar.gz ");
                    served.fetch_add(usize::from(found), Ordering::Relaxed);
                    let (status, body) =
                        if found { ("200 OK", &body[..]) } else { ("404 Not Found", &[][..]) };
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(body).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self { address, body, served, task }
    }

    /// As if nothing were installed, with the right checksum.
    fn options(&self, place: &Place) -> Options {
        let mut options = place.options();
        options.bin_dir = None;
        options.installed = false;
        options.download = Some(Download {
            url: format!("http://{}/postgresql.tar.gz", self.address),
            sha256: hex_sha256(&self.body),
            version: "99.1".to_owned(),
        });
        options
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An archive of the usual shape, whose programs run those that are installed. `more` adds files,
/// or replaces some.
fn archive(more: &[(&str, &str)]) -> Vec<u8> {
    let bin_dir = installed_bin_dir();
    let mut files: Vec<(String, String)> = Vec::new();
    for program in ["postgres", "initdb", "pg_ctl"] {
        let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", bin_dir.join(program).display());
        files.push((format!("postgresql-99.1-here/bin/{program}"), script));
    }
    for (path, content) in more {
        files.retain(|(known, _)| known != path);
        files.push(((*path).to_owned(), (*content).to_owned()));
    }
    let zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(zipped);
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        // Written as it is: the usual way refuses paths that lead outside.
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        archive.append(&header, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Where the programs are that the other tests run, asked from outside.
fn installed_bin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("PG_BIN_DIR") {
        return PathBuf::from(dir);
    }
    let complete =
        |dir: &PathBuf| ["postgres", "initdb", "pg_ctl"].iter().all(|p| dir.join(p).exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let pg_config = Command::new("pg_config").arg("--bindir").output().ok();
    let told = pg_config.map(|output| String::from_utf8_lossy(&output.stdout).trim().into());
    let debian = names(Path::new("/usr/lib/postgresql"))
        .into_iter()
        .map(|version| format!("/usr/lib/postgresql/{version}/bin").into());
    let mut dirs = std::env::split_paths(&path).chain(told).chain(debian);
    dirs.find(complete).expect("PostgreSQL is installed; if it is elsewhere, set PG_BIN_DIR")
}

fn hex_sha256(bytes: &[u8]) -> String {
    let hex: Vec<_> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    hex.concat()
}
