//! `/settings`: everything an operator tunes while the server runs, with what it may be, and changing it.
//! The announcement is a section with a path of its own, for it is content.

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};

use super::AdminTag;
use super::auth::{Content, Operator, Viewer};
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::admin::model::{AdminError, Role};
use crate::features::audit::Actor;
use crate::features::settings::service::SettingsWish;
use crate::features::settings::{
    self, Field, FieldKind, Section, Settings, SettingsError, describe, section_version,
};
use crate::http::{ApiError, ErrorCode, JsonBody};

/// A setting: what it is called, what it may be, what it is.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct SettingField {
    /// Its place in the section, such as `prices.draft.1K`.
    path: String,
    /// `integer`, `integers`, `boolean`, `text`, `secret`, `time`, `choice` or `pairs`.
    kind: String,
    /// Whether null is a value.
    optional: bool,
    /// Of a number, and of each of a list.
    min: Option<i64>,
    max: Option<i64>,
    /// Characters of a text, and members of a list, at most.
    max_length: Option<i64>,
    /// Of a choice.
    choices: Vec<String>,
    /// What it is counted in; empty where that says nothing.
    unit: String,
    zh: String,
    en: String,
    default: Value,
    current: Value,
}

/// A section of the settings.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct SettingsSection {
    key: String,
    /// Names the section as it is; to be sent with a change.
    version: String,
    /// Null where nothing was ever changed.
    updated_at: Option<String>,
    updated_by: Option<String>,
    fields: Vec<SettingField>,
}

/// All sections.
#[derive(Debug, Object)]
struct AllSettings {
    sections: Vec<SettingsSection>,
}

/// A change of a section.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ChangeSettingsRequest {
    /// The members that change: objects member by member, all else (lists too) as a whole.
    change: Value,
    /// The version that the change was made from.
    #[oai(validator(min_length = 1, max_length = 64))]
    version: String,
    /// Only says what would change.
    #[oai(default)]
    dry_run: bool,
    /// Why, for the audit log.
    #[oai(validator(max_length = 200))]
    reason: Option<String>,
}

/// What a change does to one setting.
#[derive(Debug, Object)]
struct SettingChange {
    path: String,
    before: Value,
    after: Value,
}

/// What changed, or would change in a dry run.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ChangedSettings {
    dry_run: bool,
    changes: Vec<SettingChange>,
    /// The section as it is now.
    section: SettingsSection,
}

/// The settings.
pub(super) struct SettingsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/settings", tag = "AdminTag::Settings")]
impl SettingsApi {
    /// See all settings
    ///
    /// With what each may be, its default and what holds now.
    #[oai(path = "/", method = "get", operation_id = "getSettings")]
    async fn all(&self, _admin: Viewer) -> Result<Json<AllSettings>, ApiError> {
        let sections = Section::ALL.iter().map(|section| shown(&self.app, *section));
        Ok(Json(AllSettings { sections: sections.collect::<Result<_, _>>()? }))
    }

    /// Change a section
    ///
    /// Holds at once. The sections `payment`, `alerts` and `limits` are for owners. Errors:
    /// `INVALID_REQUEST` naming the setting; `INVALID_STATE` when somebody else changed the section meanwhile; `NOT_FOUND` for no section.
    #[oai(path = "/:section", method = "put", operation_id = "changeSettings")]
    async fn change(
        &self,
        admin: Operator,
        section: Path<String>,
        body: JsonBody<ChangeSettingsRequest>,
    ) -> Result<Json<ChangedSettings>, ApiError> {
        let section = Section::by_key(&section.0).ok_or(ErrorCode::NotFound)?;
        // Which account the money goes to hangs on the one, the next holds secrets, and the last keeps
        // attackers out.
        if matches!(section, Section::Payment | Section::Alerts | Section::Limits)
            && !admin.role.includes(Role::Owner)
        {
            return Err(AdminError::Forbidden(Role::Owner).into());
        }
        change(&self.app, section, body.0, admin.actor()).await.map(Json)
    }
}

