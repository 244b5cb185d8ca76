//! The manifest: what a backup holds, as it was found when the backup was made and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::BackupName;

/// What this program writes and reads.
pub(in crate::features::backups) const FORMAT: u32 = 1;

/// Lies beside the backup as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// `FORMAT`.
    pub dream_bff_backup: u32,
    /// Its name.
    pub name: String,
    /// RFC 3339.
    pub taken_at: String,
    /// Version of the program that made it.
    pub program: String,
    /// Schema version of the database.
    pub schema: i64,
    /// The compressed database, and below it the same decompressed.
    pub database: FileSum,
    pub plain: FileSum,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// What the check of the books found in it.
    pub books: Books,
    /// The pictures that belong to it.
    pub media: MediaList,
}

/// A file to be recognised by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The books in a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Books {
    pub users: i64,
    pub wrong_users: i64,
    pub paid_orders: i64,
    pub wrong_money: i64,
}

impl Books {
    /// Whether nothing is wrong.
    pub fn is_balanced(&self) -> bool {
        self.wrong_users == 0 && self.wrong_money == 0
    }
}

/// The pictures that a backup's database names, listed in a file of its own: one line each, its key (which
/// is its SHA-256) and its size in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaList {
    /// `local` or `s3`.
    pub storage: String,
    pub files: u64,
    /// Of all pictures together.
    pub bytes: u64,
    /// The compressed list.
    pub list: FileSum,
    /// Whether the pictures themselves were kept with the backups.
    pub is_kept: bool,
}

impl Manifest {
    /// Reads a manifest that is called `file`. `None` for what is none of ours.
    pub fn read(file: &str, text: &[u8]) -> Option<(BackupName, Self)> {
        let name = BackupName::parse(file.strip_suffix(".json")?)?;
        let manifest: Self = serde_json::from_slice(text).ok()?;
        let fits = manifest.dream_bff_backup == FORMAT && manifest.name == name.to_string();
        fits.then_some((name, manifest))
    }

    /// Its size with its list, in bytes.
    pub fn bytes(&self) -> u64 {
        self.database.bytes.saturating_add(self.media.list.bytes)
    }
}
