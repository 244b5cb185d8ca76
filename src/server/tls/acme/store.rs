//! What is kept of an authority, in a folder of its own: the account's key, the certificate with its
//! key, and how the last attempts went.
//!
//! Guarantees: only the server's user can read it (0700, 0600); a file is the old or the new one, whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::certificate::Certificate;
use crate::base::secret::Secret;
use crate::clients::acme::Issued;

const ACCOUNT: &str = "account.json";
const ATTEMPTS: &str = "attempts.json";

/// The folder of one authority.
#[derive(Debug)]
pub(super) struct AcmeStore {
    folder: PathBuf,
    /// Chain and key in one file, so that they change together.
    certificate: PathBuf,
}

/// How the last attempts went. Times in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attempts {
    /// In a row.
    pub(super) failures: u32,
    /// Not before.
    pub(super) next_at: Option<i64>,
    pub(super) last_error: Option<String>,
    pub(super) last_error_at: Option<i64>,
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used; it must belong to the user that the server runs as", .path.display())]
pub struct StoreError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| StoreError { path, cause }
}

impl AcmeStore {
    /// The folder below `data_dir` for the authority at `directory`, made if it is not there. What one
    /// authority gave is not used for another: trying things out with staging leaves nothing behind.
    pub(super) fn open(
        data_dir: &Path,
        directory: &str,
        domains: &[String],
    ) -> Result<Self, StoreError> {
        let folder = data_dir.join("acme").join(folder_name(directory));
        let mut maker = fs::DirBuilder::new();
        maker.recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(at(&folder))?;
        // Other domains are another certificate.
        let mut sorted = domains.to_vec();
        sorted.sort_unstable();
        let hash = hex(&Sha256::digest(sorted.join(",")), 8);
        let certificate = folder.join(format!("certificate-{hash}.pem"));
        Ok(Self { folder, certificate })
    }

    /// The certificate that was issued last, whether or not it has expired. One that cannot be read is
    /// as good as none: the next is ordered.
    pub(super) fn certificate(&self) -> Result<Option<Certificate>, StoreError> {
        let Some(pem) = read(&self.certificate)? else { return Ok(None) };
        match Certificate::from_pem(&pem, &pem) {
            Ok(certificate) => Ok(Some(certificate)),
            Err(err) => {
                let path = self.certificate.display();
                tracing::error!(%path, problem = %err, "the stored certificate is not used");
                Ok(None)
            }
        }
    }

    pub(super) fn keep_certificate(&self, issued: &Issued) -> Result<(), StoreError> {
        let pem = format!("{}{}", issued.key_pem.expose(), issued.chain_pem);
        self.replace(&self.certificate, pem.as_bytes())
    }

    pub(super) fn account(&self) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        Ok(read(&self.folder.join(ACCOUNT))?.map(Secret::new))
    }

    pub(super) fn keep_account(&self, account: &Secret<Vec<u8>>) -> Result<(), StoreError> {
        self.replace(&self.folder.join(ACCOUNT), account.expose())
    }

    pub(super) fn forget_account(&self) -> Result<(), StoreError> {
        let path = self.folder.join(ACCOUNT);
        match fs::remove_file(&path) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(at(&path)(err)),
            _ => Ok(()),
        }
    }

    /// Nothing known is the same as nothing tried.
    pub(super) fn attempts(&self) -> Attempts {
        let bytes = read(&self.folder.join(ATTEMPTS)).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(super) fn keep_attempts(&self, attempts: &Attempts) -> Result<(), StoreError> {
        let path = self.folder.join(ATTEMPTS);
        let json = serde_json::to_vec(attempts).map_err(|err| at(&path)(err.into()))?;
        self.replace(&path, &json)
    }

    /// Writes beside and renames, each flushed.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let new = path.with_extension("new");
        let write = || {
            match fs::remove_file(&new) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
                _ => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(at(path))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(at(path)(err)),
    }
}

/// Its host, to be recognised by, and a hash of the whole address.
fn folder_name(directory: &str) -> String {
    let host = directory.split('/').nth(2).unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let host: String = host.chars().map(|c| if is_plain(&c) { c } else { '_' }).collect();
    format!("{host}-{}", hex(&Sha256::digest(directory), 4))
}

fn hex(bytes: &[u8], count: usize) -> String {
    bytes.iter().take(count).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

    fn issued(name: &str) -> Issued {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let chain_pem = params.self_signed(&key).unwrap().pem();
        Issued { chain_pem, key_pem: Secret::new(key.serialize_pem()) }
    }

    #[test]
    fn what_is_kept_comes_back_and_nobody_else_reads_it() {
        let data = TempDir::new().unwrap();
        let domains = ["b.example.com".to_owned(), "a.example.com".to_owned()];
        let store = AcmeStore::open(data.path(), STAGING, &domains).unwrap();
        assert!(store.certificate().unwrap().is_none() && store.account().unwrap().is_none());
        store.keep_account(&Secret::new(b"{}".to_vec())).unwrap();
        for name in ["a.example.com", "c.example.com"] {
            store.keep_certificate(&issued(name)).unwrap();
            assert_eq!(store.certificate().unwrap().unwrap().names(), [name]);
        }
        let attempts = Attempts { failures: 3, next_at: Some(7), ..Attempts::default() };
        store.keep_attempts(&attempts).unwrap();
        assert_eq!(store.attempts(), attempts);

        let folder = data.path().join("acme").join(folder_name(STAGING));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let mut files = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
            files += 1;
        }
        assert_eq!(files, 3, "nothing half-written is left");
    }

    #[test]
    fn other_domains_and_other_authorities_begin_anew() {
        let data = TempDir::new().unwrap();
        let one = ["a.example.com".to_owned()];
        let two = ["b.example.com".to_owned()];
        AcmeStore::open(data.path(), STAGING, &one)
            .unwrap()
            .keep_certificate(&issued("a.example.com"))
            .unwrap();
        let has = |directory: &str, domains: &[String]| {
            AcmeStore::open(data.path(), directory, domains)
                .unwrap()
                .certificate()
                .unwrap()
                .is_some()
        };
        assert!(has(STAGING, &one));
        assert!(!has(STAGING, &two));
        assert!(!has("https://acme-v02.api.letsencrypt.org/directory", &one));
    }

    #[test]
    fn a_damaged_file_is_no_reason_to_stop() {
        let data = TempDir::new().unwrap();
        let store = AcmeStore::open(data.path(), STAGING, &["a.example.com".to_owned()]).unwrap();
        fs::write(&store.certificate, b"-----BEGIN").unwrap();
        fs::write(store.folder.join(ATTEMPTS), b"{").unwrap();
        assert!(store.certificate().unwrap().is_none());
        assert_eq!(store.attempts(), Attempts::default());
    }
}
