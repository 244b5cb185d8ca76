//! The answer of operations that have nothing to say but that it is done.

use poem_openapi::Object;

/// A text to show.
#[derive(Debug, Object)]
pub struct MessageResponse {
    pub message: String,
}

impl MessageResponse {
    /// With this text.
    pub fn new(message: &str) -> Self {
        Self { message: message.to_owned() }
    }
}
