//! How every verb ends: one table of exit codes, so that a Job's failure policy, a script or a person can tell
//! "try again" from "stop and look" without reading a log.

use std::fmt;

/// Why a verb ended, as the number its process exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done, or already done.
    Done,
    /// A bug in this program, or an error of the machine that nothing below describes.
    Unexpected,
    /// Bad usage, configuration or template; unknown flag or variable.
    Usage,
    /// Checked once and not true.
    NotYet,
    /// Refused for good: digest or schema mismatch, policy, unknown certificate authority, 401/403/404.
    Refused,
    /// A lock or slot was not free before its own deadline.
    Busy,
    /// The state found needs a person.
    Person,
    /// The overall deadline passed.
    Deadline,
    /// The command to become exists but cannot be executed.
    NotExecutable,
    /// The command to become does not exist.
    NotFound,
    /// Ended by this signal.
    Signal(u8),
    /// A child's own code, passed through unchanged.
    Child(u8),
}

impl Code {
    /// The number the process exits with.
    pub fn number(self) -> u8 {
        match self {
            Code::Done => 0,
            Code::Unexpected => 1,
            Code::Usage => 2,
            Code::NotYet => 3,
            Code::Refused => 4,
            Code::Busy => 5,
            Code::Person => 6,
            Code::Deadline => 124,
            Code::NotExecutable => 126,
            Code::NotFound => 127,
            Code::Signal(number) => 128u8.saturating_add(number),
            Code::Child(code) => code,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number(), f)
    }
}

/// The table at the end of every `--help`.
pub const TABLE: &str = "\
Exit codes (should a restart help?):
  0       done, or already done
  1       unexpected error (maybe)
  2       bad usage, configuration or template (no)
  3       checked once and not true (later)
  4       refused for good: 401/403/404, digest or content mismatch, policy, unknown authority (no)
  5       lock not free before its own deadline (yes)
  6       the state found needs a person (no)
  124     the overall deadline passed (yes)
  126     the command cannot be executed (no)
  127     the command was not found (no)
  128+n   ended by signal n; a child's own code is passed through unchanged";

#[cfg(test)]
mod tests {
    use super::{Code, TABLE};

    #[test]
    fn every_code_has_its_line_in_the_table() {
        let codes = [
            Code::Done,
            Code::Unexpected,
            Code::Usage,
            Code::NotYet,
            Code::Refused,
            Code::Busy,
            Code::Person,
            Code::Deadline,
            Code::NotExecutable,
            Code::NotFound,
        ];
        for code in codes {
            assert!(TABLE.lines().any(|line| line.split_whitespace().next() == Some(&code.to_string())), "{code}");
        }
        assert_eq!((Code::Signal(15).number(), Code::Child(7).number()), (143, 7));
    }
}
