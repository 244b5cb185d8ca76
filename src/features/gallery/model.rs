//! Pictures of the gallery, what may become of them, how they are ranked, what goes wrong.

mod category;
mod hot;
mod search;
mod tags;

pub use category::CategoryRecord;
pub use hot::hot_score;
pub(super) use search::SearchQuery;
pub use search::SearchTerms;
pub(super) use tags::{normalised, single_tag};

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::idempotency::IdempotencyError;
use crate::features::moderation::ModerationError;

/// Where a picture stands: `PENDING → APPROVED | REJECTED`, `APPROVED ⇄ HIDDEN`. Only `APPROVED` ones
/// are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStatus {
    /// Waits for a review.
    Pending,
    Approved,
    Rejected,
    /// Was public and may be again.
    Hidden,
}

impl ImageStatus {
    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Hidden => "HIDDEN",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "APPROVED" => Self::Approved,
            "REJECTED" => Self::Rejected,
            "HIDDEN" => Self::Hidden,
            _ => Self::Pending,
        }
    }

    /// What a decision makes of it; `None` when there is nothing to decide.
    pub const fn after(self, decision: &Decision) -> Option<Self> {
        match (self, decision) {
            (Self::Pending | Self::Rejected, Decision::Approve)
            | (Self::Hidden, Decision::Restore) => Some(Self::Approved),
            (Self::Pending | Self::Approved | Self::Hidden, Decision::Reject(_)) => {
                Some(Self::Rejected)
            }
            (Self::Approved, Decision::Hide(_)) => Some(Self::Hidden),
            _ => None,
        }
    }
}

/// What a reviewer makes of a picture. The reasons are shown to its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A held or rejected one becomes public.
    Approve,
    /// It was never fit to be public.
    Reject(String),
    /// A public one is taken off the lists.
    Hide(String),
    /// A hidden one comes back to where it was.
    Restore,
}

impl Decision {
    /// The reason that is kept with the picture.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Approve | Self::Restore => None,
            Self::Reject(reason) | Self::Hide(reason) => Some(reason),
        }
    }
}

/// Why a picture is hidden that nobody has decided on: enough users reported it.
pub(super) const REPORTED: &str = "reported";

/// Why a picture is rejected that nobody has decided on: WeChat finds something in it.
pub(super) const CHECK_SAYS_NO: &str = "content_check";

/// Why a picture is hidden whose author is banned; what is hidden for it comes back with him.
pub(super) const AUTHOR_BANNED: &str = "author_banned";

/// What a check says about a picture before it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is public at once.
    Pass,
    /// A reviewer decides.
    Hold,
    /// It is public when WeChat finds nothing in the picture.
    CheckPicture,
    /// It is not taken at all.
    Reject,
}

/// Whose picture it is, as everybody may see him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Author {
    pub(super) id: UserId,
    pub(super) nick_name: Option<String>,
    pub(super) avatar_url: Option<String>,
}

/// A picture as it is shown. `image` and `thumbnail` are keys of the media storage, or addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub(super) id: i64,
    /// The place in the order of publication; `None` while it was never public.
    pub(super) seq: Option<i64>,
    pub(super) hot: i64,
    pub(super) image: Picture,
    pub(super) thumbnail: Picture,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) prompt: String,
    pub(super) category_id: String,
    pub(super) category_name: String,
    pub(super) tags: Vec<String>,
    pub(super) likes: i64,
    pub(super) status: ImageStatus,
    pub(super) status_reason: Option<String>,
    /// As stored, also when `author` is gone.
    pub(super) author_id: Option<UserId>,
    pub(super) author: Option<Author>,
    pub(super) created_at: UnixMillis,
    pub(super) published_at: Option<UnixMillis>,
}

impl Image {
    /// Its id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Where it stands.
    pub fn status(&self) -> ImageStatus {
        self.status
    }

    /// Whether everybody may see it.
    pub fn is_public(&self) -> bool {
        self.status == ImageStatus::Approved
    }
}

/// Where a picture lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    /// In our media storage.
    Key(String),
    /// Elsewhere.
    Url(String),
}

/// What one user has to do with a picture, and its likes as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub(super) id: i64,
    pub(super) likes: i64,
    pub(super) is_liked: bool,
    pub(super) is_favorited: bool,
}

/// A picture with what the caller has to do with it.
#[derive(Clone, Debug)]
pub struct MarkedImage {
    pub(super) image: Image,
    pub(super) marks: Marks,
}

impl MarkedImage {
    /// The picture's id.
    pub fn id(&self) -> i64 {
        self.image.id
    }
}

/// The order of a public list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// The newest first.
    New,
    /// The highest [`hot_score`] first.
    Hot,
}

