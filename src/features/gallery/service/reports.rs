//! Telling that something is wrong with a picture.

use super::visibility;
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::gallery::model::{GalleryError, Image, ImageStatus, REPORTED};
use crate::features::gallery::store;
use crate::features::settings;

/// Reports a public picture. A user's second report of it changes nothing. With as many open reports
/// as the settings say the picture is hidden until somebody decides.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(in crate::features::gallery) async fn report(
    app: &App,
    user: UserId,
    id: i64,
    reason: String,
    detail: Option<String>,
) -> Result<(), GalleryError> {
    let now = app.clock.now();
    let most = i64::from(settings::service::current(app).gallery.reports_to_hide);
    let is_hidden = app
        .db
        .write("gallery.report", move |tx| {
            store::image(tx, id)?.filter(Image::is_public).ok_or(GalleryError::NotFound)?;
            if !store::reports::insert(tx, user, id, (&reason, detail.as_deref()), now)? {
                return Ok(false);
            }
            let open = store::reports::count(tx, id)?;
            if most == 0 || open < most {
                return Ok(false);
            }
            visibility::conceal(tx, id, ImageStatus::Hidden, Some(REPORTED), now)?;
            Ok::<_, GalleryError>(true)
        })
        .await?;
    if is_hidden {
        super::changed(app);
    }
    Ok(())
}
