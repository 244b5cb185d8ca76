//! What a template is, and what one may be.

mod cover;

use serde::{Deserialize, Serialize};

use crate::base::content_version::content_version;
use crate::base::cpu_pool::PoolError;
use crate::db::DbError;

pub(super) use cover::paint_cover;

/// Prompts there can be: the list is answered whole.
pub const MAX_TEMPLATES: usize = 1_000;

/// Pictures that show what a template is good for.
const MAX_PREVIEWS: usize = 9;

/// Characters in an address.
const MAX_URL: usize = 1_024;

/// The shapes of pictures that jobs take.
const ASPECT_RATIOS: [&str; 11] =
    ["Auto", "1:1", "9:16", "16:9", "3:4", "4:3", "3:2", "2:3", "5:4", "4:5", "21:9"];

/// A prompt to start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) prompt: String,
    pub(super) category: String,
    /// Empty: the painted cover.
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

    /// How often it was used.
    pub fn usage_count(&self) -> i64 {
        self.usage_count
    }

    /// The same without what only the server knows.
    pub fn into_draft(self) -> TemplateDraft {
        TemplateDraft {
            id: self.id,
            title: self.title,
            description: self.description,
            prompt: self.prompt,
            category: self.category,
            thumbnail_url: self.thumbnail_url,
            preview_images: self.preview_images,
            is_hot: self.is_hot,
        }
    }
}

/// A template as it is written: by an admin, or in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateDraft {
    /// 1–64 of `a-z`, `0-9`, `-`, `_`; stays for ever, favorites know it.
    pub id: String,
    /// 1–40 characters.
    pub title: String,
    /// Up to 200 characters.
    #[serde(default)]
    pub description: String,
    /// 1–4000 characters, as jobs take them.
    pub prompt: String,
    /// 1–32 characters; templates of one word belong together.
    pub category: String,
    /// An http or https address; empty for the painted cover.
    #[serde(default)]
    pub thumbnail_url: String,
    /// Up to 9 http or https addresses.
    #[serde(default)]
    pub preview_images: Vec<String>,
    #[serde(default)]
    pub is_hot: bool,
}

impl TemplateDraft {
    /// Names the template as it is.
    pub fn version(&self) -> String {
        // Texts and flags always serialise.
        content_version(&serde_json::to_string(self).unwrap_or_default())
    }

    /// Trimmed and checked.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub(super) fn checked(self) -> Result<Self, TemplateError> {
        Ok(Self {
            id: id(self.id)?,
            title: text(&self.title, "title", 1, 40)?,
            description: text(&self.description, "description", 0, 200)?,
            prompt: prompt(&self.prompt)?,
            category: text(&self.category, "category", 1, 32)?,
            thumbnail_url: match self.thumbnail_url.trim() {
                "" => String::new(),
                url => address(url, "thumbnailUrl")?,
            },
            preview_images: {
                if self.preview_images.len() > MAX_PREVIEWS {
                    return Err(TemplateError::Invalid("previewImages".to_owned()));
                }
                let all = self.preview_images.iter();
                all.map(|url| address(url.trim(), "previewImages")).collect::<Result<_, _>>()?
            },
            is_hot: self.is_hot,
        })
    }
}

/// A way to make a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Param {
    /// As of a [`TemplateDraft`].
    pub id: String,
    /// 1–40 characters.
    pub title: String,
    /// `draft` or `final`.
    pub mode: String,
    /// `1K`, `2K` or `4K`.
    pub resolution: String,
    pub aspect_ratio: String,
    /// 1–10.
    pub sample_count: u32,
}

