//! The second factor: setting it up, confirming it, taking it away, recovery codes.

use serde_json::json;

use crate::app::App;
use crate::base::secret::Secret;
use crate::features::admin::model::{AdminError, AdminId, CurrentAdmin, TotpSetup, recovery, totp};
use crate::features::admin::store;
use crate::features::audit::{self, AuditEntry};

/// What a sealed secret is bound to: copied to another row it opens nothing.
pub(super) fn context(id: AdminId) -> String {
    format!("admin-totp:{id}")
}

/// Draws a secret for the caller. It asks for nothing until it is confirmed.
///
/// # Errors
/// `TotpState` when he has a second factor already; what the database fails with.
pub async fn set_up(app: &App, admin: &CurrentAdmin) -> Result<TotpSetup, AdminError> {
    let now = app.clock.now();
    let secret = totp::draw(&app.rng);
    let sealed = app.keys.seal(&app.rng, &context(admin.id), secret.expose())?;
    let id = admin.id;
    let is_proposed = app
        .db
        .write("admin.propose_totp", move |tx| store::propose_totp(tx, id, &sealed, now))
        .await?;
    if !is_proposed {
        return Err(AdminError::TotpState);
    }
    Ok(TotpSetup { secret: totp::as_text(&secret), uri: totp::as_uri(&secret, &admin.username) })
}

/// Confirms the secret by a code that was made with it. Gives the recovery codes, once.
///
/// # Errors
/// `Credentials` for a wrong code, `TotpState` when there is nothing to confirm; what the database
/// fails with.
pub async fn confirm(
    app: &App,
    admin: &CurrentAdmin,
    code: Secret<String>,
) -> Result<Vec<Secret<String>>, AdminError> {
    let now = app.clock.now();
    let id = admin.id;
    let found = app.db.read_inline("admin.totp", |tx| store::credentials_of(tx, id))?;
    let sealed = found
        .filter(|found| !found.is_totp_confirmed)
        .and_then(|found| found.totp_sealed)
        .ok_or(AdminError::TotpState)?;
    let opened = app.keys.open(&context(id), &sealed).ok_or(AdminError::TotpState)?;
    let step = totp::matching_step(&Secret::new(opened), code.expose().trim(), now, 0)
        .ok_or(AdminError::Credentials)?;
    let (codes, hashes) = draw_codes(app);
    let entry = entry(admin, "admin.totp_enabled", false, true);
    app.db
        .write("admin.confirm_totp", move |tx| {
            if !store::confirm_totp(tx, id, &sealed, now)? {
                return Err(AdminError::TotpState);
            }
            store::take_totp_step(tx, id, step)?;
            store::recovery::replace(tx, id, &hashes)?;
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await?;
    Ok(codes)
}

/// Takes the caller's second factor away.
///
/// # Errors
/// `TotpState` when he has none; what the database fails with.
pub async fn remove(app: &App, admin: &CurrentAdmin) -> Result<(), AdminError> {
    let now = app.clock.now();
    let id = admin.id;
    let entry = entry(admin, "admin.totp_disabled", true, false);
    app.db
        .write("admin.remove_totp", move |tx| {
            if !store::drop_totp(tx, id, now)? {
                return Err(AdminError::TotpState);
            }
            store::recovery::replace(tx, id, &[])?;
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await
}

/// Puts new recovery codes in place of the old ones.
///
/// # Errors
/// `TotpState` without a second factor; what the database fails with.
pub async fn renew_codes(
    app: &App,
    admin: &CurrentAdmin,
) -> Result<Vec<Secret<String>>, AdminError> {
    let now = app.clock.now();
    let id = admin.id;
    let (codes, hashes) = draw_codes(app);
    let actor = admin.actor();
    app.db
        .write("admin.renew_codes", move |tx| {
            let found = store::credentials_of(tx, id)?.ok_or(AdminError::NoSession)?;
            if !found.is_totp_confirmed {
                return Err(AdminError::TotpState);
            }
            let entry = AuditEntry {
                actor,
                action: "admin.recovery_codes_renewed",
                object: format!("admin:{id}"),
                before: json!({ "left": store::recovery::left(tx, id)? }),
                after: json!({ "left": hashes.len() }),
            };
            store::recovery::replace(tx, id, &hashes)?;
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await?;
    Ok(codes)
}

/// How many recovery codes the caller has left.
///
/// # Errors
/// What the database fails with.
pub fn codes_left(app: &App, admin: AdminId) -> Result<i64, AdminError> {
    Ok(app.db.read_inline("admin.codes_left", |tx| store::recovery::left(tx, admin))?)
}

fn draw_codes(app: &App) -> (Vec<Secret<String>>, Vec<recovery::Hash>) {
    let codes: Vec<_> = (0..recovery::CODES).map(|_| recovery::draw(&app.rng)).collect();
    let hashes = codes.iter().map(|code| recovery::hash(code.expose())).collect();
    (codes, hashes)
}

fn entry(admin: &CurrentAdmin, action: &'static str, before: bool, after: bool) -> AuditEntry {
    AuditEntry {
        actor: admin.actor(),
        action,
        object: format!("admin:{}", admin.id),
        before: json!({ "secondFactor": before }),
        after: json!({ "secondFactor": after }),
    }
}
