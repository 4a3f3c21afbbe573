//! Images assembled from what is on this machine: OCI layouts that an engine imports or a registry serves.
//!
//! No registry needs to be reachable: programs come from Debian's packages with the shared libraries they link.

use crate::shell::output;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An assembled image.
pub struct Image {
    /// The OCI layout directory.
    pub layout: PathBuf,
    /// Repository: `library/busybox`.
    pub name: String,
    /// Tag.
    pub tag: String,
}

/// One entry of an image's only layer.
pub struct Entry {
    /// Absolute path in the image.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub content: Content,
}

/// What an entry is.
pub enum Content {
    /// A copy of a file of this machine.
    Copy(PathBuf),
    /// A file with this text.
    Text(String),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(String),
}

impl Entry {
    /// A copy of a file of this machine, at another path, executable.
    pub fn program(path: &str, from: &Path) -> Entry {
        Entry { path: path.to_owned(), mode: 0o755, content: Content::Copy(from.to_owned()) }
    }

    /// A text file.
    pub fn text(path: &str, text: &str) -> Entry {
        Entry { path: path.to_owned(), mode: 0o644, content: Content::Text(text.to_owned()) }
    }

    /// A directory.
    pub fn directory(path: &str, mode: u32) -> Entry {
        Entry { path: path.to_owned(), mode, content: Content::Directory }
    }

    /// A symbolic link.
    pub fn link(path: &str, target: &str) -> Entry {
        Entry { path: path.to_owned(), mode: 0o777, content: Content::Link(target.to_owned()) }
    }
}

/// Writes an OCI layout directory with one layer of these entries; `config` is the image's `config` object
/// (`Entrypoint`, `Cmd`, `Env`, ...). Returns the manifest's digest. Source: OCI image specification 1.1.
pub fn assemble(layout: &Path, entries: &[Entry], config: &Value) -> Result<String> {
    if layout.exists() {
        std::fs::remove_dir_all(layout)?;
    }
    std::fs::create_dir_all(layout.join("blobs/sha256"))?;
    let layer = blob(layout, &layer(entries)?)?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer.0]},
        "history": [{"created_by": "firstlight xtask"}],
    });
    let config = blob(layout, &serde_json::to_vec(&config)?)?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0, "size": config.1},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.0, "size": layer.1}],
    });
    let manifest = blob(layout, &serde_json::to_vec(&manifest)?)?;
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": MANIFEST, "digest": manifest.0, "size": manifest.1,
                       "platform": {"architecture": "amd64", "os": "linux"}}],
    });
    std::fs::write(layout.join("index.json"), serde_json::to_vec(&index)?)?;
    std::fs::write(layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(manifest.0)
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Stores a blob; its digest and size.
fn blob(layout: &Path, bytes: &[u8]) -> Result<(String, usize)> {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(layout.join("blobs/sha256").join(&hex), bytes)?;
    Ok((format!("sha256:{hex}"), bytes.len()))
}

/// The layer as an uncompressed tar, with every parent directory once.
fn layer(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut made: BTreeSet<PathBuf> = BTreeSet::new();
    for entry in entries {
        let path = PathBuf::from(entry.path.trim_start_matches('/'));
        let parents: Vec<&Path> = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        for parent in parents.into_iter().rev() {
            if made.insert(parent.to_owned()) {
                append(&mut tar, parent, tar::EntryType::Directory, 0o755, &[], None)?;
            }
        }
        match &entry.content {
            Content::Directory if !made.insert(path.clone()) => {}
            Content::Directory => append(&mut tar, &path, tar::EntryType::Directory, entry.mode, &[], None)?,
            Content::Text(text) => append(&mut tar, &path, tar::EntryType::Regular, entry.mode, text.as_bytes(), None)?,
            Content::Link(target) => append(&mut tar, &path, tar::EntryType::Symlink, entry.mode, &[], Some(target))?,
            Content::Copy(from) => {
                let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
                append(&mut tar, &path, tar::EntryType::Regular, entry.mode, &bytes, None)?;
            }
        }
    }
    Ok(tar.into_inner()?)
}

fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &Path,
    kind: tar::EntryType,
    mode: u32,
    bytes: &[u8],
    link: Option<&String>,
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    match link {
        Some(target) => tar.append_link(&mut header, path, target)?,
        None => tar.append_data(&mut header, path, bytes)?,
    }
    Ok(())
}

