//! What happened to a user, an order or a job.

use serde_json::Value;

use crate::app::App;
use crate::base::ids::UserId;
use crate::features::admin::model::AdminError;
use crate::features::admin::model::timeline::{Behind, Entry, EntryKind, masked, merged};
use crate::features::admin::store::timeline::Part;
use crate::features::admin::store::{thing, timeline};

/// What the timeline is about.
#[derive(Clone, Debug)]
pub enum About {
    User(UserId),
    Order(String),
    Job(String),
}

/// A page of it, the newest first, behind the entry with these keys.
///
/// # Errors
/// `NotFound` for an order or a job that is not there; what the database fails with.
pub async fn page(
    app: &App,
    about: About,
    behind: Option<[i64; 3]>,
    most: i64,
) -> Result<Vec<Entry>, AdminError> {
    let behind = Behind::new(behind);
    let mut entries = app
        .db
        .read("admin.timeline", move |tx| {
            let entries = match &about {
                About::User(user) => timeline::of_user(tx, *user, Part { behind: &behind, most })?,
                About::Order(order) => found(thing::of_order(tx, order)?)?,
                About::Job(job) => found(thing::of_job(tx, job)?)?,
            };
            Ok::<_, AdminError>(merged(entries, &behind, most))
        })
        .await?;
    entries.iter_mut().for_each(hide);
    Ok(entries)
}

fn found(entries: Vec<Entry>) -> Result<Vec<Entry>, AdminError> {
    if entries.is_empty() { Err(AdminError::NotFound) } else { Ok(entries) }
}

/// What WeChat said is shown without what names a person; what is no JSON is not shown.
fn hide(entry: &mut Entry) {
    if entry.kind != EntryKind::Notification {
        return;
    }
    if let Some(content) = entry.data.get_mut("content") {
        let said = content.as_str().and_then(|text| serde_json::from_str(text).ok());
        *content = said.map_or(Value::Null, masked);
    }
}
