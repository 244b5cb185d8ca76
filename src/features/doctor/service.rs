//! The examination: all checks at once, each within its time.

pub mod by_hand;
mod data;
mod local;
mod money;
mod outside;
mod wechat;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::model::{Extent, Finding, Report};
use crate::app::App;
use crate::base::bilingual::Bilingual;
use crate::clients::probe::Probe;

/// Longest time for one check of a quick examination.
const QUICK: Duration = Duration::from_secs(20);

/// The same for a full one.
const FULL: Duration = Duration::from_secs(3600);

/// What the checks have to work with.
pub(super) struct Patient {
    pub(super) app: Arc<App>,
    pub(super) probe: Probe,
    pub(super) extent: Extent,
}

impl Patient {
    /// How long one check may take.
    fn patience(&self) -> Duration {
        match self.extent {
            Extent::Quick => QUICK,
            Extent::Full => FULL,
        }
    }
}

/// One check by its name; `None` when there is none of it.
pub async fn look_at(app: &Arc<App>, check: &str) -> Option<Finding> {
    let (_, check) = CHECKS.iter().find(|(name, _)| *name == check)?;
    let patient = Patient { app: Arc::clone(app), probe: Probe::default(), extent: Extent::Quick };
    tokio::time::timeout(QUICK, check(&patient)).await.ok()
}

type Checking<'a> = Pin<Box<dyn Future<Output = Finding> + Send + 'a>>;

/// A check: its name and how it begins.
type Check = (&'static str, for<'a> fn(&'a Patient) -> Checking<'a>);

/// All checks, in the order they are told.
const CHECKS: &[Check] = &[
    ("settings", |p| Box::pin(std::future::ready(local::settings(p)))),
    ("secrets", |p| Box::pin(std::future::ready(local::secrets(p)))),
    ("file_modes", |p| Box::pin(std::future::ready(local::file_modes(p)))),
    ("disk", |p| Box::pin(std::future::ready(local::disk(p)))),
    ("database", |p| Box::pin(data::database(p))),
    ("wal", |p| Box::pin(std::future::ready(data::wal(p)))),
    ("points_books", |p| Box::pin(money::points(p))),
    ("money_books", |p| Box::pin(money::money(p))),
    ("payments", |p| Box::pin(money::payments(p))),
    ("statistics", |p| Box::pin(data::statistics(p))),
    ("backups", |p| Box::pin(data::backups(p))),
    ("server", |p| Box::pin(outside::server(p))),
    ("clock", |p| Box::pin(wechat::clock(p))),
    ("wechat_account", |p| Box::pin(wechat::wechat_account(p))),
    ("wechat_pay", |p| Box::pin(wechat::wechat_pay(p))),
    ("public_url", |p| Box::pin(outside::public_url(p))),
    ("callback_url", |p| Box::pin(outside::callback_url(p))),
    ("certificate", |p| Box::pin(outside::certificate(p))),
    ("image_apis", |p| Box::pin(outside::image_apis(p))),
    ("object_storage", |p| Box::pin(outside::object_storage(p))),
    ("wechat_ip_list", |p| Box::pin(std::future::ready(local::addresses(p)))),
    ("wechat_domains", |p| Box::pin(std::future::ready(local::domains(p)))),
];

/// Looks at everything. Whatever is wrong is in the report; the examination itself does not fail.
pub async fn examine(app: &Arc<App>, extent: Extent) -> Report {
    let patient = Patient { app: Arc::clone(app), probe: Probe::default(), extent };
    let limit = patient.patience();
    let running = CHECKS.iter().map(|(name, check)| {
        let checking = check(&patient);
        async move {
            tokio::time::timeout(limit, checking).await.unwrap_or_else(|_| {
                let hint = match extent {
                    Extent::Quick => Bilingual::new(
                        "运行 `dream-bff doctor --full`，它等得更久",
                        "run `dream-bff doctor --full`, which waits longer",
                    ),
                    Extent::Full => Bilingual::new(
                        "看看是磁盘还是网络卡住了",
                        "see whether the disk or the network hangs",
                    ),
                };
                let seconds = limit.as_secs();
                let text = Bilingual::new(
                    format!("无法得知：{seconds} 秒没有查完"),
                    format!("not known: no end after {seconds} s"),
                );
                Finding::warn(name, text, hint)
            })
        }
    });
    Report::of(join_all(running).await)
}
