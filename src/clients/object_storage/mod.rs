//! Where pictures lie: a folder of this machine, or S3-compatible storage.
//!
//! Guarantees: an object is there whole or not at all; putting the same bytes twice is the same as
//! once, and so is deleting twice, so both may be repeated after any failure.

mod key;
mod local;
mod s3;

use std::fs::File;
use std::io;
use std::pin::Pin;

pub use self::key::{BadKey, ObjectKey, ObjectKind};
pub use self::local::{FILE_MODE, FOLDER_MODE, LocalStorage};
pub use self::s3::archive::{Archive, Listed};
pub use self::s3::{S3Settings, S3Storage};
use super::call_stats::CallState;
use super::http::CallError;

/// What readers may keep, for how long: a key names its bytes, so for ever.
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// An answer on its way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;

/// A place for objects that never change.
pub trait ObjectStorage: Send + Sync {
    /// Stores `bytes` under their key. On disk, or at the other side's word, when it answers.
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: Vec<u8>) -> Pending<'a, ()>;

    /// The whole object; `None` when there is none.
    fn get<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Vec<u8>>>;

    /// A way to read the object that does not hold it in memory; `None` when there is none, as far
    /// as can be said without asking the other side.
    fn open<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Opened>>;

    /// Removes the object, if it is there.
    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, ()>;

    /// What became of the calls so far, where calls are made.
    fn calls(&self) -> Option<CallState>;
}

/// A way to read an object.
#[derive(Debug)]
pub enum Opened {
    /// A file of this machine and its size in bytes.
    File(File, u64),
    /// An address that works for a few minutes for whoever knows it.
    Elsewhere(String),
}

/// Why the storage did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("a file for the storage cannot be used")]
    Io(#[from] io::Error),
    #[error("the object storage cannot be reached")]
    Call(#[source] CallError),
    /// The object storage said no; `code` is its own word for it.
    #[error("the object storage answered {status} {code}")]
    Refused { status: u16, code: String },
    /// It answered something that none of its kind answers.
    #[error("the answer of the object storage was not understood")]
    NotUnderstood,
    /// What it has is not what was sent.
    #[error("the object storage has {stored:?} bytes of {wanted}")]
    OtherSize { wanted: u64, stored: Option<u64> },
}
