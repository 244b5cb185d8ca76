//! What a user asks for, checked.

use serde_json::{Map, Value};

use super::{GenerationError, Pictures};
use crate::clients::image_api::ImageRequest;
use crate::features::settings::{Mode, Resolution};

/// The longest prompt, in characters.
pub(in crate::features::generations) const PROMPT_MAX: usize = 4000;

/// Pictures of one job.
pub(in crate::features::generations) const SAMPLES_MAX: u32 = 10;

/// The longest title, model name or template id, in characters.
const NAME_MAX: usize = 200;

/// `params` as JSON, in bytes.
const PARAMS_MAX: usize = 16 * 1024;

/// What `aspectRatio` may say.
pub(in crate::features::generations) const ASPECT_RATIOS: [&str; 11] =
    ["Auto", "1:1", "9:16", "16:9", "3:4", "4:3", "3:2", "2:3", "5:4", "4:5", "21:9"];

/// What a user asks for.
#[derive(Clone, Debug)]
pub(in crate::features::generations) struct Wish {
    pub(in crate::features::generations) prompt: String,
    pub(in crate::features::generations) negative_prompt: Option<String>,
    pub(in crate::features::generations) mode: Mode,
    pub(in crate::features::generations) model: Option<String>,
    pub(in crate::features::generations) resolution: Resolution,
    pub(in crate::features::generations) aspect_ratio: String,
    pub(in crate::features::generations) sample_count: u32,
    pub(in crate::features::generations) input_image_url: Option<String>,
    pub(in crate::features::generations) input_image: Option<String>,
    pub(in crate::features::generations) template_id: Option<String>,
    pub(in crate::features::generations) template_title: Option<String>,
    pub(in crate::features::generations) template_description: Option<String>,
    pub(in crate::features::generations) params: Map<String, Value>,
}

impl Wish {
    /// Trims and checks; empty texts that may be absent are.
    ///
    /// # Errors
    /// `Invalid` naming the field as the client writes it.
    pub(in crate::features::generations) fn checked(mut self) -> Result<Self, GenerationError> {
        self.prompt = self.prompt.trim().to_owned();
        if !(1..=PROMPT_MAX).contains(&self.prompt.chars().count()) {
            return Err(GenerationError::Invalid("prompt"));
        }
        if !ASPECT_RATIOS.contains(&self.aspect_ratio.as_str()) {
            return Err(GenerationError::Invalid("aspectRatio"));
        }
        if !(1..=SAMPLES_MAX).contains(&self.sample_count) {
            return Err(GenerationError::Invalid("sampleCount"));
        }
        self.negative_prompt = text(self.negative_prompt, "negativePrompt", PROMPT_MAX)?;
        self.model = text(self.model, "model", NAME_MAX)?;
        self.template_id = text(self.template_id, "templateId", NAME_MAX)?;
        self.template_title = text(self.template_title, "templateTitle", NAME_MAX)?;
        self.template_description =
            text(self.template_description, "templateDescription", PROMPT_MAX)?;
        self.input_image_url = text(self.input_image_url, "inputImageUrl", 2048)?;
        // Its length is that of the body, which is limited.
        self.input_image = text(self.input_image, "inputImage", usize::MAX)?;
        if !self.input_image.as_deref().is_none_or(is_picture) {
            return Err(GenerationError::Invalid("inputImage"));
        }
        let params = serde_json::to_vec(&self.params).map_or(usize::MAX, |json| json.len());
        if params > PARAMS_MAX {
            return Err(GenerationError::Invalid("params"));
        }
        Ok(self)
    }

    /// As the price list knows it.
    pub(in crate::features::generations) const fn pictures(&self) -> Pictures {
        Pictures { mode: self.mode, resolution: self.resolution, count: self.sample_count }
    }

    /// As an image API is told it.
    pub(in crate::features::generations) fn request(&self) -> ImageRequest {
        ImageRequest {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone(),
            mode: self.mode_name().to_owned(),
            model: self.model.clone(),
            resolution: self.resolution_name().to_owned(),
            aspect_ratio: self.aspect_ratio.clone(),
            sample_count: self.sample_count,
            input_image_url: self.input_image_url.clone(),
            input_image: self.input_image.clone(),
            template_title: self.template_title.clone(),
            template_description: self.template_description.clone(),
            params: self.params.clone(),
        }
    }

    pub(in crate::features::generations) const fn mode_name(&self) -> &'static str {
        match self.mode {
            Mode::Draft => "draft",
            Mode::Final => "final",
        }
    }

    pub(in crate::features::generations) const fn resolution_name(&self) -> &'static str {
        match self.resolution {
            Resolution::K1 => "1K",
            Resolution::K2 => "2K",
            Resolution::K4 => "4K",
        }
    }
}

fn text(
    value: Option<String>,
    field: &'static str,
    max: usize,
) -> Result<Option<String>, GenerationError> {
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else { return Ok(None) };
    if max != usize::MAX && value.chars().count() > max {
        return Err(GenerationError::Invalid(field));
    }
    Ok(Some(value))
}

/// Whether this is a data URI of a PNG, JPEG or WebP: by its name and by its first bytes.
fn is_picture(uri: &str) -> bool {
    let Some((kind, data)) = uri.split_once(";base64,") else { return false };
    let data = data.as_bytes();
    // The magic numbers as base64 spells them; WebP has its length between the two.
    match kind {
        "data:image/png" => data.starts_with(b"iVBORw0KGgo"),
        "data:image/jpeg" | "data:image/jpg" => data.starts_with(b"/9j/"),
        "data:image/webp" => data.starts_with(b"UklGR"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            prompt: "  a fox \n".to_owned(),
            negative_prompt: Some(String::new()),
            mode: Mode::Final,
            model: None,
            resolution: Resolution::K1,
            aspect_ratio: "Auto".to_owned(),
            sample_count: 1,
            input_image_url: None,
            input_image: None,
            template_id: None,
            template_title: None,
            template_description: None,
            params: Map::new(),
        }
    }

    fn blamed(wish: Wish) -> Option<&'static str> {
        match wish.checked() {
            Ok(_) => None,
            Err(GenerationError::Invalid(field)) => Some(field),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_prompt_is_trimmed_and_counted_in_characters() {
        assert_eq!(wish().checked().unwrap().prompt, "a fox");
        let of = |prompt: String| blamed(Wish { prompt, ..wish() });
        assert_eq!(of("画".repeat(4000)), None);
        assert_eq!(of("画".repeat(4001)), Some("prompt"));
        assert_eq!(of(" \n ".to_owned()), Some("prompt"));
    }

    #[test]
    fn each_field_is_named_when_it_is_wrong() {
        let ratio = Wish { aspect_ratio: "7:3".to_owned(), ..wish() };
        assert_eq!(blamed(ratio), Some("aspectRatio"));
        for count in [0, 11, u32::MAX] {
            assert_eq!(blamed(Wish { sample_count: count, ..wish() }), Some("sampleCount"));
        }
        let params = [("x".to_owned(), Value::from("y".repeat(20_000)))].into_iter().collect();
        assert_eq!(blamed(Wish { params, ..wish() }), Some("params"));
        for bad in ["data:text/plain;base64,AAAA", "iVBORw0KGgo", "data:image/png;base64,/9j/"] {
            let input_image = Some(bad.to_owned());
            assert_eq!(blamed(Wish { input_image, ..wish() }), Some("inputImage"), "{bad}");
        }
        let input_image = Some("data:image/png;base64,iVBORw0KGgoAAAA".to_owned());
        assert_eq!(blamed(Wish { input_image, ..wish() }), None);
    }
}
