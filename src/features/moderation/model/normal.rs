//! What a text is for the word list: without the things by which one word can be written in many ways.
//!
//! Width, case, accents and what Unicode calls compatible (①, ℌ, ﬁ) are taken away, look-alikes of Latin
//! letters become these, and spaces, signs and what cannot be seen are left out. Doing it again changes
//! nothing. Traditional and simplified characters stay what they are.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text as it is compared, with the way back to the text as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::features::moderation) struct Normal {
    pub(in crate::features::moderation) text: String,
    /// By byte of `text`.
    places: Vec<Place>,
}

/// Where a byte of the normal text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Which character of the original, from 0.
    origin: usize,
    /// A Latin letter or digit.
    is_latin: bool,
    /// Nothing that can be seen stands between it and what comes before.
    is_joined: bool,
}

impl Normal {
    /// The normal form of `text`.
    pub(in crate::features::moderation) fn of(text: &str) -> Self {
        let mut normal = Self::default();
        let mut is_joined = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((origin, c)) = chars.next() {
            if is_invisible(c) {
                continue;
            }
            let is_before_latin = chars.peek().is_some_and(|(_, next)| is_latin(*next));
            let mut is_kept = false;
            for c in folded(c) {
                let is_behind_latin =
                    is_joined && normal.places.last().is_some_and(|place| place.is_latin);
                let c = match c {
                    '@' if is_behind_latin || is_before_latin => 'a',
                    '$' if is_behind_latin || is_before_latin => 's',
                    // Between other characters they only keep these apart.
                    '@' | '$' => continue,
                    other => other,
                };
                is_kept = true;
                let place = Place { origin, is_latin: c.is_ascii_alphanumeric(), is_joined };
                normal.text.push(c);
                normal.places.extend(std::iter::repeat_n(place, c.len_utf8()));
                is_joined = true;
            }
            // An accent of its own separates nothing.
            if !is_kept && !is_combining_mark(c) {
                is_joined = false;
            }
        }
        normal
    }

    /// The characters of the original, first and behind the last, of these bytes; `None` when they are
    /// only a part of a Latin word.
    pub(in crate::features::moderation) fn original(
        &self,
        start: usize,
        end: usize,
    ) -> Option<(usize, usize)> {
        let (first, last) = (self.places.get(start)?, self.places.get(end.checked_sub(1)?)?);
        let before = start.checked_sub(1).and_then(|at| self.places.get(at));
        let is_cut = |left: Option<&Place>, right: Option<&Place>| {
            matches!((left, right), (Some(left), Some(right))
                if left.is_latin && right.is_latin && right.is_joined)
        };
        if is_cut(before, Some(first)) || is_cut(Some(last), self.places.get(end)) {
            return None;
        }
        Some((first.origin, last.origin + 1))
    }
}

/// The normal form alone.
pub(in crate::features::moderation) fn normalised(text: &str) -> String {
    Normal::of(text).text
}

/// What is left of a character.
fn folded(c: char) -> impl Iterator<Item = char> {
    std::iter::once(c)
        .nfkd()
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_combining_mark(*c) && !is_invisible(*c))
        .map(alike)
        .filter(|c| c.is_alphanumeric() || matches!(c, '@' | '$'))
}

/// A Latin letter or digit, of any width.
fn is_latin(c: char) -> bool {
    folded(c).any(|c| c.is_ascii_alphanumeric())
}

/// Zero-width and direction marks, soft hyphens, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The letter that a character is taken for. Letters that look the same in some script or as a digit
/// become one, in words and texts alike.
fn alike(c: char) -> char {
    match c {
        '0' | 'о' | 'ο' | '〇' => 'o',
        '1' | 'i' | 'і' | 'ι' | 'ı' | 'ӏ' => 'l',
        '3' | 'е' | 'ε' | 'є' => 'e',
        '4' | 'а' | 'α' => 'a',
        '5' | 'ѕ' => 's',
        '7' | 'т' | 'τ' => 't',
        'в' | 'β' => 'b',
        'с' | 'ϲ' => 'c',
        'һ' | 'н' => 'h',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'м' | 'μ' => 'm',
        'п' | 'η' => 'n',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'υ' | 'ц' => 'u',
        'ν' => 'v',
        'ω' | 'ш' | 'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_otherwise_is_the_same() {
        for text in
            ["赌博网站", "赌 博 网 站", "赌.博-网【站】", "赌\u{200b}博\u{feff}网站", "赌@博$网|站"]
        {
            assert_eq!(normalised(text), "赌博网站", "{text:?}");
        }
        let plain = normalised("casino");
        for text in [
            "CASINO",
            "ｃａｓｉｎｏ",
            "c a s i n o",
            "c@s1n0",
            "ⓒⓐⓢⓘⓝⓞ",
            "ℂ𝕒𝕤𝕚𝕟𝕠",
            "cásïno",
            "саѕіпо",
            "c\u{ad}asino",
        ] {
            assert_eq!(normalised(text), plain, "{text:?}");
        }
        assert_ne!(normalised("賭博"), normalised("赌博"), "scripts are not converted");
        assert_eq!(normalised(" 。!\u{200b}"), "");
    }

    #[test]
    fn each_character_alone_is_folded_to_what_stays() {
        for c in '\0'..=char::MAX {
            let once = normalised(&c.to_string());
            assert_eq!(normalised(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn a_part_of_a_latin_word_is_not_found_and_a_spaced_word_is() {
        let found = |text: &str, word: &str| {
            let normal = Normal::of(text);
            let start = normal.text.find(&normalised(word)).unwrap();
            normal.original(start, start + normalised(word).len())
        };
        assert_eq!(found("Essex", "sex"), None);
        assert_eq!(found("his ex", "sex"), None);
        assert_eq!(found("sexy", "sex"), None);
        assert_eq!(found("Es\u{200b}sex", "sex"), None);
        assert_eq!(found("a s e x b", "sex"), Some((2, 7)));
        assert_eq!(found("画sex图", "sex"), Some((1, 4)));
        assert_eq!(found("我要 赌,博", "赌博"), Some((3, 6)));
    }

    proptest! {
        #[test]
        fn normalising_again_changes_nothing(text in any::<String>()) {
            let once = normalised(&text);
            prop_assert_eq!(normalised(&once), once);
        }

        #[test]
        fn what_is_found_lies_within_the_text(text in any::<String>(), start in 0_usize..64, length in 1_usize..64) {
            let normal = Normal::of(&text);
            if let Some((from, to)) = normal.original(start, start + length) {
                prop_assert!(from < to && to <= text.chars().count());
            }
        }
    }
}
