//! Logging in, and saying again who one is.
//!
//! A failure is counted before the password is looked at, so that many tries at once get no further
//! than one after the other; what succeeds takes it back.

use serde_json::json;

use super::sessions;
use crate::app::App;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::admin::model::throttle::{Failures, Subject};
use crate::features::admin::model::{
    AdminError, AdminId, Credentials, CurrentAdmin, LogIn, OpenedSession, Origin, actor,
    normal_name, password, recovery, totp,
};
use crate::features::admin::store;
use crate::features::audit::{self, Actor, AuditEntry};

/// Stands for all names that cannot be one.
const NO_NAME: &str = "?";

/// What an administrator proves with that it is still he.
#[derive(Debug)]
pub enum Proof {
    Password(Secret<String>),
    /// Of the second factor, or a recovery code.
    Code(Secret<String>),
}

/// Opens a session for whoever has name, password and, where one is set up, the second factor.
///
/// # Errors
/// `Credentials` whatever of them is wrong; `TotpRequired` when only the code is missing; `Locked`
/// after too many failures; `Pool` when too many log in at once; what the database fails with.
pub async fn log_in(app: &App, tried: LogIn, origin: Origin) -> Result<OpenedSession, AdminError> {
    let name = normal_name(&tried.username).unwrap_or_else(|_| NO_NAME.to_owned());
    let subjects = Subjects::of(&name, &origin);
    let begun = begin(app, &name, &subjects, &origin).await?;
    let known = begun.found.as_ref().filter(|known| !known.is_disabled);
    let is_right = is_password_right(app, known, tried.password.clone()).await?;
    let Some(known) = known.filter(|_| is_right) else {
        return Err(begun.failed(app, &origin).await?);
    };
    if known.is_totp_confirmed && tried.code.is_none() {
        succeeded(app, &subjects, false).await?;
        return Err(AdminError::TotpRequired);
    }
    renew_hash_if_old(app, known, tried.password).await?;
    let second = known.is_totp_confirmed.then(|| totp_secret(app, known));
    match open(app, known.clone(), second, tried.code, subjects, origin.clone()).await {
        Err(AdminError::Credentials) => Err(begun.failed(app, &origin).await?),
        opened => opened,
    }
}

/// Checks that it is still the administrator of this session: before money and secrets are touched.
///
/// # Errors
/// As for [`log_in`].
pub(super) async fn prove(app: &App, admin: &CurrentAdmin, proof: Proof) -> Result<(), AdminError> {
    let subjects = Subjects::of(&admin.username, &admin.origin);
    let begun = begin(app, &admin.username, &subjects, &admin.origin).await?;
    let found = begun.found.as_ref().filter(|found| !found.is_disabled);
    let found = found.ok_or(AdminError::NoSession)?;
    let is_right = match proof {
        Proof::Password(password) => is_password_right(app, Some(found), password).await?,
        Proof::Code(_) if !found.is_totp_confirmed => false,
        Proof::Code(code) => {
            let secret = totp_secret(app, found);
            let (id, now) = (found.id, app.clock.now());
            app.db
                .write("admin.prove", move |tx| take_code(tx, id, secret.as_ref(), &code, now))
                .await?
        }
    };
    if !is_right {
        return Err(begun.failed(app, &admin.origin).await?);
    }
    succeeded(app, &subjects, true).await
}

/// Whose failures a try counts to.
#[derive(Clone)]
struct Subjects {
    name: Subject,
    /// Unknown when the connection has no address, as in tests in process.
    address: Option<Subject>,
}

impl Subjects {
    fn of(name: &str, origin: &Origin) -> Self {
        Self { name: Subject::Name(name.to_owned()), address: origin.address.map(Subject::address) }
    }

    /// Takes this try back, and with `all` what failed before under this name.
    fn succeeded(&self, tx: &Tx<'_>, all: bool) -> Result<(), DbError> {
        if all {
            store::failures::clear(tx, &self.name)?;
        } else {
            store::failures::take_back(tx, &self.name)?;
        }
        // What else failed from there may have been somebody else.
        self.address.as_ref().map_or(Ok(()), |address| store::failures::take_back(tx, address))
    }
}

async fn succeeded(app: &App, subjects: &Subjects, all: bool) -> Result<(), AdminError> {
    let subjects = subjects.clone();
    app.db.write("admin.succeeded", move |tx| subjects.succeeded(tx, all)).await?;
    Ok(())
}

/// A try that was counted as a failure already.
struct Begun {
    /// What it is to be checked against.
    found: Option<Credentials>,
    /// Whether the name is locked from now on, should it fail.
    locks: bool,
}

impl Begun {
    /// It has failed: the operator learns of it. Gives the answer.
    async fn failed(&self, app: &App, origin: &Origin) -> Result<AdminError, AdminError> {
        tracing::warn!(client.ip = ?origin.address, "an administrator's log-in failed");
        if let Some(found) = self.found.as_ref().filter(|_| self.locks) {
            let now = app.clock.now();
            let entry = AuditEntry {
                actor: Actor::System,
                action: "admin.locked_out",
                object: format!("admin:{}", found.id),
                before: json!({}),
                after: json!({ "username": found.username, "address": origin.address }),
            };
            app.db
                .write("admin.locked_out", move |tx| audit::service::record(tx, &entry, now))
                .await?;
        }
        Ok(AdminError::Credentials)
    }
}

