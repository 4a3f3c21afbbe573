//! Which tests are there? Read from the source, such that neither a comment, nor a string, nor a file no module names,
//! nor an ignored test can pass for one.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A test function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    /// Its package, which is the name of its folder.
    pub(super) package: String,
    /// Its name, without modules.
    pub(super) name: String,
}

/// Every test of every crate.
pub(super) fn tests(root: &Path) -> Result<BTreeSet<Test>> {
    let mut tests = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        let package = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let found = ["src/lib.rs", "src/main.rs", "tests/it/main.rs"];
        for top in found.map(|top| folder.join(top)).into_iter().filter(|top| top.exists()) {
            let beside = top.parent().unwrap_or(&folder).to_owned();
            for name in below(&top, &beside)? {
                tests.insert(Test { package: package.clone(), name });
            }
        }
    }
    Ok(tests)
}

/// The tests of a file and of the modules it names, which stand in `folder`.
fn below(file: &Path, folder: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let Items { tests: mut found, modules } = items(&text);
    for module in modules {
        let file: PathBuf = folder.join(format!("{module}.rs"));
        // A module that stands elsewhere or behind a configuration claims nothing.
        if file.exists() {
            found.extend(below(&file, &folder.join(&module))?);
        }
    }
    Ok(found)
}

/// What a file declares.
#[derive(Debug, Default, PartialEq, Eq)]
struct Items {
    tests: Vec<String>,
    modules: Vec<String>,
}

/// Reads a file's tokens: attributes, then `fn NAME` or `mod NAME;`.
fn items(text: &str) -> Items {
    let code = code(text);
    let tokens = tokens(&code);
    let mut items = Items::default();
    let mut attributes: Vec<Vec<&str>> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at).copied() {
        let next = |n: usize| tokens.get(at + n).copied().unwrap_or_default();
        match token {
            "#" if next(1) == "[" => {
                let length = closing(&tokens[at + 1..]);
                attributes.push(tokens[at + 2..at + length].to_vec());
                at += length;
            }
            "fn" => {
                let name = next(1);
                if is_test(&attributes) && is_word(name) {
                    items.tests.push(name.to_owned());
                }
                attributes.clear();
            }
            "mod" if next(2) == ";" => {
                if compiled_for_tests(&attributes) {
                    items.modules.push(next(1).to_owned());
                }
                attributes.clear();
            }
            "pub" | "async" | "const" | "unsafe" | "(" | ")" | "crate" | "super" | "self" | "in" => {}
            _ => attributes.clear(),
        }
        at += 1;
    }
    items
}

fn is_test(attributes: &[Vec<&str>]) -> bool {
    let test = |attribute: &Vec<&str>| {
        let path = attribute.iter().take_while(|token| **token != "(").copied().collect::<String>();
        path == "test" || path == "tokio::test"
    };
    let ignored = attributes.iter().any(|attribute| attribute.first() == Some(&"ignore"));
    attributes.iter().any(test) && !ignored && compiled_for_tests(attributes)
}

/// Whether no configuration but that of tests stands in the way.
fn compiled_for_tests(attributes: &[Vec<&str>]) -> bool {
    let mut conditions = attributes.iter().filter(|attribute| attribute.first().is_some_and(|t| t.starts_with("cfg")));
    conditions.all(|attribute| attribute.as_slice() == ["cfg", "(", "test", ")"])
}

/// The place of the bracket that closes the first one, from where that one stands; the end if none does.
fn closing(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if in_word(first) { rest.find(|c| !in_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (token, after) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

/// The text without comments, and with every string and character empty.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, &out) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of `r"..."` or `r#"..."#`, if one begins here.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    let within_word = before.ends_with(|c: char| c.is_alphanumeric() && c != 'b' || c == '_');
    let after = text.strip_prefix('r').filter(|_| !within_word)?;
    let hashes = after.find(|c| c != '#')?;
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| 1 + hashes + 1 + at + end.len()))
}

/// The length of a quoted text that begins here, its quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A character, not a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests;
