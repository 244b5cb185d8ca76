//! `/announcement`.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use crate::app::App;
use crate::features::settings;
use crate::features::settings::AnnouncementLevel;
use crate::http::{ApiError, Tag};

/// How an announcement is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum Level {
    Info,
    Warning,
}

/// What everybody is told.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Announcement {
    title: String,
    text: String,
    level: Level,
    /// A page of the mini-program that it opens.
    page: Option<String>,
    /// When it is not told any more.
    ends_at: Option<String>,
}

/// The announcement that holds now.
#[derive(Debug, Object)]
struct CurrentAnnouncement {
    /// Null when there is nothing to be told.
    announcement: Option<Announcement>,
}

/// The announcement.
pub struct AnnouncementsApi {
    pub app: Arc<App>,
}

#[OpenApi(tag = "Tag::Messages")]
impl AnnouncementsApi {
    /// What everybody is told
    ///
    /// The announcement that holds now, if there is one. Needs no login.
    #[oai(path = "/announcement", method = "get", operation_id = "getAnnouncement")]
    async fn get(&self) -> Result<Json<CurrentAnnouncement>, ApiError> {
        let settings = settings::service::current(&self.app);
        let told = &settings.announcement;
        let announcement = told.holds(self.app.clock.now()).then(|| Announcement {
            title: told.title.clone(),
            text: told.text.clone(),
            level: match told.level {
                AnnouncementLevel::Info => Level::Info,
                AnnouncementLevel::Warning => Level::Warning,
            },
            page: Some(told.page.clone()).filter(|page| !page.is_empty()),
            ends_at: told.ends_at.clone(),
        });
        Ok(Json(CurrentAnnouncement { announcement }))
    }
}
