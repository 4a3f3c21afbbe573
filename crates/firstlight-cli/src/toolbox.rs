//! Where the static `fl` binary is, which the engine serves as the image `firstlight.local/toolbox`.

use crate::exit::{Exit, Failure, Outcome};
use std::path::{Path, PathBuf};

/// The binary's name.
const NAME: &str = "fl";

/// The one that is named, else the one that lies beside this command, as both are installed together.
///
/// # Errors
/// If the one that is named is not there.
pub(crate) fn find(named: Option<&Path>) -> Outcome<Option<PathBuf>> {
    let Some(named) = named else { return Ok(beside(&std::env::current_exe()?)) };
    match std::fs::canonicalize(named) {
        Ok(path) if path.is_file() => Ok(Some(path)),
        Ok(_) => Err(refused(named, "it is no file")),
        Err(error) => Err(refused(named, &error.to_string())),
    }
}

fn beside(command: &Path) -> Option<PathBuf> {
    Some(command.with_file_name(NAME)).filter(|path| path.is_file())
}

fn refused(named: &Path, why: &str) -> Failure {
    Failure::new(Exit::Usage, format!("--toolbox {}: {why}; name the static {NAME} binary", named.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_named_or_the_one_beside_the_command() {
        let directory = tempfile::tempdir().unwrap();
        let (command, fl) = (directory.path().join("firstlight"), directory.path().join("fl"));
        assert_eq!(beside(&command), None);
        std::fs::create_dir(&fl).unwrap();
        assert_eq!(beside(&command), None, "a directory is no binary");
        let said = find(Some(&fl)).unwrap_err().message;
        assert!(said.ends_with("fl: it is no file; name the static fl binary"), "{said}");
        std::fs::remove_dir(&fl).unwrap();
        std::fs::write(&fl, "").unwrap();
        assert_eq!(beside(&command), Some(fl.clone()));
        assert_eq!(find(Some(&fl)).unwrap(), Some(fl.canonicalize().unwrap()));
        let said = find(Some(Path::new("no/such/fl"))).unwrap_err().message;
        assert!(said.starts_with("--toolbox no/such/fl: No such file"), "{said}");
    }
}
