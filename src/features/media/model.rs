//! Whose pictures there are, which part of one is asked for, what goes wrong.

pub(super) mod picture;

use std::fmt;

use crate::base::cpu_pool::PoolError;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::fetch::FetchError;
use crate::clients::object_storage::{ObjectKey, StorageError};
use crate::db::DbError;

use self::picture::PictureError;

/// Who needs a picture. Stored: never change the forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder(String);

impl Holder {
    /// A generation, for its results.
    pub fn job(id: &str) -> Self {
        Self(format!("job:{id}"))
    }

    /// A user, for his uploads.
    pub fn user(id: UserId) -> Self {
        Self(format!("user:{id}"))
    }

    /// A picture of the gallery, for as long as it is there.
    pub fn gallery(image: i64) -> Self {
        Self(format!("gallery:{image}"))
    }

    /// As stored.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a result comes from, for its label.
#[derive(Clone, Debug)]
pub struct Provenance {
    pub job_id: String,
    /// Which of the job's pictures, from 0.
    pub index: u32,
}

/// A result as the image API gives it.
#[derive(Clone, Debug)]
pub enum Source {
    /// A link; it expires, so it is followed at once.
    Url(String),
    Bytes(Vec<u8>),
}

/// A stored result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    pub key: String,
    pub thumbnail_key: String,
    pub width: u32,
    pub height: u32,
    /// Size of the picture, without the thumbnail.
    pub bytes: u64,
}

/// A stored upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUpload {
    pub key: String,
    pub width: u32,
    pub height: u32,
}

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectRole {
    Result,
    Thumbnail,
    Upload,
}

impl ObjectRole {
    /// As stored.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Thumbnail => "thumbnail",
            Self::Upload => "upload",
        }
    }
}

/// An object as its row says.
#[derive(Clone, Debug)]
pub(super) struct ObjectRow {
    pub(super) key: ObjectKey,
    pub(super) role: ObjectRole,
    pub(super) bytes: i64,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Why a picture was not stored or not found.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("the picture cannot be fetched")]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("the picture has {0} bytes, which is more than allowed")]
    TooLarge(usize),
    /// The day's uploads are used up.
    #[error("too many uploads today")]
    UploadsUsedUp,
    #[error("no such picture")]
    NotFound,
    /// The same bytes are being removed just now.
    #[error("the same picture is being removed")]
    Removing,
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl MediaError {
    /// Whether the same call may work later. A damaged picture may have been cut on the way, or
    /// not yet be finished on the other side.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Fetch(err) => err.is_retryable(),
            Self::Picture(err) => {
                matches!(err, PictureError::Damaged(_) | PictureError::Cut | PictureError::Format)
            }
            Self::TooLarge(_) | Self::UploadsUsedUp | Self::NotFound => false,
            Self::Removing | Self::Pool(_) | Self::Storage(_) | Self::Db(_) => true,
        }
    }
}

const DAY_MS: i64 = 86_400_000;
const SHANGHAI_MS: i64 = 8 * 3_600_000;

/// When the calendar day of `now` began in Asia/Shanghai, which has no daylight saving.
pub(super) fn day_start(now: UnixMillis) -> UnixMillis {
    let local = now.0.saturating_add(SHANGHAI_MS);
    UnixMillis(local.div_euclid(DAY_MS).saturating_mul(DAY_MS).saturating_sub(SHANGHAI_MS))
}

/// What a `Range` header asks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: no range, several, or one that means nothing (RFC 9110 §14.2).
    Whole,
    /// From the first byte to the last, both included.
    Bytes { first: u64, last: u64 },
    /// Nothing of what there is.
    Beyond,
}

impl Part {
    /// Reads a `Range` header for an object of `len` bytes.
    pub(super) fn of(header: Option<&str>, len: u64) -> Self {
        let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else {
            return Self::Whole;
        };
        let Some((first, last)) = spec.trim().split_once('-') else { return Self::Whole };
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse());
        match (first, last) {
            ("", last) => match number(last) {
                // The last so many bytes.
                Some(Ok(0)) => Self::Beyond,
                Some(Ok(count)) if len > 0 => {
                    Self::Bytes { first: len.saturating_sub(count), last: len - 1 }
                }
                Some(Ok(_)) => Self::Beyond,
                Some(Err(_)) | None => Self::Whole,
            },
            (first, last) => {
                let (Some(Ok(first)), Some(last)) = (number(first), number(last)) else {
                    return Self::Whole;
                };
                // No end, or one too large to be a number: to the end.
                let last = last.unwrap_or(u64::MAX);
                match (first, last) {
                    (first, last) if last < first => Self::Whole,
                    (first, _) if first >= len => Self::Beyond,
                    (first, last) => Self::Bytes { first, last: last.min(len - 1) },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_nothing_else() {
        let of = |header: &str| Part::of(Some(header), 100);
        let bytes = |first, last| Part::Bytes { first, last };
        assert_eq!(Part::of(None, 100), Part::Whole);
        assert_eq!(of("bytes=0-0"), bytes(0, 0));
        assert_eq!(of("bytes=10-19"), bytes(10, 19));
        assert_eq!(of("bytes=90-"), bytes(90, 99));
        assert_eq!(of("bytes=90-1000"), bytes(90, 99));
        assert_eq!(of("bytes=90-99999999999999999999999"), bytes(90, 99));
        assert_eq!(of("bytes=-10"), bytes(90, 99));
        assert_eq!(of("bytes=-1000"), bytes(0, 99));
        for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(of(beyond), Part::Beyond, "{beyond}");
        }
        for whole in [
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=9-5",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "items=0-1",
            "bytes=+1-5",
            "bytes=-+5",
            "",
        ] {
            assert_eq!(of(whole), Part::Whole, "{whole}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai() {
        let midnight = UnixMillis(1_769_702_400_000);
        assert_eq!(day_start(midnight), midnight);
        assert_eq!(day_start(midnight.plus_millis(-1)), midnight.plus_millis(-DAY_MS));
        assert_eq!(day_start(midnight.plus_millis(DAY_MS - 1)), midnight);
    }
}
