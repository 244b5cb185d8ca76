//! Small rules that no lint has.

use super::Finding;
use super::source::{Source, is_name_char};

/// A file that is longer has more than one purpose.
const MAX_LINES: usize = 600;

/// What does not stand in code that serves, and what stands there instead.
const BANNED: [(&str, &str); 6] = [
    ("#[allow(", "use #[expect(lint, reason = \"…\")], which says when it is no longer needed"),
    ("#![allow(", "use #[expect(lint, reason = \"…\")], which says when it is no longer needed"),
    ("todo!", "unfinished code does not enter"),
    ("unimplemented!", "unfinished code does not enter"),
    (".unwrap()", "only tests and the start may give up; answer an error"),
    (".expect(", "only tests and the start may give up; answer an error"),
];

/// Where giving up is an answer: nobody is served yet.
const START_UP: [&str; 2] = ["src/main.rs", "src/cli/"];

/// Notes to oneself; with an issue's number in brackets they are notes to everybody.
const NOTES: [&str; 3] = ["TODO", "FIXME", "XXX"];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.lines > MAX_LINES {
        let rule = format!("{} lines; {MAX_LINES} are the most", source.lines);
        findings.push(Finding::new(&source.path, 1, rule));
    }
    let is_start = START_UP.iter().any(|start| source.path.starts_with(start));
    for (number, line) in source.code.lines().enumerate() {
        for (banned, instead) in BANNED {
            if line.contains(banned) && !(is_start && banned.starts_with('.')) {
                let rule = format!("{banned}: {instead}");
                findings.push(Finding::new(&source.path, number + 1, rule));
            }
        }
    }
    for comment in &source.comments {
        for (offset, line) in comment.text.lines().enumerate() {
            if NOTES.iter().any(|note| has_loose_note(line, note)) {
                let rule = "a note without the number of its issue, as in TODO(#12)".to_owned();
                findings.push(Finding::new(&source.path, comment.line + offset, rule));
            }
        }
    }
    findings
}

fn has_loose_note(line: &str, note: &str) -> bool {
    line.match_indices(note).any(|(at, _)| {
        let is_word = !line[..at].ends_with(is_name_char)
            && !line[at + note.len()..].starts_with(is_name_char);
        is_word && !line[at + note.len()..].starts_with("(#")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn giving_up_is_for_tests_and_the_start() {
        let text = "fn f() {\n a.unwrap();\n b.expect(\"c\");\n d.unwrap_or(1);\n todo!()\n}\n\
                    #[cfg(test)]\nmod tests { fn t() { a.unwrap() } }";
        assert_eq!(lines("src/app/mod.rs", text), [2, 3, 5]);
        assert_eq!(lines("src/cli/serve.rs", text), [5]);
    }

    #[test]
    fn a_note_has_a_number() {
        let text = "// TODO(#12): later\n// TODO: later\n/* one\nFIXME two */\n// XXXL mastodon";
        assert_eq!(lines("src/a.rs", text), [2, 4]);
    }

    #[test]
    fn files_are_short_and_lints_are_expected() {
        assert_eq!(lines("src/a.rs", "#[allow(dead_code)]\nfn f() {}"), [1]);
        assert_eq!(lines("src/a.rs", &"\n".repeat(600)), [0; 0]);
        assert_eq!(lines("src/a.rs", &"\n".repeat(601)), [1]);
    }
}
