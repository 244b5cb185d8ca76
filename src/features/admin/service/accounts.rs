//! Administrators: making them, changing them, their passwords.

use serde_json::json;

use super::login::{self, Proof};
use crate::app::App;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::db::{Db, Tx};
use crate::features::admin::model::{
    AdminAccount, AdminChange, AdminError, AdminId, CurrentAdmin, NewPassword, Role, normal_name,
    password,
};
use crate::features::admin::store;
use crate::features::audit::{self, Actor, AuditEntry};

/// All administrators, the first made first.
///
/// # Errors
/// What the database fails with.
pub async fn list(app: &App) -> Result<Vec<AdminAccount>, AdminError> {
    Ok(app.db.read("admin.list", store::all).await?)
}

/// A new administrator, with a password that is drawn for him.
///
/// # Errors
/// `BadName`, `NameTaken`; `Pool` when too many passwords are being hashed; what the database fails with.
pub async fn create(
    app: &App,
    by: &CurrentAdmin,
    username: &str,
    role: Role,
) -> Result<(AdminAccount, NewPassword), AdminError> {
    let now = app.clock.now();
    let username = normal_name(username)?;
    let drawn = password::draw(&app.rng);
    let hash = hash(app, drawn.clone()).await?;
    let actor = by.actor();
    let account = app
        .db
        .write("admin.create", move |tx| {
            let id = insert(tx, &username, role, &hash, actor, now)?;
            store::by_id(tx, id)?.ok_or(AdminError::NotFound)
        })
        .await?;
    Ok((account, NewPassword(drawn)))
}

/// Changes role or standing. Whoever is disabled is logged out everywhere.
///
/// # Errors
/// `NotFound`; `LastOwner` when nobody would be left who may do this; what the database fails with.
pub async fn change(
    app: &App,
    by: &CurrentAdmin,
    id: AdminId,
    change: AdminChange,
) -> Result<AdminAccount, AdminError> {
    let now = app.clock.now();
    let actor = by.actor();
    app.db
        .write("admin.change", move |tx| {
            let before = store::by_id(tx, id)?.ok_or(AdminError::NotFound)?;
            if let Some(role) = change.role.filter(|role| *role != before.role) {
                store::set_role(tx, id, role, now)?;
            }
            if let Some(is_disabled) = change.is_disabled
                && is_disabled != before.disabled_at.is_some()
            {
                store::set_disabled(tx, id, is_disabled.then_some(now), now)?;
                if is_disabled {
                    store::sessions::end_all(tx, id, None, now)?;
                }
            }
            if store::acting_owners(tx)? == 0 {
                return Err(AdminError::LastOwner);
            }
            let after = store::by_id(tx, id)?.ok_or(AdminError::NotFound)?;
            if after != before {
                let entry = AuditEntry {
                    actor,
                    action: "admin.changed",
                    object: format!("admin:{id}"),
                    before: shown(&before),
                    after: shown(&after),
                };
                audit::service::record(tx, &entry, now)?;
            }
            Ok(after)
        })
        .await
}

/// What an owner takes from an administrator who cannot log in any more.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    /// Draw a new password.
    pub password: bool,
    /// Take the second factor away.
    pub second_factor: bool,
}

/// Resets what is asked for and logs the administrator out everywhere. Gives the new password.
///
/// # Errors
/// `NotFound`; `Pool` when too many passwords are being hashed; what the database fails with.
pub async fn reset(
    app: &App,
    by: &CurrentAdmin,
    id: AdminId,
    what: Reset,
) -> Result<Option<NewPassword>, AdminError> {
    let now = app.clock.now();
    let drawn = what.password.then(|| password::draw(&app.rng));
    let hashed = match &drawn {
        Some(drawn) => Some(hash(app, drawn.clone()).await?),
        None => None,
    };
    let actor = by.actor();
    let kept = (by.id == id).then_some(by.session_id);
    app.db.write("admin.reset", move |tx| reset_in(tx, id, hashed, what, kept, actor, now)).await?;
    Ok(drawn.map(NewPassword))
}

fn reset_in(
    tx: &Tx<'_>,
    id: AdminId,
    hash: Option<Secret<String>>,
    what: Reset,
    kept: Option<i64>,
    actor: Actor,
    now: UnixMillis,
) -> Result<(), AdminError> {
    store::by_id(tx, id)?.ok_or(AdminError::NotFound)?;
    if let Some(hash) = &hash {
        store::set_password(tx, id, hash, now)?;
    }
    if what.second_factor {
        store::drop_totp(tx, id, now)?;
        store::recovery::replace(tx, id, &[])?;
    }
    let ended = store::sessions::end_all(tx, id, kept, now)?;
    let entry = AuditEntry {
        actor,
        action: "admin.reset",
        object: format!("admin:{id}"),
        before: json!({ "sessions": ended }),
        after: json!({ "newPassword": hash.is_some(), "secondFactorRemoved": what.second_factor }),
    };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}

