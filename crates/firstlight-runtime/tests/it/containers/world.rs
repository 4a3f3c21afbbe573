//! A runtime of its own for each test, with one pod; gone without a trace afterwards, however the test ends.

use crate::images::artifact::{Artifact, Layer};
use crate::images::tarball::Tar;
use firstlight_pod::action::{Launch, VolumeContent, VolumeSetup};
use firstlight_pod::event::{Exit, Instance};
use firstlight_pod::spec::{Identity, Mount};
use firstlight_pod::{Do, Event, PodId};
use firstlight_runtime::images::Store;
use firstlight_runtime::{Allow, Config, Ends, Network, Recovered, Registries, Runtime, dismantle, network};
use serde_json::json;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The image tests run: busybox with a few names, nothing else.
pub(crate) const IMAGE: &str = "localhost/box:latest";

/// Longer than anything takes on a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tests of one process and of others get different names and subnets.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A runtime, and one pod.
pub(crate) struct World {
    pub(crate) config: Config,
    runtime: Option<Runtime>,
    pub(crate) ends: Ends,
    pub(crate) pod: PodId,
}

/// Runs `test` in a world of its own.
pub(crate) fn with_world(test: impl AsyncFnOnce(&mut World)) {
    with_world_of(Allow::default(), &[], test);
}

/// The same with these powers, and further images: name and layer.
pub(crate) fn with_world_of(allow: Allow, images: &[(&str, Tar)], test: impl AsyncFnOnce(&mut World)) {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), allow);
    import(&config, IMAGE, &busybox(), json!({"Cmd": ["sh"], "WorkingDir": "/work", "Env": ["FROM=image"]}));
    for (name, tar) in images {
        import(&config, name, tar, json!({"Cmd": ["sh"]}));
    }
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        tokio.block_on(async {
            let (runtime, ends, recovered) = Runtime::start(config.clone()).await.unwrap();
            assert_eq!(recovered, []);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let uid = format!("uid-{}-{number}", std::process::id());
            let pod = PodId { namespace: "ns".to_owned(), name: "pod".to_owned(), uid };
            let mut world = World { config: config.clone(), runtime: Some(runtime), ends, pod };
            test(&mut world).await;
        });
    }));
    tokio.shutdown_timeout(PATIENCE);
    dismantle(config.clone()).unwrap();
    leaves_nothing(&config);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn config(dir: &Path, allow: Allow) -> Config {
    let seed = u64::from(std::process::id()) << 8 | u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
    Config {
        data: dir.join("data"),
        run: dir.join("run"),
        images: dir.join("images"),
        registries: Registries::default(),
        network: Network {
            bridge: format!("flt{seed:x}"),
            subnet: network::choose_subnet(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap(),
            domain: "cluster.local".to_owned(),
        },
        allow,
        shim: Some(PathBuf::from(env!("CARGO_BIN_EXE_firstlight-pod"))),
        toolbox: None,
    }
}

/// Busybox at `/bin/busybox`, and the names that tests call it by.
pub(crate) fn busybox() -> Tar {
    let binary = std::fs::read("/bin/busybox").expect("/bin/busybox; apt-get install busybox-static");
    let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n";
    let tar = Tar::new().dir("bin/").program("bin/busybox", &binary).dir("etc/").file("etc/passwd", passwd);
    let names = [
        "sh", "cat", "echo", "id", "ls", "sleep", "true", "yes", "head", "stty", "nc", "ping", "mknod", "grep", "kill",
        "tail", "mount", "unshare", "touch",
    ];
    names.iter().fold(tar, |tar, name| tar.symlink(format!("bin/{name}"), "busybox"))
}

fn import(config: &Config, name: &str, tar: &Tar, image: serde_json::Value) {
    let store = Store::of(config).unwrap();
    let file = config.images.with_extension("tar");
    let artifact = Artifact::new(vec![Layer::plain(tar.clone().finish())], image);
    std::fs::write(&file, artifact.layout_tar()).unwrap();
    store.import(name, &file).unwrap();
}

fn leaves_nothing(config: &Config) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let data = config.data.display().to_string();
    assert!(!mounts.contains(&data), "mounts are left:\n{mounts}");
    assert!(!Path::new("/sys/class/net").join(&config.network.bridge).exists(), "the bridge is left");
    assert!(!config.run.exists(), "the volatile directory is left");
    assert_eq!(std::fs::read_dir(config.data.join("pods")).map_or(0, Iterator::count), 0, "pods are left");
}

/// A launch that runs a shell script.
pub(crate) fn script(text: &str) -> Launch {
    Launch {
        image: IMAGE.to_owned(),
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()],
        termination_message_path: "/dev/termination-log".to_owned(),
        ..Launch::default()
    }
}

/// A mount of a whole volume.
pub(crate) fn mount(volume: &str, path: &str) -> Mount {
    Mount { volume: volume.to_owned(), path: path.to_owned(), ..Mount::default() }
}

