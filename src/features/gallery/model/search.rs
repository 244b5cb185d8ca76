//! Words of a text for the search index, and what is asked of it.
//!
//! Chinese is written without spaces, so a run of it is indexed as its characters and its pairs of
//! neighbours: 「水墨山水画」 has 山水, and is found by 「山水」, 「山」 and 「水墨画」's pairs where all of
//! them occur. Other scripts are indexed by words and found by their beginning. Category, author and
//! tags are words of their own (`c:…`, `a:…`, `t:…`) that no text can contain, so every combination of
//! filters is one question to the index.
//!
//! What is asked is built from checked words in quotes: no syntax of the index gets through.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::Filter;
use crate::base::ids::UserId;

/// Longer words are cut: nobody types more, and an index entry has to have a bound.
const MAX_WORD_CHARS: usize = 32;

/// Words and pairs of one question that count; the rest would not narrow it down any more.
const MAX_QUERY_TERMS: usize = 32;

/// The words under which a picture is found, each once, separated by spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchTerms(String);

impl SearchTerms {
    /// Of a picture with this prompt and these tags.
    pub fn of(prompt: &str, tags: &[String], category: &str, author: Option<UserId>) -> Self {
        let mut terms = Terms::default();
        for piece in pieces(&folded(prompt)) {
            terms.add_piece(&piece);
        }
        for tag in tags {
            for piece in pieces(tag) {
                terms.add_piece(&piece);
            }
            terms.add(tag_term(tag));
        }
        terms.add(category_term(category));
        if let Some(UserId(author)) = author {
            terms.add(author_term(author));
        }
        Self(terms.text)
    }

    /// As the index takes them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A question to the search index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::features::gallery) enum SearchQuery {
    /// Nothing can match: there is no word in what was typed.
    Nothing,
    Match(String),
}

impl SearchQuery {
    /// All that `filter` asks for.
    pub(super) fn of(filter: &Filter) -> Self {
        let mut terms: Vec<String> = Vec::new();
        if let Some(q) = &filter.q {
            for piece in pieces(&folded(q)) {
                match piece {
                    Piece::Han(run) => terms.extend(han_question(&run)),
                    Piece::Word(word) if word.chars().count() > 1 => {
                        terms.push(format!("\"{word}\" *"));
                    }
                    Piece::Word(word) => terms.push(format!("\"{word}\"")),
                }
            }
            if terms.is_empty() {
                return Self::Nothing;
            }
            terms.truncate(MAX_QUERY_TERMS);
        }
        let others = [
            filter.tag.as_deref().map(tag_term),
            filter.author.map(author_term),
            filter.category.as_deref().map(category_term),
        ];
        terms.extend(others.into_iter().flatten().map(|term| format!("\"{term}\"")));
        Self::Match(terms.join(" AND "))
    }
}

/// A run of the pairs covers all its characters, except when there is but one.
fn han_question(run: &[char]) -> Vec<String> {
    match run {
        [single] => vec![format!("\"{single}\"")],
        run => run.windows(2).map(|pair| format!("\"{}{}\"", pair[0], pair[1])).collect(),
    }
}

/// The words so far.
#[derive(Default)]
struct Terms {
    seen: HashSet<String>,
    text: String,
}

impl Terms {
    fn add(&mut self, term: String) {
        if self.seen.contains(&term) {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(&term);
        self.seen.insert(term);
    }

    fn add_piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Word(word) => self.add(word.clone()),
            Piece::Han(run) => {
                for single in run {
                    self.add(single.to_string());
                }
                for pair in run.windows(2) {
                    self.add(pair.iter().collect());
                }
            }
        }
    }
}

/// A part of a text between spaces and punctuation.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// Characters of a script that is written without spaces.
    Han(Vec<char>),
    Word(String),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut is_open = false;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            is_open = false;
            continue;
        }
        match (found.last_mut().filter(|_| is_open), is_spaceless(c)) {
            (Some(Piece::Han(run)), true) => run.push(c),
            (Some(Piece::Word(word)), false) => {
                if word.chars().count() < MAX_WORD_CHARS {
                    word.push(c);
                }
            }
            (_, true) => found.push(Piece::Han(vec![c])),
            (_, false) => found.push(Piece::Word(c.to_string())),
        }
        is_open = true;
    }
    found
}

