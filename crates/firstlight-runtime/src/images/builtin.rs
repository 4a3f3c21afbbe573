//! Which images need no registry at all? Asked for every reference whose registry is `firstlight.local`.
//!
//! * `firstlight.local/host`: this machine's own root filesystem, below a private overlay, its secrets masked. Useful on
//!   the first day and in tests; refused unless the engine allows it, since a container sees what is installed here.
//! * `firstlight.local/toolbox`: our own static binary at `/fl` and nothing else.

use super::digest::{Digest, Hashing};
use super::layers::Layers;
use super::program;
use super::reference::{Reference, Version};
use super::{Image, ImageConfig};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The registry that is not one.
pub(super) const HOST: &str = "firstlight.local";
/// What a shell finds programs by.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a container on this machine's own root must not see: people's files, keys, passwords, and the state of whatever
/// else runs here. A mask hides a whole directory, so no directory is here that ordinary programs need.
const SECRETS: &[&str] = &[
    "/root",
    "/home",
    "/tmp",
    "/var/tmp",
    "/run",
    "/mnt",
    "/media",
    "/srv",
    "/boot",
    "/lost+found",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/security/opasswd",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/pki/tls/private",
    "/etc/letsencrypt",
    "/etc/krb5.keytab",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/docker",
    "/etc/containers",
    "/etc/cloud",
    "/etc/wireguard",
    "/etc/openvpn",
    "/etc/ipsec.secrets",
    "/etc/ppp",
    "/etc/NetworkManager/system-connections",
    "/etc/wpa_supplicant",
    "/etc/apt/auth.conf",
    "/etc/apt/auth.conf.d",
    "/etc/machine-id",
    "/etc/firstlight",
    "/var/backups",
    "/var/log",
    "/var/mail",
    "/var/spool",
    "/var/cache/debconf",
    "/var/lib/cloud",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/lib/rancher",
    "/var/lib/firstlight",
    "/var/lib/private",
    "/var/lib/NetworkManager",
    "/var/lib/tailscale",
    "/var/lib/mysql",
    "/var/lib/postgresql",
    "/var/lib/redis",
    "/var/lib/libvirt",
    "/var/lib/systemd",
];

/// The images made here.
#[derive(Debug)]
pub(super) struct Builtin {
    host_allowed: bool,
    /// Directories of this engine, to be hidden like the secrets.
    own: Vec<PathBuf>,
    toolbox: Option<PathBuf>,
    /// The toolbox as a layer; made when first asked for, since reading it takes longer than an engine's start may.
    toolbox_layer: OnceLock<(Digest, PathBuf)>,
}

impl Builtin {
    pub(super) fn new(host_allowed: bool, own: Vec<PathBuf>, toolbox: Option<PathBuf>) -> Builtin {
        Builtin { host_allowed, own, toolbox, toolbox_layer: OnceLock::new() }
    }

    /// The image; `None` if the reference is not of this kind.
    ///
    /// # Errors
    /// Why there is no such image, or why not here.
    pub(super) fn find(&self, layers: &Layers, reference: &Reference) -> Option<Result<Image, String>> {
        if reference.host != HOST {
            return None;
        }
        let latest = Version::Tag("latest".to_owned());
        Some(match (reference.repository.as_str(), &reference.version) {
            ("host", version) if *version == latest => self.host(reference),
            ("toolbox", version) if *version == latest => self.toolbox(layers, reference),
            _ => Err(format!(
                "failed to resolve reference \"{reference}\": {HOST} has two images, host and toolbox, without tags"
            )),
        })
    }

    fn host(&self, reference: &Reference) -> Result<Image, String> {
        if !self.host_allowed {
            return Err(format!(
                "image {reference} is refused: it shows this machine's own files; start the engine with --allow-host-image, or name another image"
            ));
        }
        let secrets = SECRETS.iter().map(PathBuf::from).chain(self.own.iter().cloned());
        // Where a link stands in for a directory, what it leads to is what must be hidden.
        let mut masks: Vec<PathBuf> = secrets.filter_map(|path| fs::canonicalize(path).ok()).collect();
        masks.sort();
        masks.dedup();
        let inside_another = |path: &PathBuf| masks.iter().any(|mask| mask != path && path.starts_with(mask));
        let masks = masks.iter().filter(|path| !inside_another(path) && path.parent().is_some()).cloned().collect();
        Ok(Image {
            id: Digest::of(format!("{HOST}/host").as_bytes()).to_string(),
            reference: reference.to_string(),
            layers: vec![PathBuf::from("/")],
            masks,
            config: ImageConfig {
                cmd: vec!["/bin/sh".to_owned()],
                env: vec![("PATH".to_owned(), PATH.to_owned())],
                ..ImageConfig::default()
            },
            pulled: None,
        })
    }

    fn toolbox(&self, layers: &Layers, reference: &Reference) -> Result<Image, String> {
        let binary = self.toolbox.as_ref().ok_or_else(|| {
            format!(
                "image {reference} is not here: this engine was started without a toolbox; start it with --toolbox and the static fl binary, or put fl beside the firstlight command"
            )
        })?;
        let (digest, layer) = match self.toolbox_layer.get() {
            Some(made) => made,
            None => {
                let made = lay(layers, binary).map_err(|e| format!("image {reference}: {}: {e}", binary.display()))?;
                self.toolbox_layer.get_or_init(|| made)
            }
        };
        Ok(Image {
            id: digest.to_string(),
            reference: reference.to_string(),
            layers: vec![layer.clone()],
            masks: Vec::new(),
            config: ImageConfig {
                entrypoint: vec!["/fl".to_owned()],
                env: vec![("PATH".to_owned(), "/".to_owned())],
                ..ImageConfig::default()
            },
            pulled: None,
        })
    }
}

/// A layer with the binary as `/fl`, named by the binary's digest. A copy: a link would change when the binary is
/// written over.
fn lay(layers: &Layers, binary: &Path) -> io::Result<(Digest, PathBuf)> {
    let work = layers.workspace()?;
    let content = work.path().join("content");
    fs::DirBuilder::new().mode(0o755).create(&content)?;
    fs::set_permissions(&content, fs::Permissions::from_mode(0o755))?;
    let copy = content.join("fl");
    let file = File::open(binary)?;
    if program::wants_loader(&file)? {
        return Err(io::Error::other(
            "it is linked dynamically, so it runs on no files but this machine's; name the static fl binary with --toolbox",
        ));
    }
    let mut source = Hashing::new(file);
    io::copy(&mut source, &mut File::create_new(&copy)?)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    let (digest, _) = source.finish();
    let layer = layers.publish(&content, &format!("toolbox-{}", digest.hex()))?;
    Ok((digest, layer))
}
