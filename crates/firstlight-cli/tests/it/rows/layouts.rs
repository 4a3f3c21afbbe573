//! Which images do scenes have? Two that differ in the number they report and one with an entrypoint, as OCI layouts
//! assembled for each file of rows.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use xtask::images::{Entry, assemble, busybox};

/// The image every container of a scene has unless it says otherwise; `:2` is the same, but for the number it reports.
pub(crate) const IMAGE: &str = "localhost/rows";

/// Its tags; `entry` says its arguments, which are `by default` unless others are given.
pub(crate) const TAGS: [&str; 3] = ["1", "2", "entry"];

/// The layouts, on disk until dropped.
pub(crate) struct Layouts(TempDir);

impl Layouts {
    /// Of each tag: busybox, the actor, the page it serves, the looker, and a file that tells the tag.
    pub(crate) fn assemble() -> Layouts {
        let layouts = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rows");
        for tag in TAGS {
            let mut entries = busybox().unwrap();
            entries.push(Entry::text("/etc/image", &format!("{tag}\n")));
            entries.push(Entry::program("/bin/actor", &programs.join("actor.sh")));
            entries.push(Entry::program("/bin/look", &programs.join("look.sh")));
            let page = Entry::text("/www/cgi-bin/web", "#!/bin/sh\nexec /bin/actor web\n");
            entries.push(Entry { mode: 0o755, ..page });
            let config = match tag {
                "entry" => json!({"Entrypoint": ["/bin/actor", "say"], "Cmd": ["by", "default"], "Env": ["PATH=/bin"]}),
                _ => json!({"Cmd": ["/bin/actor"], "Env": ["PATH=/bin"]}),
            };
            assemble(&layouts.path().join(tag), &entries, &config).unwrap();
        }
        Layouts(layouts)
    }

    /// The layout of the image with this tag.
    pub(crate) fn of(&self, tag: &str) -> PathBuf {
        self.0.path().join(tag)
    }
}

/// What names the manifest of a layout: digest, size, media type.
pub(crate) fn manifest(layout: &Path) -> Value {
    let index = std::fs::read(layout.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    index["manifests"][0].clone()
}
