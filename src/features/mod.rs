//! What the product does, a folder per feature. A feature imports only those listed before it.

pub mod settings;

pub mod auth;
pub mod idempotency;
pub mod users;

pub mod points;

pub mod login;

pub mod media;

pub mod generations;

pub mod proxy;

pub mod gallery;

pub mod templates;

pub mod favorites;

pub mod stats;

use std::sync::Arc;
use std::time::Duration;

use poem_openapi::{OpenApi, OpenApiService};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::db::DbError;
use crate::jobs::Periodic;

/// Where the API lives.
pub const API_BASE: &str = "/v1";

/// The API of the mini-program, all features together.
pub fn api(app: &Arc<App>) -> OpenApiService<impl OpenApi + 'static, ()> {
    let apis = (
        auth::AuthApi { app: Arc::clone(app) },
        login::LoginApi { app: Arc::clone(app) },
        users::UsersApi { app: Arc::clone(app) },
        points::PointsApi { app: Arc::clone(app) },
        points::InvitesApi { app: Arc::clone(app) },
        media::MediaApi { app: Arc::clone(app) },
        generations::GenerationsApi { app: Arc::clone(app) },
        generations::WebhookApi { app: Arc::clone(app) },
        proxy::ProxyApi { app: Arc::clone(app) },
        gallery::GalleryApi { app: Arc::clone(app) },
        templates::TemplatesApi { app: Arc::clone(app) },
        favorites::FavoritesApi { app: Arc::clone(app) },
        stats::StatsApi { app: Arc::clone(app) },
    );
    OpenApiService::new(apis, "dream-bff", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .server(API_BASE)
}

/// What the features need to know from the database before the first request.
///
/// # Errors
/// What the database fails with.
pub fn prepare(app: &App) -> Result<(), DbError> {
    settings::service::load(app)?;
    auth::service::load_revoked(app)?;
    generations::service::load(app)
}

/// Starts what the features do besides answering. It ends with `stop`; whoever waits for the tasks
/// knows that it has.
pub fn start(app: &Arc<App>, stop: &CancellationToken) -> JoinSet<()> {
    let mut tasks = generations::service::start(app, stop);
    tasks.spawn(templates::service::keep_flushing(Arc::clone(app), stop.clone()));
    tasks.spawn(stats::service::keep_flushing(Arc::clone(app), stop.clone()));
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

/// The periodic tasks of all features.
pub fn periodic() -> Vec<Periodic> {
    vec![
        Periodic {
            name: "auth.sweep",
            every: Duration::from_secs(60),
            run: |app| Box::pin(async move { Ok(auth::service::sweep(&app).await?) }),
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