/// The first instance of a container.
pub(crate) fn instance(container: &str) -> Instance {
    Instance { container: container.to_owned(), attempt: 0 }
}

impl World {
    /// The runtime.
    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Asks for something.
    pub(crate) async fn ask(&self, what: Do) {
        self.ends.actions.send((self.pod.clone(), what)).await.unwrap();
    }

    /// The next event, but for those that announce a start: whether it came to anything follows.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.ends.events.recv());
            let event = next.await.expect("nothing happens").expect("the runtime lives").1;
            if !matches!(event, Event::Starting { .. }) {
                return event;
            }
        }
    }

    /// The next event that `pick` takes; those before it are dropped.
    pub(crate) async fn until<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.event().await) {
                return picked;
            }
        }
    }

    /// Makes the pod's sandbox; answers with its address.
    pub(crate) async fn sandbox(&mut self) -> String {
        self.sandbox_of(0).await
    }

    /// Makes this generation of the sandbox; its address.
    pub(crate) async fn sandbox_of(&mut self, attempt: u32) -> String {
        let identity = Identity { hostname: "pod".to_owned(), ..Identity::default() };
        self.ask(Do::CreateSandbox { attempt, identity, sysctls: Default::default(), share_processes: false }).await;
        match self.event().await {
            Event::SandboxReady { attempt: of, pod_ip, .. } if of == attempt => pod_ip,
            other => panic!("{other:?}"),
        }
    }

    /// Makes empty volumes on disk.
    pub(crate) async fn volumes(&mut self, names: &[&str]) {
        let content = VolumeContent::Empty { memory: false, size_limit: None };
        let volumes =
            names.iter().map(|name| VolumeSetup { name: (*name).to_owned(), content: content.clone() }).collect();
        self.ask(Do::PrepareVolumes { volumes, fs_group: None }).await;
        assert!(matches!(self.event().await, Event::VolumesReady { .. }));
    }

    /// Creates a container; answers with what came of it.
    pub(crate) async fn create(&mut self, instance: &Instance, launch: Launch) -> Event {
        let (instance, launch) = (instance.clone(), Box::new(launch));
        self.ask(Do::Create { instance, sandbox: 0, launch, ahead: false }).await;
        self.event().await
    }

    /// Creates and starts a container.
    pub(crate) async fn start(&mut self, container: &str, launch: Launch) {
        let instance = instance(container);
        let created = self.create(&instance, launch).await;
        assert!(matches!(created, Event::Created { .. }), "{created:?}");
        self.ask(Do::Start { instance }).await;
        let started = self.event().await;
        assert!(matches!(started, Event::Started { .. }), "{started:?}");
    }

    /// How a container ended.
    pub(crate) async fn exit(&mut self, container: &str) -> Exit {
        self.until(|event| match event {
            Event::Exited { instance, exit } if instance.container == container => Some(exit),
            _ => None,
        })
        .await
    }

    /// Runs a container to its end; answers with its exit and its log.
    pub(crate) async fn run(&mut self, container: &str, launch: Launch) -> (Exit, String) {
        self.start(container, launch).await;
        let exit = self.exit(container).await;
        (exit, self.log(container).await)
    }

    /// What a script prints in a sandbox of its own.
    pub(crate) async fn prints(&mut self, launch: Launch) -> String {
        self.sandbox().await;
        let (exit, log) = self.run("c", launch).await;
        assert_eq!(exit.code, 0, "{log}");
        log
    }

    /// A container's log.
    pub(crate) async fn log(&self, container: &str) -> String {
        let log = self.runtime().logs(&self.pod, container, Default::default()).await.unwrap();
        read(log).await
    }

    /// The pid of a container's first process, by what it runs.
    pub(crate) fn pids(&self, needle: &str) -> Vec<i32> {
        let dirs = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = dirs.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(needle)
        })
        .collect()
    }

    /// The engine goes, as if killed: nothing is said to shims. `meanwhile` happens, then a new one starts.
    pub(crate) async fn restart_engine(&mut self, meanwhile: impl FnOnce(&World)) -> Vec<Recovered> {
        let (actions, _) = tokio::sync::mpsc::channel(1);
        let (_, events) = tokio::sync::mpsc::channel(1);
        drop(std::mem::replace(&mut self.ends, Ends { actions, events }));
        self.runtime = None;
        // The old one's tasks end because nobody sends actions any more; its lock says when they have.
        let lock = std::fs::File::options().write(true).open(self.config.data.join("runtime.lock")).unwrap();
        soon(async {
            while rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(lock);
        meanwhile(self);
        let (runtime, ends, recovered) = Runtime::start(self.config.clone()).await.unwrap();
        self.runtime = Some(runtime);
        self.ends = ends;
        recovered
    }
}

/// Reads a stream to its end.
pub(crate) async fn read(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// Something that must come to be in reasonable time.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it does not come to be")
}