/// A program of this machine and every shared library it links, at the paths they have here.
pub fn with_libraries(program: &Path) -> Result<Vec<Entry>> {
    let mut entries = vec![Entry::program(&program.display().to_string(), program)];
    let listed = output(Command::new("ldd").arg(program)).unwrap_or_default();
    for word in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        entries.push(Entry::program(word, Path::new(word)));
    }
    Ok(entries)
}

/// The images that the examples name: busybox, nginx and curl.
pub fn examples(directory: &Path) -> Result<Vec<Image>> {
    let image = |name: &str, tag: &str, entries: Vec<Entry>, config: Value| -> Result<Image> {
        let layout = directory.join(name.replace('/', "-"));
        assemble(&layout, &entries, &config)?;
        Ok(Image { layout, name: name.to_owned(), tag: tag.to_owned() })
    };
    Ok(vec![
        image("library/busybox", "latest", busybox()?, json!({"Cmd": ["sh"], "Env": [PATH]}))?,
        image(
            "library/nginx",
            "latest",
            nginx()?,
            json!({"Cmd": ["/usr/sbin/nginx", "-g", "daemon off;"], "Env": [PATH], "StopSignal": "SIGQUIT",
                   "ExposedPorts": {"80/tcp": {}}}),
        )?,
        image("curlimages/curl", "7.85.0", curl()?, json!({"Entrypoint": ["/usr/bin/curl"], "Env": [PATH]}))?,
    ])
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Debian's busybox-static under the name of each of its applets.
pub fn busybox() -> Result<Vec<Entry>> {
    let host = Path::new("/bin/busybox");
    let mut entries = vec![Entry::program("/bin/busybox", host)];
    for applet in output(Command::new(host).arg("--list"))?.lines().filter(|applet| *applet != "busybox") {
        entries.push(Entry::link(&format!("/bin/{applet}"), "busybox"));
    }
    entries.extend(base());
    Ok(entries)
}

/// What programs expect to find.
fn base() -> Vec<Entry> {
    vec![
        Entry::text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\n"),
        Entry::text("/etc/group", "root:x:0:\nwww-data:x:33:\n"),
        Entry::directory("/tmp", 0o1777),
        Entry::directory("/root", 0o700),
        Entry::directory("/var/log", 0o755),
        Entry::directory("/run", 0o755),
    ]
}

/// Debian's nginx laid out as the well-known image has it: conf.d is read, the page is in /usr/share/nginx/html.
fn nginx() -> Result<Vec<Entry>> {
    let mut entries = with_libraries(Path::new("/usr/sbin/nginx"))?;
    entries.extend(base());
    for file in std::fs::read_dir("/etc/nginx")? {
        let file = file?.path();
        if file.is_file() && file.file_name().is_some_and(|name| name != "nginx.conf") {
            entries.push(Entry { path: file.display().to_string(), mode: 0o644, content: Content::Copy(file) });
        }
    }
    entries.push(Entry::text("/etc/nginx/nginx.conf", NGINX_CONF));
    entries.push(Entry::text("/etc/nginx/conf.d/default.conf", NGINX_SITE));
    entries.push(Entry::text("/usr/share/nginx/html/index.html", "<h1>Welcome to nginx!</h1>\n"));
    entries.push(Entry::directory("/var/lib/nginx", 0o755));
    entries.push(Entry::directory("/var/log/nginx", 0o755));
    Ok(entries)
}

const NGINX_CONF: &str = "user www-data;\nworker_processes 1;\npid /run/nginx.pid;\nerror_log /dev/stderr;\n\
    events { worker_connections 256; }\n\
    http { include /etc/nginx/mime.types; access_log /dev/stdout; include /etc/nginx/conf.d/*.conf; }\n";

const NGINX_SITE: &str = "server { listen 80; root /usr/share/nginx/html; index index.html; }\n";

/// curl with its libraries and Debian's certificates.
fn curl() -> Result<Vec<Entry>> {
    let mut entries = with_libraries(Path::new("/usr/bin/curl"))?;
    entries.extend(base());
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    entries.push(Entry {
        path: certificates.display().to_string(),
        mode: 0o644,
        content: Content::Copy(certificates.to_owned()),
    });
    Ok(entries)
}
