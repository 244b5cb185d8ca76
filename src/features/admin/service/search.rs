//! Finding anything by a name that somebody has at hand.

use crate::app::App;
use crate::db::DbError;
use crate::features::admin::model::AdminError;
use crate::features::admin::model::search::{Hit, behind_prefix};
use crate::features::admin::store::search as store;
use crate::features::points;

/// How many things are shown.
const MOST: usize = 30;

/// What has `text` for a name, the exact ones first.
///
/// # Errors
/// What the database fails with.
pub async fn find(app: &App, text: &str) -> Result<Vec<Hit>, AdminError> {
    let text = text.trim().to_owned();
    let number = text.parse::<i64>().ok();
    let code = points::service::redeem::normal(&text);
    let mut hits = app
        .db
        .read("admin.search", move |tx| {
            let mut hits = store::exact(tx, &text)?;
            if let Some(number) = number {
                hits.extend(store::user(tx, number)?);
            }
            if let Some(code) = code {
                hits.extend(store::redeem_code(tx, &code)?);
            }
            // The index compares small letters of ASCII, capitals as such.
            let prefix = text.to_ascii_lowercase();
            if let Some(end) = behind_prefix(&prefix) {
                hits.extend(store::by_name(tx, &prefix, &end)?);
            }
            Ok::<_, DbError>(hits)
        })
        .await?;
    // One thing by two names is one thing.
    let mut seen = std::collections::HashSet::new();
    hits.retain(|hit| seen.insert((hit.kind, hit.id.clone())));
    hits.truncate(MOST);
    Ok(hits)
}
