//! What the product does, a folder per feature. A feature imports only those listed before it.

pub mod audit;
pub mod settings;

pub mod announcements;

pub mod auth;
pub mod idempotency;
pub mod users;

pub mod points;

pub mod vip;

pub mod media;

pub mod moderation;

pub mod messages;

pub mod generations;

pub mod login;

pub mod membership;

pub mod proxy;

pub mod orders;
pub mod payments;

pub mod refunds;

pub mod reconciliation;

pub mod gallery;

pub mod templates;

pub mod favorites;

pub mod stats;

pub mod backups;

pub mod push;

pub mod account;

pub mod vitals;

pub mod doctor;

pub mod alerts;

pub mod admin;

use std::sync::Arc;
use std::time::Duration;

use poem_openapi::{OpenApi, OpenApiService};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::clients::wechat_pay::PayError;
use crate::db::DbError;
use crate::jobs::Periodic;

use self::moderation::ModerationError;

/// Where the API lives.
pub const API_BASE: &str = "/v1";

/// Where the API of the admin page lives.
pub const ADMIN_API_BASE: &str = "/admin/api";

/// The API of the admin page.
pub fn admin_api(app: &Arc<App>) -> OpenApiService<impl OpenApi + 'static, ()> {
    admin::open_api(app, ADMIN_API_BASE)
}

/// The API of the mini-program, all features together.
pub fn api(app: &Arc<App>) -> OpenApiService<impl OpenApi + 'static, ()> {
    // In groups, since a tuple of them holds sixteen at most.
    let people = (
        auth::AuthApi { app: Arc::clone(app) },
        login::LoginApi { app: Arc::clone(app) },
        account::AccountApi { app: Arc::clone(app) },
        users::UsersApi { app: Arc::clone(app) },
        points::PointsApi { app: Arc::clone(app) },
        points::InvitesApi { app: Arc::clone(app) },
        vip::VipApi { app: Arc::clone(app) },
        membership::MembershipApi { app: Arc::clone(app) },
    );
    let images = (
        media::MediaApi { app: Arc::clone(app) },
        generations::GenerationsApi { app: Arc::clone(app) },
        proxy::WebhookApi { app: Arc::clone(app) },
        proxy::ProxyApi { app: Arc::clone(app) },
        gallery::GalleryApi { app: Arc::clone(app) },
        templates::TemplatesApi { app: Arc::clone(app) },
        messages::MessagesApi { app: Arc::clone(app) },
        announcements::AnnouncementsApi { app: Arc::clone(app) },
        favorites::FavoritesApi { app: Arc::clone(app) },
        stats::StatsApi { app: Arc::clone(app) },
    );
    let money = (
        orders::OrdersApi { app: Arc::clone(app) },
        orders::PurchaseApi { app: Arc::clone(app) },
        payments::PaymentsApi { app: Arc::clone(app) },
        refunds::RefundsApi { app: Arc::clone(app) },
        push::PushApi { app: Arc::clone(app) },
    );
    let apis = (people, images, money);
    OpenApiService::new(apis, "dream-bff", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .server(API_BASE)
}

/// Why the features are not ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Moderation(#[from] ModerationError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What the features need to know from the database before the first request.
///
/// # Errors
/// What the database fails with; a word list that cannot be searched.
pub fn prepare(app: &App) -> Result<(), PrepareError> {
    settings::service::also_check(app, media::service::check_settings);
    settings::service::load(app)?;
    auth::service::load_revoked(app)?;
    moderation::service::words::load(app)?;
    alerts::service::load(app)?;
    Ok(generations::service::load(app)?)
}

/// Starts what the features do besides answering. It ends with `stop`; whoever waits for the tasks
/// knows that it has.
pub fn start(app: &Arc<App>, stop: &CancellationToken) -> JoinSet<()> {
    admin::service::streams::end_with(app, stop);
    let mut tasks = generations::service::start(app, stop);
    tasks.spawn(templates::service::keep_flushing(Arc::clone(app), stop.clone()));
    tasks.spawn(stats::service::keep_flushing(Arc::clone(app), stop.clone()));
    tasks.spawn(proxy::service::start(Arc::clone(app)));
    tasks.spawn(account::service::start(Arc::clone(app)));
    // So that the first notification need not wait for it. Serving does not depend on it.
    let (app, stop) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move {
        if let Some(Err(err)) = stop.run_until_cancelled(refresh_certificates(&app)).await {
            tracing::warn!(problem = error_chain(&err), "WeChat Pay's certificates are not here");
        }
    });
    tasks
}

/// Writes down what is only in memory. To be called when the last request was answered.
pub async fn finish(app: &App) {
    if let Err(err) = templates::service::flush(app).await {
        tracing::error!(problem = error_chain(&err), "the last uses of templates are lost");
    }
    if let Err(err) = stats::service::flush(app).await {
        tracing::error!(problem = error_chain(&err), "who was active at the end is lost");
    }
}

async fn refresh_certificates(app: &App) -> Result<(), PayError> {
    match &app.wechat_pay {
        Some(wechat_pay) => wechat_pay.refresh_certificates().await,
        None => Ok(()),
    }
}

