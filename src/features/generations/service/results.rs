//! Results of an image API into pictures of ours.

use crate::app::App;
use crate::clients::image_api::ResultSource;
use crate::features::generations::model::{JobId, Picture};
use crate::features::media::{self, MediaError, Provenance, Source};

/// Takes all results over, in their order; the same call again gives the same pictures. They belong
/// to the job once it is delivered.
///
/// # Errors
/// [`MediaError`] of the first that cannot be taken; `is_retryable` says whether it may work later.
pub(super) async fn store(
    app: &App,
    job: &JobId,
    sources: Vec<ResultSource>,
) -> Result<Vec<Picture>, MediaError> {
    let mut pictures = Vec::with_capacity(sources.len());
    for (index, source) in (0..).zip(sources) {
        let source = match source {
            ResultSource::Url(url) => Source::Url(url),
            ResultSource::Bytes(bytes) => Source::Bytes(bytes),
        };
        let provenance = Provenance { job_id: job.to_string(), index };
        let stored = media::service::store_result(app, source, provenance).await?;
        pictures.push(Picture {
            key: stored.key,
            thumbnail_key: stored.thumbnail_key,
            width: stored.width,
            height: stored.height,
        });
    }
    Ok(pictures)
}
