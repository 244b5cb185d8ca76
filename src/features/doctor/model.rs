//! What doctor says.

use std::fmt;

use serde::Serialize;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable: scripts and the admin page know it by this.
    pub check: &'static str,
    pub level: Level,
    /// How it stands.
    pub message: String,
    /// How to mend it, or what to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Everything that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all.
    pub level: Level,
    pub findings: Vec<Finding>,
}

impl Finding {
    /// It is well.
    pub(super) fn pass(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, level: Level::Pass, message: message.into(), hint: None }
    }

    /// Somebody should look at it.
    pub(super) fn warn(
        check: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (message, hint) = (message.into(), Some(hint.into()));
        Self { check, level: Level::Warn, message, hint }
    }

    /// Somebody must mend it.
    pub(super) fn fail(
        check: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (message, hint) = (message.into(), Some(hint.into()));
        Self { check, level: Level::Fail, message, hint }
    }

    /// It is well, and there is something to do with it elsewhere.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
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
}

impl fmt::Display for Finding {
    /// One line, and a second one where there is something to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Pass => "pass",
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
        };
        write!(f, "{level}  {:<22} {}", self.check, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n      {:<22} -> {hint}", ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_as_bad_as_the_worst_of_it() {
        let pass = || Finding::pass("a", "well");
        let warn = || Finding::warn("b", "late", "hurry");
        let fail = || Finding::fail("c", "broken", "mend it");
        assert_eq!(Report::of(vec![]).level, Level::Pass);
        assert_eq!(Report::of(vec![pass(), warn(), pass()]).level, Level::Warn);
        let report = Report::of(vec![warn(), fail(), warn()]);
        assert_eq!((report.level, report.count(Level::Warn)), (Level::Fail, 2));
    }

    #[test]
    fn a_finding_says_what_and_how_to_mend_it() {
        let text = Finding::fail("disk", "is full", "make room").to_string();
        assert!(text.starts_with("FAIL  disk "), "{text}");
        assert!(text.contains("\n") && text.ends_with("-> make room"), "{text}");
        assert!(!Finding::pass("disk", "is empty").to_string().contains('\n'));
    }
}
