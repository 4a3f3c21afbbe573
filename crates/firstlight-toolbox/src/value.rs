//! How values are written on a command line: durations, sizes, modes, and `@/path` for a value that is in a file.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;

/// A value given as a file is a value, not a payload.
const LONGEST_VALUE: usize = 1 << 20;

/// `1m30s`, `500ms`, `2h`; `0` is no time at all. A bare number has no unit and is refused.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("\"{text}\" is no duration; write 500ms, 30s or 1m30s"))?;
    Duration::try_from(parsed).map_err(|_| format!("\"{text}\" is less than nothing"))
}

/// `512`, `64KiB`, `16MiB`, `2GiB` (and `k`, `M`, `G` for the powers of ten) in bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no size; write 512, 64KiB, 16MiB or 2GiB");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" | "B" => 1,
        "k" | "kB" => 1000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

/// A file mode in octal: `0640`.
pub fn mode(text: &str) -> Result<u32, String> {
    let wrong = || format!("\"{text}\" is no file mode; write it in octal, as 0640");
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777 && *mode & 0o400 != 0).ok_or_else(wrong)
}

/// Splits a command written as one value: a JSON array of strings, or words with quotes as a shell groups them.
///
/// It is not a shell: nothing is expanded, and the characters that would mean something to a shell are refused
/// unless quoted, so that `a && b` does not silently run `a` with odd arguments.
pub fn command(text: &str) -> Result<Vec<String>, String> {
    let words = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| format!("no JSON array of strings: {error}"))?
    } else {
        words(text)?
    };
    if words.is_empty() { Err("is empty".to_owned()) } else { Ok(words) }
}

fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => loop {
                match rest.next().ok_or("a single quote is not closed")? {
                    '\'' => break word.get_or_insert_default().push_str(""),
                    c => word.get_or_insert_default().push(c),
                }
            },
            '"' => loop {
                match rest.next().ok_or("a double quote is not closed")? {
                    '"' => break word.get_or_insert_default().push_str(""),
                    '\\' => word.get_or_insert_default().push(rest.next().ok_or("a backslash ends it")?),
                    c => word.get_or_insert_default().push(c),
                }
            },
            '\\' => word.get_or_insert_default().push(rest.next().ok_or("a backslash ends it")?),
            '|' | '&' | ';' | '<' | '>' | '$' | '`' => {
                return Err(format!("\"{c}\" means something to a shell, and there is none: quote it"));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Replaces every value written as `@/path` by the content of that file, up to the `--` before a command.
///
/// One line end at the end of the file is not part of the value.
pub fn from_files(arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let mut ours = true;
    let expand = |argument: OsString| {
        ours &= argument != "--";
        if ours { from_file(argument) } else { Ok(argument) }
    };
    arguments.into_iter().map(expand).collect()
}

fn from_file(argument: OsString) -> Result<OsString, Failure> {
    let bytes = argument.as_bytes();
    let at = if bytes.starts_with(b"@/") {
        0
    } else if let (true, Some(equals)) = (bytes.starts_with(b"--"), bytes.windows(3).position(|w| w == b"=@/")) {
        equals + 1
    } else {
        return Ok(argument);
    };
    let (flag, path) = bytes.split_at(at);
    let value = value_of(Path::new(std::ffi::OsStr::from_bytes(&path[1..])))?;
    Ok(OsString::from_vec([flag, &value].concat()))
}

/// The value in a file.
pub fn value_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let mut value = std::fs::read(path).map_err(|error| Failure::usage(format!("value @{shown}: {error}")))?;
    if value.ends_with(b"\n") {
        value.pop();
    }
    if value.len() > LONGEST_VALUE || value.contains(&0) {
        return Err(Failure::usage(format!("value @{shown}: longer than 1 MiB or not text")));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_a_unit() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(["30", "-5s", "soon", ""].iter().all(|text| duration(text).is_err()));
    }

    #[test]
    fn sizes_and_modes() {
        assert_eq!((size("512"), size("64KiB"), size("2GB")), (Ok(512), Ok(65536), Ok(2_000_000_000)));
        assert!(["", "KiB", "1.5MiB", "1XB", "99999999999999999999"].iter().all(|text| size(text).is_err()));
        assert_eq!((mode("0640"), mode("400")), (Ok(0o640), Ok(0o400)));
        assert!(["640x", "9", "0240", "17777"].iter().all(|text| mode(text).is_err()));
    }

    #[test]
    fn a_command_is_words_and_never_a_shell_s26() {
        assert_eq!(
            command("a  'b c' \"d \\\"e\" f\\ g ''"),
            Ok(["a", "b c", "d \"e", "f g", ""].map(str::to_owned).to_vec())
        );
        assert_eq!(command(r#"["a","b c"]"#), Ok(vec!["a".to_owned(), "b c".to_owned()]));
        for text in ["", "a && b", "a | b", "a; b", "a $X", "a `b`", "a > b", "'a", "\"a", "a\\", "[1]"] {
            assert!(command(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_in_a_file_is_read_until_the_command_begins() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("value");
        std::fs::write(&path, "in file\n").expect("written");
        let at = format!("@{}", path.display());
        let given = [at.clone(), format!("--data={at}"), "a=@b".into(), "--".into(), at.clone()];
        let expanded = from_files(given.iter().map(OsString::from).collect()).expect("read");
        assert_eq!(expanded, ["in file", "--data=in file", "a=@b", "--", at.as_str()].map(OsString::from));
        assert!(from_files(vec!["@/no/such/file".into()]).is_err());
    }
}
