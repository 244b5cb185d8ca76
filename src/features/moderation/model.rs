//! Opinions on texts and pictures, the words that are not allowed, what goes wrong.

mod matcher;
mod normal;

pub(super) use matcher::Matcher;
pub(super) use normal::normalised;

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::wechat::Verdict;
use crate::db::DbError;

/// What is thought of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// Nothing is wrong with it.
    Pass,
    /// A person should look, or nobody could be asked.
    Unsure,
    /// It is not to be had here.
    Reject,
}

/// What is thought of a picture at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureOpinion {
    Pass,
    /// A reviewer decides: WeChat is not sure, or did not say.
    Unsure,
    Reject,
}

/// A picture and the opinion that has just been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedPicture {
    pub image: i64,
    pub opinion: PictureOpinion,
    /// As WeChat numbers what is wrong; `None` without a verdict.
    pub label: Option<i64>,
}

/// Where a word was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As it was added to the list.
    pub word: String,
    /// The first of its characters in the text, from 0.
    pub start: usize,
    /// Behind the last.
    pub end: usize,
}

/// A word of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedWord {
    /// What texts are compared with; the key of the list.
    pub word: String,
    /// As it was added.
    pub text: String,
    pub added_by: String,
    pub added_at: UnixMillis,
}

/// What a change of the list did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordsChange {
    /// Added, or removed.
    pub changed: usize,
    /// Were there already, or were not there.
    pub unchanged: usize,
}

/// What is stored of a verdict on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TraceVerdict {
    Pass,
    Review,
    Risky,
    /// It could not be checked.
    Failed,
}

impl TraceVerdict {
    pub(super) const fn of(verdict: Option<Verdict>) -> Self {
        match verdict {
            Some(Verdict::Pass) => Self::Pass,
            Some(Verdict::Review) => Self::Review,
            Some(Verdict::Risky) => Self::Risky,
            None => Self::Failed,
        }
    }

    /// As it is stored.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Review => "REVIEW",
            Self::Risky => "RISKY",
            Self::Failed => "FAILED",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "PASS" => Self::Pass,
            "REVIEW" => Self::Review,
            "RISKY" => Self::Risky,
            _ => Self::Failed,
        }
    }
}

/// How far the check of a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckState {
    /// To be asked about.
    Wanted,
    /// The verdict is waited for.
    Asked,
    /// None came: a reviewer decides, unless one comes after all.
    Held,
    Decided,
}

impl CheckState {
    /// The table's CHECK admits verdicts besides.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "WANTED" => Self::Wanted,
            "ASKED" => Self::Asked,
            "HELD" => Self::Held,
            _ => Self::Decided,
        }
    }
}

/// The check of a picture.
#[derive(Clone, Debug)]
pub(super) struct MediaCheckRow {
    pub(super) image: i64,
    pub(super) user: UserId,
    pub(super) media_key: String,
    pub(super) state: CheckState,
    pub(super) attempts: u32,
}

/// Why nothing was checked or changed.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// Nothing is left of it when case, spacing and signs are taken away, or it is too long.
    #[error("`{0}` cannot be a word of the list")]
    Word(String),
    #[error("the list may have {0} words")]
    TooManyWords(usize),
    #[error("the words cannot be searched for")]
    Unsearchable(#[source] aho_corasick::BuildError),
    #[error(transparent)]
    Db(#[from] DbError),
}
