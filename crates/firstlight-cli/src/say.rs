//! What a command says on standard output.

use crate::exit::Exit;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// What a shell reports of a program that wrote where nobody reads any more: 128 and SIGPIPE.
const NOBODY_READS: i32 = 141;

/// Says a line. Where nobody reads any more (`firstlight render ... | head`), the command is over without a word, as
/// it would be by SIGPIPE, which Rust programs ignore.
pub(crate) fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(NOBODY_READS),
        Err(error) => {
            eprintln!("firstlight: standard output: {error}");
            std::process::exit(Exit::Failed as i32);
        }
    }
}
