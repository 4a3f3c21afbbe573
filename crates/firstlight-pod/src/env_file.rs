//! What does a file of variables say of one of them? Asked when a container is put together whose variables come from a
//! file in a volume (ENV-11). The format is upstream's strict part of a shell's (`pkg/kubelet/util/env/env_util.go`):
//!
//! ```text
//! # a comment; blank lines are skipped, and so is space before a name
//! NAME='value'          # taken as it stands: nothing in it is expanded or escaped
//! LINES='first
//! second'
//! EMPTY= 'not taken'    # space after the = leaves the value empty, as in a shell
//! ```

/// Why a file of variables cannot be read as one: the line, counted from 1, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The line; for a quote that is never closed, the one that opens it.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// The value of the first variable called `name`; `None` if there is none. What follows it is not looked at.
///
/// # Errors
/// The first line up to there that is neither a variable, a comment nor blank.
pub fn value(text: &str, name: &str) -> Result<Option<String>, Malformed> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((line, words)) = lines.next() {
        let wrong = |problem| Malformed { line, problem };
        let words = words.trim_start_matches(BLANK);
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        let (variable, rest) = words.split_once('=').ok_or(wrong("there is no '='"))?;
        if variable.is_empty() {
            return Err(wrong("there is no name before the '='"));
        }
        if variable.ends_with(BLANK) {
            return Err(wrong("there is space before the '='"));
        }
        let value = if rest.starts_with(BLANK) {
            String::new()
        } else {
            let opened = rest.strip_prefix('\'').ok_or(wrong("the value must stand in single quotes"))?;
            quoted(line, opened, &mut lines)?
        };
        if variable == name {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

const BLANK: [char; 2] = [' ', '\t'];

/// The rest of a value whose quote is open, to the quote that closes it.
fn quoted<'a>(
    opened_at: usize,
    opened: &'a str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<String, Malformed> {
    let mut value = String::new();
    let (mut line, mut rest) = (opened_at, opened);
    loop {
        match rest.split_once('\'') {
            Some((last, after)) => {
                value.push_str(last);
                let after = after.trim_start_matches(BLANK);
                if after.is_empty() || after.starts_with('#') {
                    return Ok(value);
                }
                return Err(Malformed { line, problem: "there is something after the closing quote" });
            }
            None => {
                value.push_str(rest);
                value.push('\n');
                let unclosed = Malformed { line: opened_at, problem: "the quote is never closed" };
                (line, rest) = lines.next().ok_or(unclosed)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
