//! What a template is.

/// A prompt to start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) prompt: String,
    pub(super) category: String,
    pub(super) thumbnail_url: String,
    pub(super) preview_images: Vec<String>,
    pub(super) usage_count: i64,
    pub(super) is_hot: bool,
}

impl Template {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}