/// The periodic tasks of all features.
pub fn periodic() -> Vec<Periodic> {
    vec![
        Periodic {
            name: "auth.sweep",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(auth::service::sweep(&app).await?) }),
        },
        Periodic {
            name: "idempotency.sweep",
            every: Duration::from_secs(300),
            run: |app| Box::pin(async move { Ok(idempotency::service::sweep(&app).await?) }),
        },
        Periodic {
            name: "points.check_books",
            every: Duration::from_secs(600),
            run: |app| {
                Box::pin(async move { Ok(points::service::books::check_nightly(&app).await?) })
            },
        },
        Periodic {
            name: "media.sweep",
            every: Duration::from_secs(600),
            run: |app| {
                Box::pin(async move {
                    media::service::sweep(&app).await?;
                    Ok(())
                })
            },
        },
        Periodic {
            name: "vip.monthly_points",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(vip::service::monthly::give_due(&app).await?) }),
        },
        Periodic {
            name: "vip.reminders",
            every: Duration::from_secs(600),
            run: |app| Box::pin(async move { Ok(vip::service::reminders::note_due(&app).await?) }),
        },
        Periodic {
            name: "moderation.sweep",
            every: Duration::from_secs(3600),
            run: |app| {
                Box::pin(async move { Ok(moderation::service::pictures::sweep(&app).await?) })
            },
        },
        Periodic {
            name: "gallery.checks",
            every: Duration::from_secs(10),
            run: |app| Box::pin(async move { Ok(gallery::service::check_due(&app).await?) }),
        },
        Periodic {
            name: "messages.send",
            every: Duration::from_secs(2),
            run: |app| Box::pin(async move { Ok(messages::service::send_due(&app).await?) }),
        },
        Periodic {
            name: "messages.sweep",
            every: Duration::from_secs(3600),
            run: |app| Box::pin(async move { Ok(messages::service::sweep(&app).await?) }),
        },
        Periodic {
            name: "generations.deadlines",
            every: Duration::from_secs(5),
            run: |app| Box::pin(async move { Ok(generations::service::end_overdue(&app).await?) }),
        },
        Periodic {
            name: "generations.late",
            every: Duration::from_secs(10),
            run: |app| {
                Box::pin(async move { Ok(generations::service::look_for_late(&app).await?) })
            },
        },
        Periodic {
            name: "stats.sweep",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(stats::service::sweep(&app).await?) }),
        },
        Periodic {
            name: "stats.moments",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(stats::service::moments::note(&app).await?) }),
        },
        Periodic {
            name: "payments.reconcile",
            every: Duration::from_secs(2),
            run: |app| Box::pin(async move { Ok(payments::service::reconcile(&app).await?) }),
        },
        Periodic {
            name: "payments.shipping",
            every: Duration::from_secs(5),
            run: |app| Box::pin(async move { Ok(orders::service::report_shipping(&app).await?) }),
        },
        Periodic {
            name: "refunds.work",
            every: Duration::from_secs(5),
            run: |app| Box::pin(async move { Ok(refunds::service::work(&app).await?) }),
        },
        Periodic {
            name: "reconciliation.nightly",
            every: Duration::from_secs(600),
            run: |app| Box::pin(async move { Ok(reconciliation::service::nightly(&app).await?) }),
        },
        Periodic {
            name: "payments.sweep",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(payments::service::sweep(&app).await?) }),
        },
        Periodic {
            name: "generations.history",
            every: Duration::from_secs(300),
            run: |app| {
                Box::pin(async move { Ok(generations::service::history::remove_old(&app).await?) })
            },
        },
        Periodic {
            name: "proxy.settle",
            every: Duration::from_secs(60),
            run: |app| {
                Box::pin(async move { Ok(proxy::service::charges::settle_left(&app).await?) })
            },
        },
        Periodic {
            name: "account.closures",
            every: Duration::from_secs(30),
            run: |app| Box::pin(async move { Ok(account::service::finish_closures(&app).await?) }),
        },
        Periodic {
            name: "backups.run",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(backups::service::start_due(&app)?) }),
        },
        Periodic {
            name: "wechat_pay.certificates",
            every: Duration::from_secs(300),
            run: |app| Box::pin(async move { Ok(refresh_certificates(&app).await?) }),
        },
        Periodic {
            name: "alerts.check",
            every: Duration::from_secs(60),
            run: |app| {
                Box::pin(async move {
                    alerts::service::check(&app).await;
                    Ok(())
                })
            },
        },
        Periodic {
            name: "admin.sweep",
            every: Duration::from_secs(3600),
            run: |app| Box::pin(async move { Ok(admin::service::sweep(&app).await?) }),
        },
        Periodic {
            name: "log.expire",
            every: Duration::from_secs(10),
            run: |app| {
                Box::pin(async move {
                    app.log.expire(app.clock.now());
                    Ok(())
                })
            },
        },
        Periodic {
            name: "limits.sweep",
            every: Duration::from_secs(60),
            run: |app| {
                Box::pin(async move {
                    app.limits.sweep();
                    Ok(())
                })
            },
        },
    ]
}

/// The front page of the API document.
const DESCRIPTION: &str = "\
The backend of a WeChat mini-program for AI images.

- Paths are below `/v1`; JSON in camelCase; times RFC 3339 UTC with milliseconds.
- Log in with `POST /auth/wechat-login`, then send `Authorization: Bearer <token>`.
- Errors have one shape: `{error, message, timestamp, path, requestId, details?}`. `error` is \
stable; `message` is Chinese, or English for `Accept-Language: en`.
- Every answer has `X-Request-Id`; 429 and 503 carry `Retry-After` in seconds.";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_periodic_task_is_there_once() {
        // The board knows them by name: of two with one name, one would seem to hang.
        let names: Vec<_> = periodic().iter().map(|task| task.name).collect();
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