/// Which pictures a public list shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Filter {
    pub(super) sort: Sort,
    pub(super) category: Option<String>,
    pub(super) author: Option<i64>,
    /// Normalised.
    pub(super) tag: Option<String>,
    pub(super) q: Option<String>,
}

impl Filter {
    /// What the search index is asked; `None` when a plain index serves the list.
    pub(super) fn search(&self) -> Option<SearchQuery> {
        let is_plain = self.tag.is_none()
            && self.q.is_none()
            && (self.category.is_none() || self.author.is_none());
        (!is_plain).then(|| SearchQuery::of(self))
    }

    /// Whether its total is counted by looking, up to a bound.
    pub(super) fn is_counted(&self) -> bool {
        self.tag.is_some() || self.q.is_some()
    }
}

/// A picture to be published.
#[derive(Clone, Debug)]
pub(super) struct NewImage {
    pub(super) author: UserId,
    pub(super) job_id: String,
    pub(super) job_index: i64,
    pub(super) image_key: String,
    pub(super) image_url: String,
    pub(super) thumbnail_key: String,
    pub(super) thumbnail_url: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) prompt: String,
    pub(super) tags: Vec<String>,
    pub(super) category: String,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) id: i64,
    pub(super) status: ImageStatus,
    pub(super) published_at: Option<UnixMillis>,
}

/// How a picture is divided from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Category {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) icon: String,
}

/// Whether the caller likes a picture now, and how many do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Liked {
    pub(super) is_liked: bool,
    pub(super) total: i64,
}

/// What a user says is wrong with a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub id: i64,
    pub image: i64,
    pub user: UserId,
    pub reason: String,
    pub detail: Option<String>,
    pub created_at: UnixMillis,
}

/// Why something did not happen to a picture.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    #[error("there is no such picture for this user")]
    NotFound,
    #[error("there is no such job of this user")]
    JobNotFound,
    #[error("the job has no pictures (yet)")]
    JobUnfinished,
    #[error("the job's picture is not kept any more")]
    PictureGone,
    /// Names the field.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    #[error("there is a category of this id already")]
    CategoryExists,
    #[error("there is no such category")]
    CategoryNotFound,
    #[error("there are pictures in the category")]
    CategoryInUse,
    #[error("there are as many categories as there may be")]
    TooManyCategories,
    /// Somebody else changed it since the caller read it.
    #[error("it was changed meanwhile")]
    Outdated,
    #[error("the check says no")]
    Rejected,
    #[error("the picture is somebody else's")]
    Forbidden,
    #[error("this cannot be decided about a picture that is {0:?}")]
    Undecidable(ImageStatus),
    #[error("the picture cannot be checked")]
    Check(#[source] ModerationError),
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ImageStatus; 4] =
        [ImageStatus::Pending, ImageStatus::Approved, ImageStatus::Rejected, ImageStatus::Hidden];

    #[test]
    fn only_what_can_be_decided_is() {
        use ImageStatus::{Approved, Hidden, Pending, Rejected};
        let after = |decision: Decision| ALL.map(|status| status.after(&decision));
        assert_eq!(after(Decision::Approve), [Some(Approved), None, Some(Approved), None]);
        let rejected = [Some(Rejected), Some(Rejected), None, Some(Rejected)];
        assert_eq!(after(Decision::Reject("x".to_owned())), rejected);
        assert_eq!(after(Decision::Hide("x".to_owned())), [None, Some(Hidden), None, None]);
        assert_eq!(after(Decision::Restore), [None, None, None, Some(Approved)]);
        assert_eq!(Pending.after(&Decision::Restore), None);
    }

    #[test]
    fn a_status_comes_back_as_it_went() {
        for status in ALL {
            assert_eq!(ImageStatus::from_stored(status.as_str()), status);
        }
    }

    #[test]
    fn two_filters_or_words_need_the_search_index() {
        let plain = Filter { sort: Sort::New, category: None, author: None, tag: None, q: None };
        let with = |change: fn(&mut Filter)| {
            let mut filter = plain.clone();
            change(&mut filter);
            (filter.search().is_some(), filter.is_counted())
        };
        assert_eq!(with(|_| {}), (false, false));
        assert_eq!(with(|f| f.category = Some("a".to_owned())), (false, false));
        assert_eq!(with(|f| f.author = Some(1)), (false, false));
        assert_eq!(
            with(|f| (f.author, f.category) = (Some(1), Some("a".to_owned()))),
            (true, false)
        );
        assert_eq!(with(|f| f.tag = Some("a".to_owned())), (true, true));
        assert_eq!(with(|f| f.q = Some("a".to_owned())), (true, true));
    }
}
