//! Images from a real registry, from registries that misbehave, from files, and from strangers.

pub(crate) mod artifact;
mod debian;
mod files;
mod hostile;
mod layers;
mod pulling;
mod scripted;
pub(crate) mod tarball;

use artifact::{Artifact, INDEX, Layer, digest};
use debian::Debian;
use firstlight_pod::event::ImageFailure;
use firstlight_pod::spec::PullPolicy;
use firstlight_runtime::images::{Image, Store, Unavailable};
use firstlight_runtime::{Allow, Registries};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use tarball::Tar;

/// A store in a directory of its own.
struct Here {
    tmp: tempfile::TempDir,
    store: Store,
}

impl Here {
    fn new() -> Here {
        Here::with(Registries::default())
    }

    fn with(registries: Registries) -> Here {
        let tmp = tempfile::tempdir().unwrap();
        let store = Store::open(&tmp.path().join("images"), &registries, Allow::default(), None).unwrap();
        Here { tmp, store }
    }

    /// Docker Hub's images come from this address.
    fn mirrored(address: &str) -> Here {
        let mirrors = [("docker.io".to_owned(), vec![address.to_owned()])].into();
        Here::with(Registries { mirrors, ..Registries::default() })
    }

    async fn ensure(&self, reference: &str, policy: PullPolicy) -> Result<Image, Unavailable> {
        self.store.ensure(reference, policy, &[]).await
    }

    async fn pull(&self, reference: &str) -> Result<Image, Unavailable> {
        self.ensure(reference, PullPolicy::Always).await
    }

    /// The message of a pull that must fail, after which nothing may be left of it.
    async fn refused(&self, reference: &str) -> String {
        let error = self.pull(reference).await.unwrap_err();
        assert_eq!(error.failure, ImageFailure::Pull);
        self.assert_empty();
        error.message
    }

    /// No layer and no work under way.
    fn assert_empty(&self) {
        let names = |directory: &str| -> Vec<_> {
            let entries = fs::read_dir(self.tmp.path().join("images").join(directory)).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).filter(|name| name != ".lock").collect()
        };
        assert_eq!((names("layers"), names("tmp")), (vec![], vec![]));
    }
}

fn debian_file(path: &str, package: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}; apt-get install {package}"))
}

