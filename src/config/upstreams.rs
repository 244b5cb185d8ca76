//! The file of several image APIs: read and checked at the start, with one line for what is wrong.

use std::fs;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::values::BaseUrl;
use crate::base::secret::Secret;

/// More than anybody has; a longer list is a mistake.
const MAX_ENTRIES: usize = 64;

/// Names go to logs and the admin page.
const MAX_NAME_CHARS: usize = 32;

const MAX_WEIGHT: u64 = 1000;
const MAX_CONCURRENCY: u64 = 1000;

const FIELDS: [&str; 7] = ["name", "base", "key", "dialect", "model", "weight", "concurrency"];

/// The language of an image API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImageDialect {
    /// Jobs that are submitted and asked about.
    ImageSaas,
    /// One call that answers with the pictures.
    OpenaiImages,
}

/// One image API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamEntry {
    pub name: String,
    pub base: BaseUrl,
    pub key: Option<Secret<String>>,
    pub dialect: ImageDialect,
    pub model: Option<String>,
    /// 1–1000.
    pub weight: u32,
    /// 1–1000; without one it may have all jobs that run.
    pub concurrency: Option<u32>,
}

/// What stands in the file: at least one image API, each with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamsFile(Vec<UpstreamEntry>);

impl UpstreamsFile {
    /// The image APIs, in the order of the file.
    pub fn entries(&self) -> &[UpstreamEntry] {
        &self.0
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// One line that names the entry and what is wrong with it, never its key.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|err| format!("cannot be read: {err}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The parser's own message may repeat a key; its place does not.
        let list: Value = serde_json::from_str(text).map_err(|err| {
            format!("is no JSON: look at line {}, column {}", err.line(), err.column())
        })?;
        let list = list.as_array().ok_or("must hold an array")?;
        if list.is_empty() || list.len() > MAX_ENTRIES {
            return Err(format!("must hold 1 to {MAX_ENTRIES} entries"));
        }
        let mut entries: Vec<UpstreamEntry> = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let entry = entry(value).map_err(|problem| {
                let name = value["name"].as_str().map(|name| format!(" ({name:?})"));
                format!("entry {}{}: {problem}", index + 1, name.unwrap_or_default())
            })?;
            if entries.iter().any(|other| other.name == entry.name) {
                return Err(format!("entry {}: the name {:?} is taken", index + 1, entry.name));
            }
            entries.push(entry);
        }
        Ok(Self(entries))
    }
}

fn entry(value: &Value) -> Result<UpstreamEntry, String> {
    let entry = value.as_object().ok_or("is no object")?;
    if let Some(unknown) = entry.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(format!("{unknown:?} is none of {}", FIELDS.join(", ")));
    }
    let name = text(entry, "name")?.ok_or("name is missing")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.len() > MAX_NAME_CHARS || !name.chars().all(is_plain) {
        return Err(format!("name must be 1 to {MAX_NAME_CHARS} of A-Z a-z 0-9 . _ -"));
    }
    let base = text(entry, "base")?.ok_or("base is missing")?;
    let base = base.parse().map_err(|problem| format!("base {problem}"))?;
    let dialect = match text(entry, "dialect")? {
        None => ImageDialect::ImageSaas,
        Some(name) => ImageDialect::from_str(name, false)
            .map_err(|_| "dialect is neither image-saas nor openai-images")?,
    };
    let key = text(entry, "key")?;
    if key.is_some_and(|key| !key.chars().all(|c| c.is_ascii_graphic())) {
        return Err("key holds characters that no header can carry".to_owned());
    }
    Ok(UpstreamEntry {
        name: name.to_owned(),
        base,
        key: key.map(|key| Secret::new(key.to_owned())),
        dialect,
        model: text(entry, "model")?.map(str::to_owned),
        weight: number(entry, "weight", MAX_WEIGHT)?.unwrap_or(1),
        concurrency: number(entry, "concurrency", MAX_CONCURRENCY)?,
    })
}

/// A text that is not empty; absent and null are the same.
fn text<'a>(entry: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match entry.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(format!("{name} must be a text that is not empty")),
    }
}

fn number(entry: &Map<String, Value>, name: &str, max: u64) -> Result<Option<u32>, String> {
    let value = match entry.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_u64().filter(|number| (1..=max).contains(number)),
    };
    let value = value.and_then(|number| u32::try_from(number).ok());
    value.map(Some).ok_or_else(|| format!("{name} must be a whole number from 1 to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_entry_and_a_full_one() {
        let file = UpstreamsFile::parse(
            r#"[
              { "name": "main", "base": "https://images.example.com/" },
              { "name": "spare", "base": "http://127.0.0.1:9", "key": "sk-secret", "model": "m",
                "dialect": "openai-images", "weight": 3, "concurrency": 8 }
            ]"#,
        )
        .unwrap();
        let [main, spare] = file.entries() else { panic!("{file:?}") };
        assert_eq!((main.base.as_str(), main.weight), ("https://images.example.com", 1));
        assert_eq!((main.dialect, main.concurrency), (ImageDialect::ImageSaas, None));
        assert_eq!((spare.dialect, spare.weight), (ImageDialect::OpenaiImages, 3));
        assert_eq!((spare.model.as_deref(), spare.concurrency), (Some("m"), Some(8)));
        assert!(!format!("{file:?}").contains("sk-secret"));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_the_entry_and_without_the_key() {
        let base = r#""base":"https://x""#;
        for (text, said) in [
            ("[".to_owned(), "is no JSON"),
            ("{}".to_owned(), "must hold an array"),
            ("[]".to_owned(), "1 to 64 entries"),
            ("[7]".to_owned(), "entry 1: is no object"),
            (format!("[{{{base}}}]"), "entry 1: name is missing"),
            (r#"[{"name":"a"}]"#.to_owned(), r#"entry 1 ("a"): base is missing"#),
            (r#"[{"name":"a","base":"http://x.example"}]"#.to_owned(), "base plain http"),
            (format!(r#"[{{"name":"a b",{base}}}]"#), "name must be"),
            (format!(r#"[{{"name":"a",{base},"wieght":2}}]"#), r#""wieght" is none of"#),
            (format!(r#"[{{"name":"a",{base},"weight":0}}]"#), "weight must be"),
            (format!(r#"[{{"name":"a",{base},"concurrency":"8"}}]"#), "concurrency must be"),
            (format!(r#"[{{"name":"a",{base},"dialect":"dall-e"}}]"#), "dialect is neither"),
            (format!(r#"[{{"name":"a",{base},"key":"sk-secret\n"}}]"#), "key holds"),
            (format!(r#"[{{"name":"a",{base},"key":["sk-secret"]}}]"#), "key must be"),
            (format!(r#"[{{"name":"a",{base},"key":"sk-secret"x}}]"#), "line 1"),
            (format!(r#"[{{"name":"a",{base}}},{{"name":"a",{base}}}]"#), "entry 2: the name"),
        ] {
            let problem = UpstreamsFile::parse(&text).unwrap_err();
            assert!(problem.contains(said), "{text}: {problem}");
            assert!(!problem.contains('\n') && !problem.contains("sk-secret"), "{problem}");
        }
        assert!(UpstreamsFile::read("/nonexistent").unwrap_err().contains("cannot be read"));
    }
}
