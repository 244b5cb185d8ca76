//! The rules of the layout that the compiler cannot hold: which way imports run, who may write a
//! table, where SQL stands. Each finding names file, line and rule; `docs/ARCHITECTURE.md` says why.

mod direction;
mod habits;
mod imports;
pub(crate) mod source;
mod sql;

use std::fmt;
use std::path::Path;

use direction::Features;

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    rule: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: String) -> Self {
        Self { path: path.to_owned(), line, rule }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

#[test]
fn the_source_keeps_the_rules_of_the_layout() {
    let sources = source::all(Path::new(env!("CARGO_MANIFEST_DIR")));
    let features = Features::of(&sources);
    assert!(features.order.len() > 1, "the features of src/features/mod.rs were not understood");
    let mut findings = sql::check_writers(&sources);
    for source in &sources {
        findings.extend(direction::check(source, &features));
        findings.extend(sql::check(source));
        findings.extend(habits::check(source));
    }
    findings.sort();
    findings.dedup();
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} lines break a rule:\n{}", shown.len(), shown.join("\n"));
}

/// A checker that sees nothing would be content with everything.
#[test]
fn the_checker_sees_the_source() {
    let sources = source::all(Path::new(env!("CARGO_MANIFEST_DIR")));
    let of = |path: &str| sources.iter().find(|source| source.path == path).expect(path);
    let names = |path: &str, name: &[&str]| {
        imports::named(of(path)).iter().any(|named| named.ours().is_some_and(|ours| ours == name))
    };
    assert!(names("src/features/login/service.rs", &["features", "auth", "service", "NewSession"]));
    assert!(names("src/features/users/store.rs", &["features", "users", "model", "StoredUser"]));
    assert!(names("src/main.rs", &["cli", "run"]));
    assert!(of("src/features/users/store.rs").literals.len() > 3);
    assert!(!sources.iter().any(|source| source.path.ends_with("/tests.rs")));
}
