//! The admin API: one document of its own, below `/admin/api`. A new area is a file here and a line in
//! [`open_api`].

mod accounts;
mod alerts;
mod audit;
mod auth;
mod backups;
mod books;
mod codes;
mod cookie;
mod csv;
mod doctor;
mod error;
mod gate;
mod home;
mod jobs;
mod limits;
mod list;
mod orders;
mod payment_events;
mod plans;
mod reconciliation;
mod refunds;
mod review;
mod session;
mod settings;
mod system;
mod tag;
mod templates;
mod timeline;
mod users;
mod wire;
mod words;

use std::sync::Arc;

use poem_openapi::{OpenApi, OpenApiService};

use crate::app::App;

pub use auth::{Content, Operator, OperatorSteppedUp, Owner, OwnerSteppedUp, Viewer};
pub use gate::AdminGate;
pub use tag::AdminTag;

/// The operations of the admin page, all areas together, to be mounted at `base`.
pub fn open_api(app: &Arc<App>, base: &str) -> OpenApiService<impl OpenApi + 'static, ()> {
    // In groups, since a tuple of them holds sixteen at most.
    let admins = (
        home::HomeApi { app: Arc::clone(app) },
        timeline::FindApi { app: Arc::clone(app) },
        system::SystemApi { app: Arc::clone(app) },
        session::SessionApi { app: Arc::clone(app) },
        accounts::AccountsApi { app: Arc::clone(app) },
        audit::AuditApi { app: Arc::clone(app) },
    );
    let machine = (
        backups::BackupsApi { app: Arc::clone(app) },
        doctor::DoctorApi { app: Arc::clone(app) },
        alerts::AlertsApi { app: Arc::clone(app) },
        limits::LimitsApi { app: Arc::clone(app) },
    );
    let people =
        (users::UsersApi { app: Arc::clone(app) }, users::UserChangesApi { app: Arc::clone(app) });
    let money = (
        orders::AdminOrdersApi { app: Arc::clone(app) },
        refunds::AdminRefundsApi { app: Arc::clone(app) },
        payment_events::PaymentEventsApi { app: Arc::clone(app) },
        reconciliation::ReconciliationApi { app: Arc::clone(app) },
        books::BooksApi { app: Arc::clone(app) },
        codes::CodesApi { app: Arc::clone(app) },
    );
    let business = (
        jobs::AdminJobsApi { app: Arc::clone(app) },
        settings::SettingsApi { app: Arc::clone(app) },
        settings::AnnouncementApi { app: Arc::clone(app) },
        plans::ProductsApi { app: Arc::clone(app) },
        review::ReviewApi { app: Arc::clone(app) },
        words::WordsApi { app: Arc::clone(app) },
        templates::AdminTemplatesApi { app: Arc::clone(app) },
    );
    OpenApiService::new(
        (admins, machine, people, money, business),
        "dream-bff admin",
        env!("CARGO_PKG_VERSION"),
    )
    .description(DESCRIPTION)
    .server(base)
}

/// The front page of the document.
const DESCRIPTION: &str = "\
What the operator's page is made of.

- Log in with `POST /session/login`; the session is a cookie (`HttpOnly`, `SameSite=Strict`). What \
changes something must come from the page itself: `Origin` is checked.
- The security scheme of an operation is the least role it takes: viewer, content, operator, owner. \
With `SteppedUp` it touches money or secrets: `STEP_UP_REQUIRED` until `POST /session/step-up`.
- JSON in camelCase; money in fen; times RFC 3339 UTC with milliseconds; lists by `limit` and `cursor`.
- Errors have one shape: `{error, message, timestamp, path, requestId, details?}`.";
