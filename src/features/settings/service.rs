//! Reading settings, which costs nothing, and changing them.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use super::model::{Section, Settings, SettingsChange, SettingsError, section_version};
use super::store;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};

/// The settings in force. Defaults until [`load`].
#[derive(Default)]
struct InForce {
    settings: RwLock<Arc<Settings>>,
    checks: RwLock<Vec<Check>>,
    /// Held while reading the table and putting the result in force, so that of two changes the one
    /// that reads later, and hence sees more, is also the one that stays.
    reading: Mutex<()>,
}

/// What settings must fulfil besides, when this section is changed: for what only a later feature
/// knows.
pub type Check = fn(Section, &Settings) -> Result<(), SettingsError>;

/// Has every change checked by `check` too. To be called before serving.
pub fn also_check(app: &App, check: Check) {
    app.states.get::<InForce>().checks.write().push(check);
}

/// The settings in force: a snapshot for one request.
pub fn current(app: &App) -> Arc<Settings> {
    Arc::clone(&app.states.get::<InForce>().settings.read())
}

/// Puts what is stored in force. To be called before serving.
///
/// # Errors
/// What the database fails with; what was in force stays.
pub fn load(app: &App) -> Result<(), DbError> {
    let in_force = app.states.get::<InForce>();
    let _reading = in_force.reading.lock();
    let settings = app.db.read_inline("settings.load", stored)?;
    app.limits.change(settings.limits.changes());
    *in_force.settings.write() = Arc::new(settings);
    Ok(())
}

/// Changes one section and puts it in force: the members that `change` names, objects member by
/// member. `by` is who did it.
///
/// # Errors
/// `Invalid` naming the field; nothing has changed then. What the database fails with.
pub async fn change(
    app: &App,
    section: Section,
    change: Value,
    by: &str,
) -> Result<SettingsChange, SettingsError> {
    let now = app.clock.now();
    let by = by.to_owned();
    let checks = app.states.get::<InForce>().checks.read().clone();
    let done = app
        .db
        .write("settings.change", move |tx| {
            // From what is stored, not from memory: two changes at once must both stay.
            let mut settings = stored(tx)?;
            let done = settings.change(section, &change)?;
            checks.iter().try_for_each(|check| check(section, &settings))?;
            store::put(tx, section, &settings.stored(section).to_string(), &by, now)?;
            Ok::<_, SettingsError>(done)
        })
        .await?;
    load(app)?;
    Ok(done)
}

/// A change that an administrator wants.
#[derive(Clone, Debug)]
pub struct SettingsWish {
    pub section: Section,
    /// The members that change, as [`change`] takes them.
    pub change: Value,
    /// The [`section_version`] that he saw.
    pub version: String,
    /// Only says what would change.
    pub is_dry_run: bool,
    pub actor: Actor,
    pub reason: Option<String>,
}

/// The same as [`change`] by an administrator, with the entry in the audit log that tells of it.
///
/// # Errors
/// `Invalid` naming the field, `Outdated` when the section is another than he saw; nothing has changed
/// then. What the database fails with.
pub async fn change_as(app: &App, wish: SettingsWish) -> Result<SettingsChange, SettingsError> {
    let now = app.clock.now();
    let checks = app.states.get::<InForce>().checks.read().clone();
    let SettingsWish { section, change, version, is_dry_run, actor, reason } = wish;
    let decide = move |tx: &Tx<'_>| -> Result<(SettingsChange, Value), SettingsError> {
        let mut settings = stored(tx)?;
        if section_version(&settings.section(section)) != version {
            return Err(SettingsError::Outdated);
        }
        let done = settings.change(section, &change)?;
        checks.iter().try_for_each(|check| check(section, &settings))?;
        // What is shown and noted has its secrets covered; what is stored has them.
        Ok((done, settings.stored(section)))
    };
    if is_dry_run {
        return app.db.read_inline("settings.try_change", decide).map(|(done, _)| done);
    }
    let done = app
        .db
        .write("settings.change_as", move |tx| {
            let (done, stored) = decide(tx)?;
            store::put(tx, section, &stored.to_string(), &actor.to_string(), now)?;
            let entry = AuditEntry {
                actor,
                action: "settings.changed",
                object: format!("settings:{}", section.key()),
                before: done.before.clone(),
                after: json!({ "section": done.after, "reason": reason }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, SettingsError>(done)
        })
        .await?;
    load(app)?;
    Ok(done)
}

/// When a section was last changed, and by whom; `None` where the defaults hold.
///
/// # Errors
/// What the database fails with.
pub fn last_change(app: &App, section: Section) -> Result<Option<(UnixMillis, String)>, DbError> {
    app.db.read_inline("settings.last_change", |tx| store::last_change(tx, section))
}

/// What is stored, over the defaults.
fn stored(tx: &Tx<'_>) -> Result<Settings, DbError> {
    let mut settings = Settings::default();
    for row in store::all(tx)? {
        let Some(section) = Section::by_key(&row.key) else {
            tracing::warn!(settings.key = row.key, "unknown settings are ignored");
            continue;
        };
        let loaded = serde_json::from_str(&row.json)
            .map_err(|err| SettingsError::invalid("section", err.to_string()))
            .and_then(|json: Value| settings.load(section, &json));
        if let Err(err) = loaded {
            let error = err.to_string();
            tracing::error!(
                settings.key = row.key,
                error,
                "stored settings are not valid; the defaults hold until they are changed"
            );
        }
    }
    Ok(settings)
}
