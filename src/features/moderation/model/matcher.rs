//! The word list as it is searched with: all words in one pass over a text.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::normal::Normal;
use super::{Found, ListedWord};

/// The word list, ready to search with.
#[derive(Debug)]
pub(in crate::features::moderation) struct Matcher {
    /// By normal words; patterns are in the order of `words`.
    search: AhoCorasick,
    /// As they were added.
    words: Vec<String>,
}

impl Matcher {
    /// Of these words.
    ///
    /// # Errors
    /// When there are too many for the automaton.
    pub(in crate::features::moderation) fn of(list: Vec<ListedWord>) -> Result<Self, BuildError> {
        // Built fast and small; a search is a matter of microseconds either way.
        let search = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(list.iter().map(|listed| &listed.word))?;
        Ok(Self { search, words: list.into_iter().map(|listed| listed.text).collect() })
    }

    /// Whether any word is in the text.
    pub(in crate::features::moderation) fn is_in(&self, text: &str) -> bool {
        self.matches(&Normal::of(text)).next().is_some()
    }

    /// The words in the text by where they end, at most `most`.
    pub(in crate::features::moderation) fn find(&self, text: &str, most: usize) -> Vec<Found> {
        self.matches(&Normal::of(text)).take(most).collect()
    }

    fn matches<'a>(&'a self, normal: &'a Normal) -> impl Iterator<Item = Found> + 'a {
        self.search.find_overlapping_iter(&normal.text).filter_map(|found| {
            let (start, end) = normal.original(found.start(), found.end())?;
            let word = self.words.get(found.pattern().as_usize())?.clone();
            Some(Found { word, start, end })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixMillis;
    use crate::features::moderation::model::normalised;

    fn matcher(words: &[&str]) -> Matcher {
        let listed = |text: &&str| ListedWord {
            word: normalised(text),
            text: (*text).to_owned(),
            added_by: "test".to_owned(),
            added_at: UnixMillis(0),
        };
        Matcher::of(words.iter().map(listed).collect()).unwrap()
    }

    #[test]
    fn words_are_found_with_where_they_stand_in_the_original() {
        let matcher = matcher(&["赌博", "Casino", "博彩"]);
        let found = |text: &str| -> Vec<(String, usize, usize)> {
            let found = matcher.find(text, 10);
            found.into_iter().map(|found| (found.word, found.start, found.end)).collect()
        };
        assert_eq!(found("去 赌 博 彩"), [("赌博".to_owned(), 2, 5), ("博彩".to_owned(), 4, 7)]);
        assert_eq!(found("ＣＡＳＩＮＯ!"), [("Casino".to_owned(), 0, 6)]);
        assert_eq!(found("casinos, 赌注"), []);
        assert_eq!(matcher.find(&"赌博".repeat(50), 3).len(), 3);
    }

    #[test]
    fn an_empty_list_finds_nothing() {
        assert!(!matcher(&[]).is_in("赌博"));
    }
}
