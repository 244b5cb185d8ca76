//! Source files as the rules see them: code without comments and texts, texts apart, and what is
//! test code known as such.

use std::fs;
use std::path::Path;

/// A text literal and the line on which it begins.
#[derive(Debug)]
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// The code; comments, texts and test code are blank, lines and columns are kept.
    pub(super) code: String,
    /// Texts outside test code.
    pub(crate) literals: Vec<Literal>,
    /// Comments, tests included, with the line on which each begins.
    pub(super) comments: Vec<Literal>,
    /// Lines in the file.
    pub(super) lines: usize,
    /// Modules that are for tests only and stand in files of their own (`#[cfg(test)] mod x;`).
    test_modules: Vec<Vec<String>>,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut pieces = split(text);
        let mut test_modules = Vec::new();
        for (from, to) in test_items(&pieces.code) {
            let item: String = pieces.code[from..to].iter().collect();
            let lines = line_of(&pieces.code, from)..=line_of(&pieces.code, to);
            if let Some(name) = module_in_own_file(&item) {
                // `#[path = "x_tests.rs"]`: the only text that such a line can have.
                let file = pieces.literals.iter().find(|literal| lines.contains(&literal.line));
                test_modules.push(match file {
                    Some(file) => module_of(&sibling(path, &file.text)),
                    None => module_of(path).into_iter().chain([name]).collect(),
                });
            }
            pieces.literals.retain(|literal| !lines.contains(&literal.line));
            blank(&mut pieces.code[from..to]);
        }
        Self {
            path: path.to_owned(),
            code: pieces.code.into_iter().collect(),
            literals: pieces.literals,
            comments: pieces.comments,
            lines: text.lines().count(),
            test_modules,
        }
    }

    /// The module that the file is, from the root of the crate: `["db", "writer"]`.
    pub(super) fn module(&self) -> Vec<String> {
        module_of(&self.path)
    }
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let mut names: Vec<String> =
        path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}

fn sibling(path: &str, file: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{file}")
}

/// All of `src/`, without the files that are for tests only.
pub(crate) fn all(root: &Path) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    paths.sort();
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a source file can be read");
            let path = path.strip_prefix(root).expect("it is below the root");
            Source::new(&path.to_string_lossy().replace('\\', "/"), &text)
        })
        .collect();
    without_test_files(sources)
}

fn without_test_files(sources: Vec<Source>) -> Vec<Source> {
    let tests: Vec<Vec<String>> =
        sources.iter().flat_map(|source| source.test_modules.clone()).collect();
    sources
        .into_iter()
        .filter(|source| !tests.iter().any(|test| source.module().starts_with(test)))
        .collect()
}

fn collect(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).expect("a source folder can be read") {
        let path = entry.expect("its entries too").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

struct Pieces {
    code: Vec<char>,
    literals: Vec<Literal>,
    comments: Vec<Literal>,
}

/// Separates code, texts and comments.
fn split(text: &str) -> Pieces {
    let mut code: Vec<char> = text.chars().collect();
    let (mut literals, mut comments) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let is_literal = !follows_name(&code, at);
        let (length, inner, kind) = if rest.starts_with(&['/', '/']) {
            let end = rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
            (end, (2, end), &mut comments)
        } else if rest.starts_with(&['/', '*']) {
            let end = block_comment_end(rest);
            (end, (2, end), &mut comments)
        } else if let Some((from, to, end)) = raw_text(rest).filter(|_| is_literal) {
            (end, (from, to), &mut literals)
        } else if rest[0] == '"' {
            let end = text_end(rest);
            (end, (1, end.saturating_sub(1)), &mut literals)
        } else if let Some(end) = char_literal_end(rest) {
            blank(&mut code[at..at + end]);
            at += end;
            continue;
        } else {
            at += 1;
            continue;
        };
        let text = rest[inner.0..inner.1.max(inner.0)].iter().collect();
        kind.push(Literal { line: line_of(&code, at), text });
        blank(&mut code[at..at + length]);
        at += length;
    }
    Pieces { code, literals, comments }
}

fn follows_name(code: &[char], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| is_name_char(code[before]))
}

pub(super) fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment_end(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn text_end(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Start and end of the text, and end of the whole, of `r"…"`, `r#"…"#`, `br"…"` and the like.
fn raw_text(rest: &[char]) -> Option<(usize, usize, usize)> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    if prefix == 0 || prefix > 2 || rest[prefix - 1] != 'r' {
        return None;
    }
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let from = prefix + hashes + 1;
    if rest.get(from - 1) != Some(&'"') {
        return None;
    }
    let is_end = |at: &usize| {
        rest[*at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let to = (from..rest.len()).find(is_end)?;
    Some((from, to, to + 1 + hashes))
}

/// The end of `'x'` or `'\n'`; `None` for a lifetime.
fn char_literal_end(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', ..] => rest.iter().skip(3).position(|c| *c == '\'').map(|more| more + 4),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// From `#[cfg(test)]` to the end of the item below it.
fn test_items(code: &[char]) -> Vec<(usize, usize)> {
    let marker: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut items = Vec::new();
    let mut at = 0;
    while at + marker.len() <= code.len() {
        if code[at..].starts_with(&marker) {
            let end = item_end(code, at + marker.len());
            items.push((at, end));
            at = end;
        } else {
            at += 1;
        }
    }
    items
}

/// The first `;` or closed `{…}` outside brackets.
fn item_end(code: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, c) in code[from..].iter().enumerate() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && *c == '}' {
                    return from + offset + 1;
                }
            }
            ';' if depth == 0 => return from + offset + 1,
            _ => {}
        }
    }
    code.len()
}

fn module_in_own_file(item: &str) -> Option<String> {
    let words: Vec<&str> = item.trim_end_matches(';').split_whitespace().collect();
    match words.as_slice() {
        [.., "mod", name] if item.ends_with(';') => Some((*name).to_owned()),
        _ => None,
    }
}

fn line_of(code: &[char], at: usize) -> usize {
    1 + code[..at].iter().filter(|c| **c == '\n').count()
}

fn blank(code: &mut [char]) {
    for c in code.iter_mut().filter(|c| **c != '\n') {
        *c = ' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_texts_and_tests_are_no_code() {
        let source = Source::new(
            "src/a.rs",
            r##"//! use crate::x;
            fn f<'a>(c: &'a str) { g("use crate::y;", 'u', '\'', r#"raw "text""#) /* crate::z */ }
            #[cfg(test)]
            mod tests { fn t() { crate::w::h("crate::v") } }
            fn last() {}"##,
        );
        assert!(!source.code.contains("crate::"), "{}", source.code);
        assert!(source.code.contains("fn f<'a>(c: &'a str) { g("));
        assert!(source.code.contains("fn last() {}"));
        let texts: Vec<_> = source.literals.iter().map(|l| (l.line, l.text.as_str())).collect();
        assert_eq!(texts, [(2, "use crate::y;"), (2, "raw \"text\"")]);
        assert_eq!(source.comments.len(), 2);
    }

    #[test]
    fn modules_for_tests_in_files_of_their_own_are_left_out() {
        let sources = vec![
            Source::new("src/a/mod.rs", "pub mod b;\n#[cfg(test)]\nmod tests;"),
            Source::new("src/a/b.rs", "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;"),
            Source::new("src/a/b_tests.rs", "use crate::cli::X;"),
            Source::new("src/a/tests.rs", "use crate::server::X;"),
            Source::new("src/a/tests/deep.rs", ""),
        ];
        let kept = without_test_files(sources);
        let kept: Vec<_> = kept.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(kept, ["src/a/mod.rs", "src/a/b.rs"]);
    }
}