/// Changes the caller's own password and ends his other sessions.
///
/// # Errors
/// `Credentials` when the current one is wrong, `Locked` after too many; `BadPassword`; `Pool`; what the
/// database fails with.
pub async fn change_password(
    app: &App,
    admin: &CurrentAdmin,
    current: Secret<String>,
    new: Secret<String>,
) -> Result<(), AdminError> {
    password::check(new.expose(), &admin.username).map_err(AdminError::BadPassword)?;
    login::prove(app, admin, Proof::Password(current)).await?;
    let hash = hash(app, new).await?;
    let now = app.clock.now();
    let (id, session) = (admin.id, admin.session_id);
    let entry = AuditEntry {
        actor: admin.actor(),
        action: "admin.password_changed",
        object: format!("admin:{id}"),
        before: json!({}),
        after: json!({}),
    };
    app.db
        .write("admin.change_password", move |tx| {
            store::set_password(tx, id, &hash, now)?;
            store::sessions::end_all(tx, id, Some(session), now)?;
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await
}

/// The hash of a password, made where it holds nobody up.
pub(super) async fn hash(
    app: &App,
    password: Secret<String>,
) -> Result<Secret<String>, AdminError> {
    let (rng, rounds) = (app.rng.clone(), app.admin.password_rounds);
    Ok(app.admin.passwords.run(move || password::hash(&rng, rounds, &password)).await?)
}

/// Stores a new administrator.
pub(super) fn insert(
    tx: &Tx<'_>,
    username: &str,
    role: Role,
    hash: &Secret<String>,
    by: Actor,
    now: UnixMillis,
) -> Result<AdminId, AdminError> {
    let id = store::insert(tx, username, role, hash, &by.to_string(), now)?
        .ok_or(AdminError::NameTaken)?;
    let entry = AuditEntry {
        actor: by,
        action: "admin.created",
        object: format!("admin:{id}"),
        before: json!({}),
        after: json!({ "username": username, "role": role.key() }),
    };
    audit::service::record(tx, &entry, now)?;
    // Whoever has the link for the first one is late.
    store::setup::clear(tx)?;
    Ok(id)
}

fn shown(account: &AdminAccount) -> serde_json::Value {
    json!({
        "role": account.role.key(),
        "disabledAt": account.disabled_at.map(UnixMillis::rfc3339),
    })
}

/// What the command line needs, where no server runs, or beside one.
pub struct Offline<'a> {
    pub db: &'a Db,
    pub rng: &'a Rng,
    pub now: UnixMillis,
    /// Rounds of new hashes.
    pub rounds: u32,
}

impl Offline<'_> {
    /// Makes an administrator.
    ///
    /// # Errors
    /// `BadName`, `NameTaken`, `BadPassword`; what the database fails with.
    pub fn add(&self, username: &str, role: Role, new: &Secret<String>) -> Result<(), AdminError> {
        let username = normal_name(username)?;
        password::check(new.expose(), &username).map_err(AdminError::BadPassword)?;
        let (hash, now) = (password::hash(self.rng, self.rounds, new), self.now);
        self.db.write_blocking("admin.add", move |tx| {
            insert(tx, &username, role, &hash, Actor::System, now).map(drop)
        })
    }

    /// Gives an administrator another password, logs him out everywhere, forgets his failures, lets him in
    /// again if he was disabled, and with `second_factor` takes that away.
    ///
    /// # Errors
    /// `NotFound`, `BadPassword`; what the database fails with.
    pub fn reset_password(
        &self,
        username: &str,
        new: &Secret<String>,
        second_factor: bool,
    ) -> Result<(), AdminError> {
        let username = normal_name(username)?;
        password::check(new.expose(), &username).map_err(AdminError::BadPassword)?;
        let (hash, now) = (password::hash(self.rng, self.rounds, new), self.now);
        self.db.write_blocking("admin.reset_password", move |tx| {
            let found = store::credentials(tx, &username)?.ok_or(AdminError::NotFound)?;
            let what = Reset { password: true, second_factor };
            reset_in(tx, found.id, Some(hash), what, None, Actor::System, now)?;
            store::set_disabled(tx, found.id, None, now)?;
            login::forget_failures(tx, &username)?;
            Ok(())
        })
    }

    /// All administrators.
    ///
    /// # Errors
    /// What the database fails with.
    pub fn list(&self) -> Result<Vec<AdminAccount>, AdminError> {
        Ok(self.db.read_inline("admin.list", store::all)?)
    }
}
