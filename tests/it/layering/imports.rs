//! The paths that a file names: `use` trees unfolded, `crate::…`, `self::…` and `super::…` made
//! whole, names that a `use` brought in replaced by what they stand for.

use std::collections::BTreeMap;

use super::source::{Source, is_name_char};

/// A path and the line that names it. Paths of ours begin with `crate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

impl Named {
    /// The path below the crate's root, or `None` for what is not ours.
    pub(super) fn ours(&self) -> Option<&[String]> {
        self.path.split_first().filter(|(first, _)| *first == "crate").map(|(_, rest)| rest)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    PathSep,
    Other(char),
}

/// Everything that `source` names.
pub(super) fn named(source: &Source) -> Vec<Named> {
    let tokens = tokens(&source.code);
    let mut walk = Walk {
        tokens: &tokens,
        at: 0,
        module: std::iter::once("crate".to_owned()).chain(source.module()).collect(),
        inline: Vec::new(),
        depth: 0,
        known: BTreeMap::new(),
        found: Vec::new(),
    };
    walk.run();
    walk.found
}

fn tokens(code: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        } else if is_name_char(c) {
            let mut name = String::from(c);
            while let Some(more) = chars.next_if(|c| is_name_char(*c)) {
                name.push(more);
            }
            tokens.push((line, Token::Name(name)));
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            tokens.push((line, Token::PathSep));
        } else if !c.is_whitespace() {
            tokens.push((line, Token::Other(c)));
        }
    }
    tokens
}

struct Walk<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    module: Vec<String>,
    /// Modules inside the file, each with the depth of braces outside it.
    inline: Vec<(String, usize)>,
    depth: usize,
    /// What `use` brought in: name → path.
    known: BTreeMap<String, Vec<String>>,
    found: Vec<Named>,
}

impl Walk<'_> {
    fn run(&mut self) {
        while let Some((_, token)) = self.tokens.get(self.at) {
            match token {
                Token::Other('{') => {
                    self.depth += 1;
                    self.at += 1;
                }
                Token::Other('}') => {
                    self.depth = self.depth.saturating_sub(1);
                    self.inline.retain(|(_, outside)| *outside < self.depth);
                    self.at += 1;
                }
                Token::Name(name) if name == "mod" => self.module_begins(),
                Token::Name(name) if name == "use" => {
                    self.at += 1;
                    self.tree(&[], true);
                }
                // What follows a dot, a lifetime's tick or another path is no start of a path.
                Token::Name(_) if !self.follows_path_or_dot() && self.is(1, &Token::PathSep) => {
                    self.tree(&[], false);
                }
                _ => self.at += 1,
            }
        }
    }

    fn is(&self, ahead: usize, token: &Token) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|(_, found)| found == token)
    }

    fn follows_path_or_dot(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        matches!(before, Some((_, Token::PathSep | Token::Other('.' | '\''))))
    }

    fn module_begins(&mut self) {
        self.at += 1;
        let Some((_, Token::Name(name))) = self.tokens.get(self.at) else { return };
        self.at += 1;
        self.known.insert(name.clone(), self.whole(vec!["self".to_owned(), name.clone()]));
        if self.is(0, &Token::Other('{')) {
            self.inline.push((name.clone(), self.depth));
            self.depth += 1;
            self.at += 1;
        }
    }

    /// One path or tree of paths that goes on from `prefix`.
    fn tree(&mut self, prefix: &[String], is_use: bool) {
        let mut path = prefix.to_vec();
        let mut line = self.tokens.get(self.at).map_or(0, |(line, _)| *line);
        while let Some((here, token)) = self.tokens.get(self.at) {
            match token {
                Token::Name(name) => {
                    line = *here;
                    path.push(name.clone());
                    self.at += 1;
                }
                Token::Other('*') if is_use => {
                    path.push("*".to_owned());
                    self.at += 1;
                }
                Token::Other('{') if is_use => {
                    self.at += 1;
                    while !self.is(0, &Token::Other('}')) && self.at < self.tokens.len() {
                        self.tree(&path, true);
                        if self.is(0, &Token::Other(',')) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                _ => break,
            }
            if self.is(0, &Token::PathSep) {
                self.at += 1;
            } else {
                break;
            }
        }
        if path.len() == prefix.len() {
            // Nothing was read (`use ::x` or an odd token): step over it.
            self.at += 1;
            return;
        }
        self.add(path, line, is_use);
    }

    fn add(&mut self, mut path: Vec<String>, line: usize, is_use: bool) {
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let path = self.whole(path);
        if is_use {
            let renamed = match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
                (Some((_, Token::Name(word))), Some((_, Token::Name(name)))) if word == "as" => {
                    self.at += 2;
                    Some(name.clone())
                }
                _ => None,
            };
            if let Some(name) = renamed.or_else(|| path.last().cloned()) {
                self.known.insert(name, path.clone());
            }
        }
        self.found.push(Named { line, path });
    }

    /// The path from the crate's root, when it is one of ours.
    fn whole(&self, path: Vec<String>) -> Vec<String> {
        let here = || {
            let inline = self.inline.iter().map(|(name, _)| name.clone());
            self.module.iter().cloned().chain(inline).collect::<Vec<_>>()
        };
        match path[0].as_str() {
            "dream_bff" => {
                std::iter::once("crate".to_owned()).chain(path.into_iter().skip(1)).collect()
            }
            "self" => here().into_iter().chain(path.into_iter().skip(1)).collect(),
            "super" => {
                let mut base = here();
                let ups = path.iter().take_while(|name| *name == "super").count();
                base.truncate(base.len().saturating_sub(ups).max(1));
                base.into_iter().chain(path.into_iter().skip(ups)).collect()
            }
            name => match self.known.get(name) {
                Some(known) => known.iter().cloned().chain(path.into_iter().skip(1)).collect(),
                None => path,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        named(&Source::new(path, text)).iter().map(|named| named.path.join("::")).collect()
    }

    #[test]
    fn trees_are_unfolded_and_relative_paths_made_whole() {
        let text = "use crate::{a::{self, B}, c as d};\nuse super::model::*;\nuse self::e::F;";
        let expected = [
            "crate::a",
            "crate::a::B",
            "crate::c",
            "crate::features::x::model::*",
            "crate::features::x::api::e::F",
        ];
        assert_eq!(paths("src/features/x/api.rs", text), expected);
    }

    #[test]
    fn a_name_stands_for_what_it_was_imported_as() {
        let text = "use crate::features as f;\nfn g() { f::users::store::get(); x.f::<u8>() }";
        assert_eq!(
            paths("src/cli/a.rs", text),
            ["crate::features", "crate::features::users::store::get"]
        );
    }

    #[test]
    fn a_child_module_is_known_by_its_bare_name() {
        let text = "mod api;\npub use api::Wire;";
        assert_eq!(paths("src/features/x/mod.rs", text), ["crate::features::x::api::Wire"]);
    }

    #[test]
    fn modules_inside_a_file_count() {
        let text = "mod p { pub use super::A; }\nuse super::B;";
        assert_eq!(paths("src/db/mod.rs", text), ["crate::db::A", "crate::B"]);
    }

    #[test]
    fn the_line_is_that_of_the_name() {
        let source = Source::new("src/a.rs", "use crate::b;\n\nuse crate::{\n    c,\n    d,\n};");
        let lines: Vec<_> = named(&source).iter().map(|named| named.line).collect();
        assert_eq!(lines, [1, 4, 5]);
    }
}
