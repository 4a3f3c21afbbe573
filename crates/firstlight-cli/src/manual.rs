//! Shell completions and man pages, made from the command line's own definition.

use crate::args::Cli;
use crate::exit::Outcome;
use crate::say;
use clap::CommandFactory;
use std::path::Path;

/// Prints the completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "firstlight", &mut script);
    say::line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// Writes one man page per command.
pub(crate) fn pages(directory: &Path) -> Outcome {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    Ok(())
}
