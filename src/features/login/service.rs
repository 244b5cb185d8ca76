//! One login, start to end.

use super::model::{LoggedIn, LoginCommand, LoginError};
use crate::app::App;
use crate::features::auth::service::NewSession;
use crate::features::users::{self, Arrival};
use crate::features::{generations, points, settings};

/// Exchanges the codes at WeChat, then finds or makes the user and begins a session.
///
/// # Errors
/// `Wechat` and `Phone` before anything changed; `Auth` when the user is banned.
pub(super) async fn log_in(app: &App, command: LoginCommand) -> Result<LoggedIn, LoginError> {
    let profile = command.profile.checked()?;
    let session = app.wechat.code_to_session(&command.code).await?;
    let phone = match &command.phone_code {
        None => None,
        Some(code) => Some(app.wechat.phone_number(code).await.map_err(LoginError::Phone)?),
    };
    let session_key_sealed =
        users::service::seal_session_key(app, &session.openid, &session.session_key)?;
    let marks = app.keys.openid_marks(&session.openid)?;
    let arrival = Arrival {
        openid: session.openid,
        unionid: session.unionid,
        session_key_sealed,
        phone,
        profile,
    };
    let now = app.clock.now();
    let begun = NewSession::draw(app);
    let settings = settings::service::current(app);
    let invite_code = command.invite_code;
    let (user, is_new, version, begun) = app
        .db
        .write("login.log_in", move |tx| {
            let (mut user, is_new) = users::service::find_or_create(tx, &arrival, now)?;
            let former = if is_new { users::service::former(tx, &marks)? } else { None };
            match former {
                // He was welcomed before; only what he has had this month comes with him.
                Some(former) => {
                    if let Some(before) = former.user {
                        generations::service::accounts::carry_quota(tx, before, user.id, now)?;
                    }
                }
                None if is_new => {
                    if let Some(code) = &invite_code {
                        points::service::invites::accept(tx, user.id, code)?;
                    }
                    user.points_balance =
                        points::service::sign_up(tx, &settings.economy, user.id, now)?;
                }
                None => {}
            }
            let version = begun.store(tx, user.id)?;
            Ok::<_, LoginError>((user, is_new, version, begun))
        })
        .await?;
    app.activity.saw(user.id, now);
    // The login may have brought a name, a picture or a phone number.
    app.profiles.invalidate(user.id);
    let tokens = begun.tokens(app, user.id, version)?;
    Ok(LoggedIn { user, is_new, tokens })
}
