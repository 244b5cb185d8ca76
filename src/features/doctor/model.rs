//! What doctor says.

use std::fmt;

use serde::Serialize;

use crate::base::bilingual::{Bilingual, Language};

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is well, or not used.
    Pass,
    /// It works and will not for long, or could not be found out.
    Warn,
    /// Something does not work.
    Fail,
}

/// How much doctor looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What takes seconds, also with a large database.
    Quick,
    /// Everything, however long it takes: the whole file, all books, all counters.
    Full,
}

/// What was found out about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable: scripts and the admin page know it by this.
    pub check: &'static str,
    pub level: Level,
    /// How it stands.
    pub message: Bilingual,
    /// How to mend it, or what to do with it.
    pub hint: Option<Bilingual>,
}

/// Everything that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The worst of all.
    pub level: Level,
    pub findings: Vec<Finding>,
}

/// A finding in the language of whoever reads it.
#[derive(Clone, Debug, Serialize)]
pub struct ToldFinding<'a> {
    pub check: &'static str,
    pub level: Level,
    pub message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
    #[serde(skip)]
    language: Language,
}

/// The same of a report.
#[derive(Clone, Debug, Serialize)]
pub struct ToldReport<'a> {
    pub level: Level,
    pub findings: Vec<ToldFinding<'a>>,
}

impl Level {
    /// What it is called in a line; all are equally wide on a terminal.
    fn word(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Pass, Language::Zh) => "正常",
            (Self::Warn, Language::Zh) => "注意",
            (Self::Fail, Language::Zh) => "失败",
            (Self::Pass, Language::En) => "pass",
            (Self::Warn, Language::En) => "WARN",
            (Self::Fail, Language::En) => "FAIL",
        }
    }
}

impl Finding {
    /// It is well.
    pub(super) fn pass(check: &'static str, message: Bilingual) -> Self {
        Self { check, level: Level::Pass, message, hint: None }
    }

    /// Somebody should look at it.
    pub(super) fn warn(check: &'static str, message: Bilingual, hint: Bilingual) -> Self {
        Self { check, level: Level::Warn, message, hint: Some(hint) }
    }

    /// Somebody must mend it.
    pub(super) fn fail(check: &'static str, message: Bilingual, hint: Bilingual) -> Self {
        Self { check, level: Level::Fail, message, hint: Some(hint) }
    }

    /// It is well, and there is something to do with it elsewhere.
    pub(super) fn with_hint(mut self, hint: Bilingual) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What is said of it in a language.
    pub fn told(&self, language: Language) -> ToldFinding<'_> {
        ToldFinding {
            check: self.check,
            level: self.level,
            message: self.message.text(language),
            hint: self.hint.as_ref().map(|hint| hint.text(language)),
            language,
        }
    }
}

impl Report {
    /// Of these findings.
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Pass);
        Self { level, findings }
    }

    /// How many are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// All of it in a language.
    pub fn told(&self, language: Language) -> ToldReport<'_> {
        let findings = self.findings.iter().map(|finding| finding.told(language)).collect();
        ToldReport { level: self.level, findings }
    }
}

impl fmt::Display for ToldFinding<'_> {
    /// One line, and a second one where there is something to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.word(self.language);
        write!(f, "{level}  {:<22} {}", self.check, self.message)?;
        match self.hint {
            Some(hint) => write!(f, "\n      {:<22} -> {hint}", ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(en: &'static str) -> Bilingual {
        Bilingual::new("某事", en)
    }

    #[test]
    fn a_report_is_as_bad_as_the_worst_of_it() {
        let pass = || Finding::pass("a", text("well"));
        let warn = || Finding::warn("b", text("late"), text("hurry"));
        let fail = || Finding::fail("c", text("broken"), text("mend it"));
        assert_eq!(Report::of(vec![]).level, Level::Pass);
        assert_eq!(Report::of(vec![pass(), warn(), pass()]).level, Level::Warn);
        let report = Report::of(vec![warn(), fail(), warn()]);
        assert_eq!((report.level, report.count(Level::Warn)), (Level::Fail, 2));
    }

    #[test]
    fn a_finding_says_what_and_how_to_mend_it_in_either_language() {
        let full = Finding::fail(
            "disk",
            Bilingual::new("满了", "is full"),
            Bilingual::new("腾出空间", "make room"),
        );
        let text = full.told(Language::En).to_string();
        assert!(text.starts_with("FAIL  disk "), "{text}");
        assert!(text.contains('\n') && text.ends_with("-> make room"), "{text}");
        let text = full.told(Language::Zh).to_string();
        assert!(text.starts_with("失败  disk ") && text.contains("满了\n"), "{text}");
        assert!(text.ends_with("-> 腾出空间"), "{text}");
        let empty = Finding::pass("disk", Bilingual::new("空的", "is empty"));
        assert!(!empty.told(Language::En).to_string().contains('\n'));
    }

    #[test]
    fn programs_get_one_language_and_the_same_keys() {
        let report = Report::of(vec![Finding::pass("disk", Bilingual::new("空的", "is empty"))]);
        let told = |language| serde_json::to_value(report.told(language)).unwrap();
        let wanted = |message| {
            let finding = json!({ "check": "disk", "level": "pass", "message": message });
            json!({ "level": "pass", "findings": [finding] })
        };
        assert_eq!(told(Language::Zh), wanted("空的"));
        assert_eq!(told(Language::En), wanted("is empty"));
    }
}
