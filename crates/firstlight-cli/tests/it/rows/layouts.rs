//! Which images do scenes have? Two that differ in the number they report and one with an entrypoint, as OCI layouts
//! assembled once.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use xtask::images::{Entry, assemble, busybox};

/// The image every container of a scene has unless it says otherwise; `:2` is the same, but for the number it reports.
pub(crate) const IMAGE: &str = "localhost/rows";

/// Its tags; `entry` says its arguments, which are `by default` unless others are given.
pub(crate) const TAGS: [&str; 3] = ["1", "2", "entry"];

/// The layout of the image with this tag: busybox, the actor, the page it serves, the looker, and a file that tells the tag.
pub(crate) fn layout(tag: &str) -> PathBuf {
    static LAYOUTS: OnceLock<PathBuf> = OnceLock::new();
    let layouts = LAYOUTS.get_or_init(|| {
        let layouts = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rows-{}", std::process::id()));
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
            assemble(&layouts.join(tag), &entries, &config).unwrap();
        }
        layouts
    });
    layouts.join(tag)
}

/// What names the manifest of a layout: digest, size, media type.
pub(crate) fn manifest(layout: &Path) -> Value {
    let index = std::fs::read(layout.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    index["manifests"][0].clone()
}