impl Param {
    /// Trimmed and checked.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub(super) fn checked(self) -> Result<Self, TemplateError> {
        let known = |value: &str, all: &[&str], field: &str| match all.contains(&value) {
            true => Ok(()),
            false => Err(TemplateError::Invalid(field.to_owned())),
        };
        known(&self.mode, &["draft", "final"], "mode")?;
        known(&self.resolution, &["1K", "2K", "4K"], "resolution")?;
        known(&self.aspect_ratio, &ASPECT_RATIOS, "aspectRatio")?;
        if !(1..=10).contains(&self.sample_count) {
            return Err(TemplateError::Invalid("sampleCount".to_owned()));
        }
        Ok(Self { id: id(self.id)?, title: text(&self.title, "title", 1, 40)?, ..self })
    }
}

/// All templates as one JSON file, in the order of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateFile {
    #[serde(default)]
    pub prompts: Vec<TemplateDraft>,
    #[serde(default)]
    pub params: Vec<Param>,
}

impl TemplateFile {
    /// Every one checked; no id twice.
    ///
    /// # Errors
    /// `Invalid`, naming the place and the field, as in `prompts[3].title`; `TooMany`.
    pub(super) fn checked(self) -> Result<Self, TemplateError> {
        let prompts = checked_all("prompts", self.prompts, TemplateDraft::checked, |it| &it.id)?;
        let params = checked_all("params", self.params, Param::checked, |it| &it.id)?;
        Ok(Self { prompts, params })
    }
}

fn checked_all<T>(
    list: &str,
    all: Vec<T>,
    check: fn(T) -> Result<T, TemplateError>,
    id: fn(&T) -> &String,
) -> Result<Vec<T>, TemplateError> {
    if all.len() > MAX_TEMPLATES {
        return Err(TemplateError::TooMany);
    }
    let mut seen = std::collections::HashSet::new();
    let one = |(at, item)| {
        let at_field = |field: &str| TemplateError::Invalid(format!("{list}[{at}].{field}"));
        let item = check(item).map_err(|err| match err {
            TemplateError::Invalid(field) => at_field(&field),
            other => other,
        })?;
        match seen.insert(id(&item).clone()) {
            true => Ok(item),
            false => Err(at_field("id")),
        }
    };
    all.into_iter().enumerate().map(one).collect()
}

/// What becomes of the templates that an imported file does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// They stay, behind those of the file.
    Merge,
    /// They go.
    Replace,
}

/// Which prompts a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Filter {
    pub(super) category: Option<String>,
    pub(super) hot_only: bool,
    /// In lower case; all of them have to be there.
    pub(super) words: Vec<String>,
}

impl Filter {
    pub(super) fn shows(&self, template: &Template) -> bool {
        let texts = || [&template.title, &template.description, &template.prompt];
        self.category.as_ref().is_none_or(|category| *category == template.category)
            && (template.is_hot || !self.hot_only)
            && self.words.iter().all(|word| {
                texts().into_iter().any(|text| text.to_lowercase().contains(word.as_str()))
            })
    }
}