/// Counts the try as a failure and gives what it is to be checked against.
async fn begin(
    app: &App,
    name: &str,
    subjects: &Subjects,
    origin: &Origin,
) -> Result<Begun, AdminError> {
    let now = app.clock.now();
    let (name, subjects, address) = (name.to_owned(), subjects.clone(), origin.address);
    app.db
        .write("admin.begin_log_in", move |tx| {
            let found = store::credentials(tx, &name)?;
            if let Some(address) = &subjects.address {
                count(tx, address, true, now)?;
            }
            // What others try under his name does not lock out whoever was here before.
            let is_known = match (&found, address) {
                (Some(found), Some(ip)) => store::sessions::knows(tx, found.id, &ip.to_string())?,
                _ => false,
            };
            let locks = count(tx, &subjects.name, !is_known, now)?;
            Ok(Begun { found, locks })
        })
        .await
}

/// One more failure of `subject`; says whether it is locked from now on.
fn count(
    tx: &Tx<'_>,
    subject: &Subject,
    is_lock_obeyed: bool,
    now: UnixMillis,
) -> Result<bool, AdminError> {
    let before = store::failures::of(tx, subject)?;
    if let Some(retry_after_s) = before.and_then(|before| before.wait_s(now))
        && is_lock_obeyed
    {
        return Err(AdminError::Locked { retry_after_s });
    }
    let failures = before.map_or(0, |before| before.counted(now)).saturating_add(1);
    let locked_until = subject.locked_until(failures, now);
    store::failures::put(tx, subject, &Failures { failures, last_at: now, locked_until })?;
    Ok(locked_until > now)
}

/// Takes as long for nobody as for somebody.
async fn is_password_right(
    app: &App,
    known: Option<&Credentials>,
    tried: Secret<String>,
) -> Result<bool, AdminError> {
    let is_somebody = known.is_some();
    let stored = known.map_or_else(
        || password::decoy(app.admin.password_rounds),
        |known| known.password_hash.clone(),
    );
    let is_right = app.admin.passwords.run(move || password::is_right(&tried, &stored)).await?;
    Ok(is_right && is_somebody)
}

/// The secret of the second factor; `None` when it cannot be opened any more, because the server's own
/// secret is another one. Recovery codes still work then.
fn totp_secret(app: &App, known: &Credentials) -> Option<Secret<Vec<u8>>> {
    let opened = known
        .totp_sealed
        .as_deref()
        .and_then(|sealed| app.keys.open(&super::second_factor::context(known.id), sealed));
    if opened.is_none() {
        tracing::error!(
            admin.id = %known.id,
            "the second factor cannot be opened with this JWT_SECRET; only recovery codes work"
        );
    }
    opened.map(Secret::new)
}

/// Uses up a code of the second factor or one for recovery; says whether it was good.
pub(super) fn take_code(
    tx: &Tx<'_>,
    admin: AdminId,
    secret: Option<&Secret<Vec<u8>>>,
    code: &Secret<String>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let code = code.expose().trim();
    if !totp::is_code(code) {
        return store::recovery::take(tx, admin, &recovery::hash(code), now);
    }
    let last = store::totp_step(tx, admin)?;
    match secret.and_then(|secret| totp::matching_step(secret, code, now, last)) {
        Some(step) => store::take_totp_step(tx, admin, step),
        None => Ok(false),
    }
}

/// The last step of a log-in: the code, then the session.
async fn open(
    app: &App,
    known: Credentials,
    second: Option<Option<Secret<Vec<u8>>>>,
    code: Option<Secret<String>>,
    subjects: Subjects,
    origin: Origin,
) -> Result<OpenedSession, AdminError> {
    let now = app.clock.now();
    let draft = sessions::draft(app, now);
    app.db
        .write("admin.log_in", move |tx| {
            // He may have been disabled, or the code been asked for, while the password was checked.
            let current = store::credentials_of(tx, known.id)?.ok_or(AdminError::Credentials)?;
            if current.is_disabled || current.is_totp_confirmed != known.is_totp_confirmed {
                return Err(AdminError::Credentials);
            }
            if let Some(secret) = &second {
                let code = code.as_ref().ok_or(AdminError::TotpRequired)?;
                if !take_code(tx, known.id, secret.as_ref(), code, now)? {
                    return Err(AdminError::Credentials);
                }
            }
            subjects.succeeded(tx, true)?;
            store::note_log_in(tx, known.id, now)?;
            let entry = AuditEntry {
                actor: actor(&known.username, &origin),
                action: "admin.logged_in",
                object: format!("admin:{}", known.id),
                before: json!({}),
                after: json!({ "userAgent": origin.user_agent, "withCode": second.is_some() }),
            };
            audit::service::record(tx, &entry, now)?;
            let opened = sessions::open(tx, draft, &current, origin, now)?;
            Ok(opened)
        })
        .await
}

/// Gives a password that was hashed with fewer rounds its new hash.
async fn renew_hash_if_old(
    app: &App,
    known: &Credentials,
    tried: Secret<String>,
) -> Result<(), AdminError> {
    let rounds = app.admin.password_rounds;
    if !password::is_outdated(&known.password_hash, rounds) {
        return Ok(());
    }
    let hash = super::accounts::hash(app, tried).await?;
    let (id, old) = (known.id, known.password_hash.clone());
    app.db.write("admin.renew_hash", move |tx| store::renew_hash(tx, id, &old, &hash)).await?;
    Ok(())
}

/// Lets a name try again at once.
pub(super) fn forget_failures(tx: &Tx<'_>, username: &str) -> Result<(), DbError> {
    store::failures::clear(tx, &Subject::Name(username.to_owned()))
}
