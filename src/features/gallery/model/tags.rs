//! Tags: how they are written, so that one tag is one tag.

use super::GalleryError;
use super::search::folded;

/// Tags of one picture.
const MAX_TAGS: usize = 10;

/// Characters of one tag.
const MAX_CHARS: usize = 20;

/// Tags as they are stored: without `#` and outer space, in small letters and of one width, each once,
/// in their order. Empty ones are left out.
///
/// # Errors
/// `Invalid`: too many, too long, or with characters that cannot be seen.
pub(in crate::features::gallery) fn normalised(
    tags: &[String],
) -> Result<Vec<String>, GalleryError> {
    let mut found: Vec<String> = Vec::new();
    for tag in tags {
        let Some(tag) = tag_of(tag)? else { continue };
        if !found.contains(&tag) {
            found.push(tag);
        }
    }
    if found.len() > MAX_TAGS {
        return Err(GalleryError::Invalid("tags"));
    }
    Ok(found)
}

/// The tag that a list is asked for, in the same form; `None` when there is nothing in it.
///
/// # Errors
/// `Invalid`.
pub(in crate::features::gallery) fn single_tag(text: &str) -> Result<Option<String>, GalleryError> {
    tag_of(text).map_err(|_| GalleryError::Invalid("tag"))
}

fn tag_of(text: &str) -> Result<Option<String>, GalleryError> {
    if text.chars().any(char::is_control) {
        return Err(GalleryError::Invalid("tags"));
    }
    let text = folded(text);
    let words: Vec<&str> = text.trim_start_matches([' ', '#']).split_whitespace().collect();
    let tag = words.join(" ");
    if tag.chars().count() > MAX_CHARS {
        return Err(GalleryError::Invalid("tags"));
    }
    Ok((!tag.is_empty()).then_some(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(texts: &[&str]) -> Option<Vec<String>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        normalised(&texts).ok()
    }

    #[test]
    fn one_tag_is_written_one_way() {
        let found = tags(&["#水墨", " 水墨 ", "", "＃Ｉｎｋ  Art", "ink art", "#"]).unwrap();
        assert_eq!(found, ["水墨", "ink art"]);
        assert_eq!(tags(&[]).unwrap(), [""; 0]);
        assert_eq!(single_tag("##水墨").unwrap(), Some("水墨".to_owned()));
        assert_eq!(single_tag(" # ").unwrap(), None);
    }

    #[test]
    fn too_many_or_too_long_ones_are_refused() {
        assert!(tags(&[&"梦".repeat(20)]).is_some());
        assert!(tags(&[&"梦".repeat(21)]).is_none());
        assert!(tags(&["a\u{0}b"]).is_none() && tags(&["a\nb"]).is_none());
        let many: Vec<String> = (0..11).map(|n| format!("t{n}")).collect();
        assert!(normalised(&many).is_err() && normalised(&many[..10]).is_ok());
    }
}