/// The announcement.
pub(super) struct AnnouncementApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/announcement", tag = "AdminTag::Content")]
impl AnnouncementApi {
    /// See the announcement
    ///
    /// With what each part of it may be.
    #[oai(path = "/", method = "get", operation_id = "getAdminAnnouncement")]
    async fn get(&self, _admin: Viewer) -> Result<Json<SettingsSection>, ApiError> {
        shown(&self.app, Section::Announcement).map(Json)
    }

    /// Change the announcement
    ///
    /// Holds at once. Errors: as of changing a section.
    #[oai(path = "/", method = "put", operation_id = "changeAnnouncement")]
    async fn change(
        &self,
        admin: Content,
        body: JsonBody<ChangeSettingsRequest>,
    ) -> Result<Json<ChangedSettings>, ApiError> {
        change(&self.app, Section::Announcement, body.0, admin.actor()).await.map(Json)
    }
}

async fn change(
    app: &App,
    section: Section,
    wish: ChangeSettingsRequest,
    actor: Actor,
) -> Result<ChangedSettings, ApiError> {
    let ChangeSettingsRequest { change, version, dry_run, reason } = wish;
    let wish = SettingsWish { section, change, version, is_dry_run: dry_run, actor, reason };
    let done = settings::service::change_as(app, wish).await?;
    let changes = describe(section).into_iter().filter_map(|field| {
        let [before, after] = [&done.before, &done.after].map(|of| at(of, &field.path));
        (before != after).then_some(SettingChange { path: field.path, before, after })
    });
    Ok(ChangedSettings { dry_run, changes: changes.collect(), section: shown(app, section)? })
}

fn shown(app: &App, section: Section) -> Result<SettingsSection, ApiError> {
    let current = settings::service::current(app).section(section);
    let default = Settings::default().section(section);
    let last = settings::service::last_change(app, section)?;
    let (updated_at, updated_by) = last.unzip();
    let fields = describe(section).into_iter().map(|field| setting(field, &default, &current));
    Ok(SettingsSection {
        key: section.key().to_owned(),
        version: section_version(&current),
        updated_at: updated_at.map(UnixMillis::rfc3339),
        updated_by,
        fields: fields.collect(),
    })
}

fn setting(field: Field, default: &Value, current: &Value) -> SettingField {
    let Field { path, kind, unit, zh, en } = field;
    let count = |len: usize| i64::try_from(len).ok();
    let none = (None, None, None);
    let (name, optional, (min, max, max_length)) = match kind {
        FieldKind::Whole { min, max, is_optional } => {
            ("integer", is_optional, (Some(min), Some(max), None))
        }
        FieldKind::Wholes { min, max, most } => {
            ("integers", false, (Some(min), Some(max), count(most)))
        }
        FieldKind::YesOrNo => ("boolean", false, none),
        FieldKind::Text { min, max, is_optional } => {
            ("text", is_optional, (count(min), None, count(max)))
        }
        FieldKind::Secret { max } => ("secret", false, (None, None, count(max))),
        FieldKind::Time => ("time", true, none),
        FieldKind::Choice(_) => ("choice", false, none),
        FieldKind::Pairs { most } => ("pairs", false, (None, None, count(most))),
    };
    let choices = match kind {
        FieldKind::Choice(choices) => choices.iter().map(|&choice| choice.to_owned()).collect(),
        _ => Vec::new(),
    };
    SettingField {
        kind: name.to_owned(),
        optional,
        min,
        max,
        max_length,
        choices,
        unit: unit.to_owned(),
        zh: zh.to_owned(),
        en: en.to_owned(),
        default: at(default, &path),
        current: at(current, &path),
        path,
    }
}

/// What stands at a place of a section.
fn at(section: &Value, path: &str) -> Value {
    let found = path.split('.').try_fold(section, |value, name| value.get(name));
    found.cloned().unwrap_or(json!(null))
}

impl From<SettingsError> for ApiError {
    fn from(err: SettingsError) -> Self {
        match err {
            SettingsError::Invalid { field, problem } => {
                let zh = format!("设置 {field} 不正确：{problem}");
                let en = format!("The setting {field} is not valid: {problem}");
                Self::invalid_field(&field).message(zh, en)
            }
            SettingsError::Outdated => Self::outdated(),
            SettingsError::Db(err) => err.into(),
        }
    }
}