/// Han characters and kana.
fn is_spaceless(c: char) -> bool {
    matches!(u32::from(c),
        0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3041..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// Small letters, of one width: full-width forms are what Chinese keyboards make of ASCII.
pub(super) fn folded(text: &str) -> String {
    text.chars()
        .map(|c| match u32::from(c) {
            code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
            0x3000 => ' ',
            _ => c,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

fn tag_term(tag: &str) -> String {
    format!("t:{}", escaped(tag))
}

fn category_term(category: &str) -> String {
    format!("c:{}", escaped(category))
}

fn author_term(author: i64) -> String {
    format!("a:{author}")
}

/// Letters and digits as they are, anything else by its number: the index takes it as one word.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if c.is_alphanumeric() {
            escaped.push(c);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(escaped, "_{:x}_", u32::from(c));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Sort;
    use super::*;

    fn query(q: &str) -> SearchQuery {
        let q = Some(q.to_owned());
        SearchQuery::of(&Filter { sort: Sort::New, category: None, author: None, tag: None, q })
    }

    fn asked(q: &str) -> String {
        match query(q) {
            SearchQuery::Match(text) => text,
            SearchQuery::Nothing => String::new(),
        }
    }

    #[test]
    fn chinese_is_indexed_by_characters_and_pairs() {
        let terms = SearchTerms::of("山水画", &["水墨".to_owned()], "landscape", Some(UserId(7)));
        assert_eq!(terms.as_str(), "山 水 画 山水 水画 墨 水墨 t:水墨 c:landscape a:7");
        assert_eq!(asked("山水"), "\"山水\"");
        assert_eq!(asked("山"), "\"山\"");
        assert_eq!(asked("水墨画"), "\"水墨\" AND \"墨画\"");
    }

    #[test]
    fn words_are_found_by_their_beginning_whatever_their_case_and_width() {
        let terms = SearchTerms::of("Ｎｅｏｎ City, 8k", &[], "a b", None);
        assert_eq!(terms.as_str(), "neon city 8k c:a_20_b");
        assert_eq!(asked("NEO　c"), "\"neo\" * AND \"c\"");
        assert_eq!(asked("8K夜景"), "\"8k\" * AND \"夜景\"");
    }

    #[test]
    fn filters_are_words_that_no_text_has() {
        let filter = Filter {
            sort: Sort::New,
            category: Some("land".to_owned()),
            author: Some(3),
            tag: Some("c++".to_owned()),
            q: None,
        };
        let SearchQuery::Match(text) = SearchQuery::of(&filter) else { panic!("nothing asked") };
        assert_eq!(text, "\"t:c_2b__2b_\" AND \"a:3\" AND \"c:land\"");
        assert!(!SearchTerms::of("a:3 t:x", &[], "x", None).as_str().contains("a:3"));
    }

    #[test]
    fn signs_alone_match_nothing() {
        for q in ["，。！", "\"*", " ", "--", "😀"] {
            assert_eq!(query(q), SearchQuery::Nothing, "{q}");
        }
    }

    proptest! {
        #[test]
        fn no_syntax_gets_through(q in "\\PC{0,40}") {
            let text = asked(&q);
            for term in text.split(" AND ").filter(|term| !term.is_empty()) {
                let word = term.strip_suffix(" *").unwrap_or(term);
                let word = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                prop_assert!(word.is_some_and(|word| word.chars().all(char::is_alphanumeric)), "{text}");
            }
        }

        #[test]
        fn a_part_of_a_text_asks_only_for_words_that_the_text_has(
            text in "[山水墨画龙a-c ，]{1,30}", from in 0_usize..30, length in 1_usize..8
        ) {
            let chars: Vec<char> = text.chars().collect();
            let part: String = chars.iter().skip(from).take(length).collect();
            let terms = SearchTerms::of(&text, &[], "x", None);
            let terms: Vec<&str> = terms.as_str().split(' ').collect();
            for asked in asked(&part).split(" AND ").filter(|term| term.contains(is_spaceless)) {
                prop_assert!(terms.contains(&asked.trim_matches('"')), "{text} {part} {asked}");
            }
        }
    }
}
