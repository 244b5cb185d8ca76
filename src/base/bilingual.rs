//! Texts for people, in the two languages that are spoken here.

use std::borrow::Cow;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The languages of messages: Chinese where nobody wishes otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// A text in both languages. Both halves are written where it is made, so that neither can be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bilingual {
    pub zh: Cow<'static, str>,
    pub en: Cow<'static, str>,
}

impl Language {
    /// What a terminal is set to: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that says anything, as
    /// POSIX wants it. English where it is not Chinese: a terminal that was never set up may not even show
    /// Chinese. `variable` gives the value of a variable of the environment.
    pub fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable);
        let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Zh } else { Self::En }
    }
}

impl Bilingual {
    /// What is said in Chinese, and the same in English.
    pub fn new(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// What comes from elsewhere and is in one language only.
    pub fn same(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { zh: text.clone(), en: text }
    }

    /// The text in a language.
    pub fn text(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_speaks_chinese_when_it_is_set_to_it() {
        let of = |set: &[(&str, &str)]| {
            Language::of_terminal(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        for zh in ["zh_CN.UTF-8", "zh", "zh_TW", "zh-Hans", "ZH_cn.utf8", "zh@pinyin"] {
            assert_eq!(of(&[("LANG", zh)]), Language::Zh, "{zh}");
        }
        for en in ["C", "C.UTF-8", "POSIX", "en_US.UTF-8", "de_DE", "", "zhx"] {
            assert_eq!(of(&[("LANG", en)]), Language::En, "{en}");
        }
        assert_eq!(of(&[]), Language::En);
        assert_eq!(of(&[("LANG", "zh_CN"), ("LC_ALL", "C")]), Language::En, "LC_ALL goes first");
        assert_eq!(of(&[("LANG", "C"), ("LC_MESSAGES", "zh_CN")]), Language::Zh);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "zh_CN")]), Language::Zh, "empty says nothing");
    }

    #[test]
    fn each_language_has_its_half() {
        let text = Bilingual::new("磁盘", "disk");
        assert_eq!((text.text(Language::Zh), text.text(Language::En)), ("磁盘", "disk"));
        assert_eq!(Bilingual::same("/tmp"), Bilingual::new("/tmp", "/tmp"));
    }
}
