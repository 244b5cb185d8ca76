//! A certificate in two files, which some other program renews.
//!
//! Guarantees: a change is taken only when it has settled, since two files cannot be exchanged at once;
//! what cannot be served is not taken.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tokio::task::spawn_blocking;

use super::certificate::{BadCertificate, Certificate};
use crate::base::time::UnixMillis;
use crate::config::{Config, ConfigError};

/// No chain is larger.
const MAX_BYTES: u64 = 1024 * 1024;

/// Anybody on the machine may read.
const READABLE_BY_OTHERS: u32 = 0o004;

/// Where certificate and key are, and what was seen there last.
pub(super) struct CertificateFiles {
    paths: Paths,
    seen: Mutex<Seen>,
}

#[derive(Clone)]
struct Paths {
    certificate: PathBuf,
    key: PathBuf,
    /// Whom the certificate must be for.
    host: Option<String>,
}

struct Seen {
    /// What was loaded, or found bad.
    taken: Fingerprint,
    /// What it was at the last look.
    last: Fingerprint,
}

/// What changes when a file does: folder entries are exchanged or written into. Of both files.
type Fingerprint = [Option<(u64, u64, i64, i64, u64)>; 2];

/// Why the files cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadFile {
    #[error("cannot be read: {0}")]
    Certificate(#[source] io::Error),
    #[error("cannot be read: {0}")]
    Key(#[source] io::Error),
    #[error(transparent)]
    Bad(#[from] BadCertificate),
}

impl CertificateFiles {
    /// Those that `config` names, if it does.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let (certificate, key) = config.tls_files()?;
        let host = config.public_host();
        let paths = Paths { certificate, key, host };
        let now = paths.fingerprint();
        Some(Self { paths, seen: Mutex::new(Seen { taken: now, last: now }) })
    }

    /// Reads and checks them. Blocks.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn load(&self, now: UnixMillis) -> Result<Certificate, BadFile> {
        self.paths.load(now)
    }

    /// The same beside the runtime. Whatever comes of it, these files are not looked at again until they
    /// change.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn load_anew(&self, now: UnixMillis) -> Result<Certificate, BadFile> {
        let paths = self.paths.clone();
        let loaded = spawn_blocking(move || (paths.fingerprint(), paths.load(now))).await;
        let (print, loaded) = loaded.map_err(|err| BadFile::Certificate(io::Error::other(err)))?;
        *self.seen.lock() = Seen { taken: print, last: print };
        loaded
    }

    /// Whether they are others than those taken, and the same as at the last look.
    pub(super) async fn have_settled_anew(&self) -> bool {
        let paths = self.paths.clone();
        let Ok(print) = spawn_blocking(move || paths.fingerprint()).await else { return false };
        let mut seen = self.seen.lock();
        let is_settled = print == seen.last;
        seen.last = print;
        is_settled && print != seen.taken
    }

    /// `err` as a line for the operator.
    pub(super) fn as_config_error(&self, err: &BadFile) -> ConfigError {
        let is_key = match err {
            BadFile::Certificate(_) => false,
            BadFile::Key(_) => true,
            BadFile::Bad(bad) => bad.is_about_the_key(),
        };
        let (variable, path, example) = match is_key {
            true => ("TLS_KEY_PATH", &self.paths.key, "/etc/dream-bff/tls/privkey.pem"),
            false => ("TLS_CERT_PATH", &self.paths.certificate, "/etc/dream-bff/tls/fullchain.pem"),
        };
        let problem = format!("({}) {err}", path.display());
        ConfigError::wrong(variable, &problem, &format!("{variable}={example}"))
    }
}

impl Paths {
    fn fingerprint(&self) -> Fingerprint {
        [&self.certificate, &self.key].map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
        })
    }

    fn load(&self, now: UnixMillis) -> Result<Certificate, BadFile> {
        let (chain, _) = read(&self.certificate).map_err(BadFile::Certificate)?;
        let (key, mode) = read(&self.key).map_err(BadFile::Key)?;
        let certificate = Certificate::from_pem(&chain, &key)?;
        certificate.check(now, self.host.as_deref())?;
        if mode & READABLE_BY_OTHERS != 0 {
            let shown = self.key.display();
            let warning = format!("anybody on this machine may read the key: chmod o= {shown}");
            return Ok(certificate.warn(warning));
        }
        Ok(certificate)
    }
}

/// The file and its mode.
fn read(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}
