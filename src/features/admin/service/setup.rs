//! The first owner, by a link that is good once, or by the command line.

use crate::app::App;
use crate::base::secret::Secret;
use crate::db::DbError;
use crate::features::admin::model::recovery::digest;
use crate::features::admin::model::{
    AdminError, OpenedSession, Origin, Role, actor, normal_name, password,
};
use crate::features::admin::store;
use crate::features::audit::Actor;

use super::{accounts, sessions};

/// How long the link is good.
const LINK_MS: i64 = 24 * 3_600_000;

const TOKEN_BYTES: usize = 32;

/// The token of a link by which the first owner is made; `None` when there is somebody already. An
/// earlier one is good no more.
///
/// # Errors
/// What the database fails with.
pub async fn link(app: &App) -> Result<Option<Secret<String>>, AdminError> {
    let token = Secret::new(app.rng.token::<TOKEN_BYTES>());
    let (hash, until) = (digest(token.expose()), app.clock.now().plus_millis(LINK_MS));
    let is_open = app
        .db
        .write("admin.setup_link", move |tx| {
            if store::is_there_any(tx)? {
                store::setup::clear(tx)?;
                return Ok(false);
            }
            store::setup::put(tx, &hash, until)?;
            Ok::<_, DbError>(true)
        })
        .await?;
    Ok(is_open.then_some(token))
}

/// Makes the first owner and logs him in.
///
/// # Errors
/// `SetupClosed` for a link that is not good, or when there is somebody already; `BadName`,
/// `BadPassword`; `Pool`; what the database fails with.
pub async fn set_up(
    app: &App,
    token: &Secret<String>,
    username: &str,
    new: Secret<String>,
    origin: Origin,
) -> Result<OpenedSession, AdminError> {
    let now = app.clock.now();
    let link = digest(token.expose());
    // Before anything is hashed: a stranger costs nothing.
    if !app.db.read_inline("admin.setup", |tx| store::setup::is_good(tx, &link, now))? {
        return Err(AdminError::SetupClosed);
    }
    let username = normal_name(username)?;
    password::check(new.expose(), &username).map_err(AdminError::BadPassword)?;
    let hash = accounts::hash(app, new).await?;
    let draft = sessions::draft(app, now);
    app.db
        .write("admin.set_up", move |tx| {
            if store::is_there_any(tx)? || !store::setup::take(tx, &link, now)? {
                return Err(AdminError::SetupClosed);
            }
            let by = actor(&username, &origin);
            accounts::insert(tx, &username, Role::Owner, &hash, by, now)?;
            let made = store::credentials(tx, &username)?.ok_or(AdminError::NotFound)?;
            store::note_log_in(tx, made.id, now)?;
            Ok(sessions::open(tx, draft, &made, origin, now)?)
        })
        .await
}

/// Makes this owner when there is nobody yet: for the sandbox, whose secrets protect nothing.
///
/// # Errors
/// `Pool`; what the database fails with.
pub async fn ensure(app: &App, username: &str, new: &Secret<String>) -> Result<(), AdminError> {
    let now = app.clock.now();
    if app.db.read_inline("admin.any", store::is_there_any)? {
        return Ok(());
    }
    let hash = accounts::hash(app, new.clone()).await?;
    let username = normal_name(username)?;
    app.db
        .write("admin.ensure", move |tx| {
            accounts::insert(tx, &username, Role::Owner, &hash, Actor::System, now).map(drop)
        })
        .await
}