fn busybox() -> Artifact {
    let tar = Tar::new()
        .dir("./")
        .dir("bin/")
        .program("bin/busybox", debian_file("/bin/busybox", "busybox-static"))
        .symlink("bin/sh", "busybox")
        .finish();
    Artifact::new(vec![Layer::gzip(&tar)], json!({"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}))
}

fn nginx() -> Artifact {
    let base = Tar::new().dir("etc/").file("etc/passwd", "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n");
    let program = Tar::new()
        .dir("usr/")
        .dir("usr/sbin/")
        .program("usr/sbin/nginx", debian_file("/usr/sbin/nginx", "nginx-light"))
        .file("etc/nginx/nginx.conf", debian_file("/etc/nginx/nginx.conf", "nginx-light"));
    let config = json!({"Entrypoint": ["/usr/sbin/nginx"], "Cmd": ["-g", "daemon off;"], "StopSignal": "SIGQUIT"});
    Artifact::new(vec![Layer::gzip(&base.finish()), Layer::zstd(&program.finish())], config)
}

fn read(image: &Image, path: &str) -> Vec<u8> {
    let layer = image.layers.iter().find(|layer| layer.join(path).exists()).unwrap();
    fs::read(layer.join(path)).unwrap()
}

#[tokio::test]
async fn the_seeds_images_come_from_a_mirror_and_their_programs_run() {
    let registry = Debian::start().await;
    let (busybox, nginx) = (busybox(), nginx());
    registry.push(&busybox, "library/busybox", "latest").await;
    registry.push(&nginx, "library/nginx", "latest").await;
    let here = Here::mirrored(&registry.address);

    let image = here.pull("busybox:latest").await.unwrap();
    assert_eq!(
        (image.id.as_str(), image.reference.as_str()),
        (busybox.id().as_str(), "docker.io/library/busybox:latest")
    );
    assert_eq!(image.config.cmd, ["/bin/sh"]);
    let (_, size) = image.pulled.unwrap();
    assert!(size > busybox.layers[0].packed.len() as u64);
    let said = Command::new(image.layers[0].join("bin/busybox")).args(["echo", "hello"]).output().unwrap();
    assert_eq!(said.stdout, b"hello\n");

    let image = here.pull("nginx").await.unwrap();
    assert_eq!(image.layers.len(), 2);
    assert!(image.layers[0].join("usr/sbin/nginx").exists(), "the topmost layer comes first");
    assert_eq!(image.config.stop_signal.as_deref(), Some("SIGQUIT"));
    assert_eq!(read(&image, "usr/sbin/nginx"), debian_file("/usr/sbin/nginx", "nginx-light"));

    let names: Vec<String> = here.store.list().unwrap().into_iter().map(|image| image.reference).collect();
    assert_eq!(names, ["docker.io/library/busybox:latest", "docker.io/library/nginx:latest"]);
    assert!(here.store.remove("nginx").unwrap() && !here.store.remove("nginx").unwrap());
    assert_eq!(here.store.local("nginx"), None);
}

#[tokio::test]
async fn an_index_leads_to_the_image_for_this_machine() {
    let registry = Debian::start().await;
    let (mine, other) = (Artifact::with_file("mine", "1"), Artifact::with_file("other", "2"));
    registry.push(&mine, "app", "mine").await;
    registry.push(&other, "app", "other").await;
    let mut entries = [other.descriptor(), mine.descriptor()];
    entries[0]["platform"] = json!({"os": "linux", "architecture": "s390x"});
    let architecture = mine.config["architecture"].clone();
    entries[1]["platform"] = json!({"os": "linux", "architecture": architecture});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string().into_bytes();
    registry.push_document("app", "latest", INDEX, index.clone()).await;

    let here = Here::new();
    let image = here.pull(&format!("{}/app", registry.address)).await.unwrap();
    assert_eq!(image.id, mine.id());
    let pinned = format!("{}/app@{}", registry.address, digest(&index));
    let image = here.ensure(&pinned, PullPolicy::IfNotPresent).await.unwrap();
    assert_eq!((image.id, image.reference), (mine.id(), pinned));
}

#[tokio::test]
async fn img_12_policies_decide_whether_the_registry_is_asked() {
    let registry = Debian::start().await;
    let (old, new) = (Artifact::with_file("x", "old"), Artifact::with_file("x", "new"));
    registry.push(&old, "app", "v1").await;
    let (here, name) = (Here::new(), format!("{}/app:v1", registry.address));

    let error = here.ensure(&name, PullPolicy::Never).await.unwrap_err();
    let message = format!("Container image \"{name}\" is not present with pull policy of Never");
    assert_eq!(error, Unavailable { failure: ImageFailure::NeverPull, message });
    assert_eq!(here.store.local(&name), None);

    assert_eq!(here.ensure(&name, PullPolicy::IfNotPresent).await.unwrap().id, old.id());
    registry.push(&new, "app", "v1").await;
    for policy in [PullPolicy::IfNotPresent, PullPolicy::Never] {
        let image = here.ensure(&name, policy).await.unwrap();
        assert_eq!((image.id, image.pulled), (old.id(), None), "{policy:?}");
    }
    assert_eq!(here.store.local(&name).unwrap().id, old.id());
    assert_eq!(here.pull(&name).await.unwrap().id, new.id());
    assert_eq!(here.store.local(&name).unwrap().id, new.id());
}

#[tokio::test]
async fn what_is_not_there_is_said_in_containerds_words() {
    let registry = Debian::start().await;
    let name = format!("{}/nothing:v1", registry.address);
    let expected = format!(
        "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
    );
    assert_eq!(Here::new().refused(&name).await, expected);
    let unreachable = Here::new().refused("127.0.0.1:1/app:v1").await;
    assert!(
        unreachable.contains("failed to do request: Get \"http://127.0.0.1:1/v2/app/manifests/v1\""),
        "{unreachable}"
    );
    assert!(unreachable.contains("refused"), "{unreachable}");
}

#[tokio::test]
async fn img_8_what_is_no_reference_is_invalid() {
    let error = Here::new().pull("Not/A Reference").await.unwrap_err();
    assert_eq!(error.failure, ImageFailure::InvalidName);
    assert!(
        error.message.starts_with("Failed to apply default image tag \"Not/A Reference\": couldn't parse image name")
    );
}

#[tokio::test]
async fn localhost_images_never_leave_the_machine() {
    let here = Here::new();
    let message = here.refused("localhost/app").await;
    assert!(message.contains("never leave this machine") && message.contains("firstlight image import"), "{message}");
    let error = here.ensure("localhost/app", PullPolicy::Never).await.unwrap_err();
    assert_eq!(error.failure, ImageFailure::NeverPull);
    let layout = here.tmp.path().join("layout");
    Artifact::with_file("x", "1").write_layout(&layout);
    here.store.import("localhost/app", &layout).unwrap();
    for policy in [PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::Never] {
        assert_eq!(here.ensure("localhost/app", policy).await.unwrap().pulled, None, "{policy:?}");
    }
}

#[tokio::test]
async fn the_host_image_is_this_machines_root_with_its_secrets_masked_and_only_if_allowed() {
    let message = Here::new().refused("firstlight.local/host").await;
    assert!(message.contains("is refused"), "{message}");

    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("images");
    let allow = Allow { host_image: true, ..Allow::default() };
    let store = Store::open(&dir, &Registries::default(), allow, None).unwrap();
    let image = store.ensure("firstlight.local/host", PullPolicy::Always, &[]).await.unwrap();
    assert_eq!((image.layers.as_slice(), image.pulled), ([Path::new("/").to_owned()].as_slice(), None));
    let masked = |path: &Path| image.masks.iter().any(|mask| path.starts_with(mask));
    for secret in [Path::new("/root"), Path::new("/etc/shadow"), Path::new("/home"), &dir] {
        assert!(!secret.exists() || masked(secret), "{}", secret.display());
    }
    for open in ["/", "/etc/passwd", "/bin", "/usr/lib", "/etc/ssl/certs"] {
        assert!(!masked(Path::new(open)), "{open}");
    }
    assert!(
        store
            .ensure("firstlight.local/other", PullPolicy::Always, &[])
            .await
            .unwrap_err()
            .message
            .contains("host and toolbox")
    );
    assert!(store.ensure("firstlight.local/host:v1", PullPolicy::Always, &[]).await.is_err());
}

#[tokio::test]
async fn the_toolbox_image_holds_our_binary_and_is_named_by_its_content() {
    assert!(Here::new().refused("firstlight.local/toolbox").await.contains("without a toolbox"));

    let tmp = tempfile::tempdir().unwrap();
    let binary = tmp.path().join("fl");
    fs::write(&binary, "#!/bin/sh\necho one\n").unwrap();
    let open =
        || Store::open(&tmp.path().join("images"), &Registries::default(), Allow::default(), Some(&binary)).unwrap();
    let image = open().ensure("firstlight.local/toolbox:latest", PullPolicy::IfNotPresent, &[]).await.unwrap();
    assert_eq!(image.id, digest(b"#!/bin/sh\necho one\n"));
    assert_eq!(image.config.entrypoint, ["/fl"]);
    let said = Command::new("sh").arg(image.layers[0].join("fl")).output().unwrap();
    assert_eq!(said.stdout, b"one\n");

    // What the machine's own shell is: linked dynamically.
    fs::write(&binary, fs::read("/bin/sh").unwrap()).unwrap();
    let refused = open().ensure("firstlight.local/toolbox", PullPolicy::IfNotPresent, &[]).await.unwrap_err();
    assert!(refused.message.contains("fl: it is linked dynamically"), "{}", refused.message);

    fs::write(&binary, "two").unwrap();
    assert_eq!(read(&image, "fl"), b"#!/bin/sh\necho one\n", "what pods run on does not change under them");
    let next = open().local("firstlight.local/toolbox").unwrap();
    assert_eq!((next.id.clone(), read(&next, "fl")), (digest(b"two"), b"two".to_vec()));
}

#[test]
fn a_mirror_that_is_none_is_refused_when_the_engine_starts() {
    let tmp = tempfile::tempdir().unwrap();
    let mirrors = [("docker.io".to_owned(), vec!["http://mirror.example".to_owned()])].into();
    let registries = Registries { mirrors, ..Registries::default() };
    let error = Store::open(tmp.path(), &registries, Allow::default(), None).unwrap_err();
    assert!(
        error.to_string().starts_with("registries.mirrors.docker.io: mirror.example is not on loopback"),
        "{error}"
    );
}
