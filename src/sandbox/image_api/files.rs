//! The result files: drawn when they are fetched, kept for a while.

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::request::PictureRequest;
use crate::sandbox::picture;

/// Memory for pictures that may be fetched again, in bytes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Pictures drawn at once.
const PAINTERS: usize = 2;

#[derive(Debug)]
pub(super) struct Files {
    drawn: Cache<String, Vec<u8>>,
    painters: Semaphore,
}

impl Default for Files {
    fn default() -> Self {
        let weigh = |name: &String, png: &Vec<u8>| {
            u32::try_from(name.len() + png.len()).unwrap_or(u32::MAX)
        };
        Self {
            drawn: Cache::builder().max_capacity(CACHE_BYTES).weigher(weigh).build(),
            painters: Semaphore::new(PAINTERS),
        }
    }
}

impl Files {
    /// Picture `index` of a request as PNG, kept under `name`.
    pub(super) async fn picture(
        &self,
        name: &str,
        request: &PictureRequest,
        index: u32,
    ) -> Option<Vec<u8>> {
        if let Some(png) = self.drawn.get(name) {
            return Some(png);
        }
        let _painter = self.painters.acquire().await.ok()?;
        let seed: [u8; 32] = Sha256::new()
            .chain_update(&request.prompt)
            .chain_update(request.salt)
            .chain_update(index.to_le_bytes())
            .finalize()
            .into();
        let (prompt, width, height) = (request.prompt.clone(), request.width, request.height);
        let drawing =
            tokio::task::spawn_blocking(move || picture::draw(&prompt, &seed, width, height));
        match drawing.await {
            Ok(Ok(png)) => {
                self.drawn.insert(name.to_owned(), png.clone());
                Some(png)
            }
            Ok(Err(err)) => {
                tracing::error!(error = %err, "a picture could not be encoded");
                None
            }
            Err(err) => {
                tracing::error!(error = %err, "a picture could not be drawn");
                None
            }
        }
    }
}

/// The file name of a job's picture.
pub(super) fn name(job_id: &str, index: u32) -> String {
    format!("{job_id}-{index}.png")
}

/// Job and index of a file name.
pub(super) fn parse_name(name: &str) -> Option<(&str, u32)> {
    let (job_id, index) = name.strip_suffix(".png")?.rsplit_once('-')?;
    Some((job_id, index.parse().ok()?))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
