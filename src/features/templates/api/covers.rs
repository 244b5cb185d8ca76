//! `GET /media/covers/{id}.jpg`: painted covers.

use std::sync::Arc;

use poem::http::header;
use poem::{Endpoint, Request, Response};

use crate::app::App;
use crate::features::templates::service;
use crate::http::ApiError;

/// A cover changes when the program that paints it does.
const CACHE_CONTROL: &str = "public, max-age=86400";

/// The endpoint for everything below `/media/covers/`.
pub struct TemplateCovers {
    app: Arc<App>,
}

impl TemplateCovers {
    /// Serves the covers of the templates of `app`.
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app) }
    }
}

impl Endpoint for TemplateCovers {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        // Compared as sent: an id needs no escaping, so an escaped one is none.
        let path = request.uri().path();
        let id = path.strip_prefix("/media/covers/").and_then(|name| name.strip_suffix(".jpg"));
        let cover = service::cover(&self.app, id.unwrap_or_default()).await;
        let cover = cover.map_err(ApiError::from)?;
        Ok(Response::builder()
            .header(header::CONTENT_TYPE, "image/jpeg")
            .header(header::CACHE_CONTROL, CACHE_CONTROL)
            .body(cover))
    }
}
