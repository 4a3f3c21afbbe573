//! `firstlight image`: the images of this machine, with or without an engine running.

use crate::args::Image;
use crate::exit::{Exit, Failure, Outcome};
use crate::say;

/// Imports or lists.
pub(crate) fn run(verb: Image) -> Outcome {
    match verb {
        Image::Import { name, path, image_dir } => {
            let image = firstlight::images::import(&image_dir, &name, &path)
                .map_err(|error| Failure::new(Exit::Refused, format!("{}: {error:#}", path.display())))?;
            say::line(format_args!("{name} {image}"));
        }
        Image::List { image_dir } => {
            for (name, id) in firstlight::images::list(&image_dir)? {
                say::line(format_args!("{name} {id}"));
            }
        }
    }
    Ok(())
}
