//! Templates on the wire.

use poem_openapi::Object;

use super::model::Template;

/// A prompt to start from.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct PromptTemplate {
    id: String,
    title: String,
    description: String,
    prompt: String,
    category: String,
    thumbnail_url: String,
    preview_images: Vec<String>,
    /// How often it was used.
    usage_count: i64,
    is_hot: bool,
}

impl From<&Template> for PromptTemplate {
    fn from(template: &Template) -> Self {
        let template = template.clone();
        Self {
            id: template.id,
            title: template.title,
            description: template.description,
            prompt: template.prompt,
            category: template.category,
            thumbnail_url: template.thumbnail_url,
            preview_images: template.preview_images,
            usage_count: template.usage_count,
            is_hot: template.is_hot,
        }
    }
}