/// Why a template cannot be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("there is no such template")]
    NotFound,
    /// Somebody else changed it since the caller read it.
    #[error("the template was changed meanwhile")]
    Outdated,
    /// Another one has the id.
    #[error("there is a template of this id already")]
    Exists,
    /// The field, in a file with its place.
    #[error("{0} is empty, too long or not what it should be")]
    Invalid(String),
    #[error("there would be more than {MAX_TEMPLATES} templates")]
    TooMany,
    #[error("the file is no JSON of templates")]
    Json(#[from] serde_json::Error),
    #[error("the cover could not be painted")]
    Painting,
    #[error("the cover could not be painted now")]
    Busy(#[from] PoolError),
    #[error(transparent)]
    Db(#[from] DbError),
}

fn id(id: String) -> Result<String, TemplateError> {
    match is_id(&id) {
        true => Ok(id),
        false => Err(TemplateError::Invalid("id".to_owned())),
    }
}

/// Whether this can be an id: nothing in it has to be escaped in an address.
fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(is_plain)
}

/// On one line, of so many characters.
fn text(text: &str, field: &str, least: usize, most: usize) -> Result<String, TemplateError> {
    let text = text.trim();
    let is_good =
        (least..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_good { Ok(text.to_owned()) } else { Err(TemplateError::Invalid(field.to_owned())) }
}

fn prompt(prompt: &str) -> Result<String, TemplateError> {
    let prompt = prompt.trim();
    let is_good = (1..=4_000).contains(&prompt.chars().count()) && !prompt.contains('\0');
    if is_good { Ok(prompt.to_owned()) } else { Err(TemplateError::Invalid("prompt".to_owned())) }
}

fn address(url: &str, field: &str) -> Result<String, TemplateError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_good = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.chars().count() <= MAX_URL
        && !url.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_good { Ok(url.to_owned()) } else { Err(TemplateError::Invalid(field.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> TemplateDraft {
        TemplateDraft {
            id: "ink-1".to_owned(),
            title: " 水墨江南 ".to_owned(),
            description: String::new(),
            prompt: "粉墙黛瓦".to_owned(),
            category: "guofeng".to_owned(),
            thumbnail_url: String::new(),
            preview_images: vec![],
            is_hot: false,
        }
    }

    #[track_caller]
    fn blamed(change: impl Fn(&mut TemplateDraft)) -> String {
        let mut draft = draft();
        change(&mut draft);
        match draft.checked() {
            Err(TemplateError::Invalid(field)) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_draft_is_trimmed_and_each_field_checked() {
        assert_eq!(draft().checked().unwrap().title, "水墨江南");
        assert_eq!(blamed(|d| d.id = "A".into()), "id");
        assert_eq!(blamed(|d| d.id = "a/b".into()), "id");
        assert_eq!(blamed(|d| d.title = "题".repeat(41)), "title");
        assert_eq!(blamed(|d| d.title = "a\nb".into()), "title");
        assert_eq!(blamed(|d| d.description = "述".repeat(201)), "description");
        assert_eq!(blamed(|d| d.prompt = "  ".into()), "prompt");
        assert_eq!(blamed(|d| d.category = String::new()), "category");
        assert_eq!(blamed(|d| d.thumbnail_url = "javascript:alert(1)".into()), "thumbnailUrl");
        assert_eq!(blamed(|d| d.preview_images = vec!["x".into()]), "previewImages");
        let many = vec!["https://a/b".to_owned(); 10];
        assert_eq!(blamed(|d| d.preview_images = many.clone()), "previewImages");
    }

    #[test]
    fn a_file_is_blamed_at_its_place() {
        let bad = TemplateDraft { title: String::new(), ..draft() };
        let file = TemplateFile { prompts: vec![draft(), bad], params: vec![] };
        let Err(TemplateError::Invalid(field)) = file.checked() else { panic!() };
        assert_eq!(field, "prompts[1].title");
        let file = TemplateFile { prompts: vec![draft(), draft()], params: vec![] };
        let Err(TemplateError::Invalid(field)) = file.checked() else { panic!() };
        assert_eq!(field, "prompts[1].id");
    }

    #[test]
    fn a_word_is_found_whatever_its_case_and_all_must_be_there() {
        let mut template = Template {
            id: "a".into(),
            title: "Neon 雨夜".into(),
            description: String::new(),
            prompt: "街头".into(),
            category: "portrait".into(),
            thumbnail_url: String::new(),
            preview_images: vec![],
            usage_count: 0,
            is_hot: false,
        };
        let words = |words: &[&str]| Filter {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Filter::default()
        };
        assert!(words(&["neon", "街头"]).shows(&template));
        assert!(!words(&["neon", "雪"]).shows(&template));
        let hot = Filter { hot_only: true, ..Filter::default() };
        assert!(!hot.shows(&template));
        template.is_hot = true;
        assert!(hot.shows(&template));
        let other = Filter { category: Some("poster".into()), ..Filter::default() };
        assert!(!other.shows(&template));
    }
}
