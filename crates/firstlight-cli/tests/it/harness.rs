//! An engine for one test, and what the tests ask of it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before a test fails; generous, because the machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The image most tests use: busybox, imported, never pulled.
pub(crate) const BUSYBOX: &str = "localhost/busybox:test";

/// The command under test.
pub(crate) fn firstlight() -> Command {
    Command::new(env!("CARGO_BIN_EXE_firstlight"))
}

/// An engine on a directory of its own. Dropping it takes everything down.
pub(crate) struct Engine {
    directory: TempDir,
    process: Option<Child>,
    flags: Vec<String>,
    /// What `ulimit` is told.
    descriptors: String,
}

impl Engine {
    /// A running engine with busybox imported.
    pub(crate) fn start() -> Engine {
        Engine::with(&[])
    }

    /// The same, with more flags.
    pub(crate) fn with(flags: &[&str]) -> Engine {
        let mut engine = Engine::stopped_with(flags);
        engine.run();
        engine
    }

    /// A directory with busybox imported, and no engine yet; it will have these flags.
    pub(crate) fn stopped_with(flags: &[&str]) -> Engine {
        let mut engine = Engine::stopped();
        engine.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        engine
    }

    /// The same, with no more than so many descriptors.
    pub(crate) fn with_descriptors(most: u32) -> Engine {
        let mut engine = Engine::stopped();
        engine.descriptors = format!("-n {most}");
        engine.run();
        engine
    }

    /// A directory with busybox imported and no engine yet.
    pub(crate) fn stopped() -> Engine {
        let engine = Engine {
            directory: TempDir::new().unwrap(),
            process: None,
            flags: Vec::new(),
            descriptors: "-S -n 1024".to_owned(),
        };
        let import = firstlight()
            .args(["image", "import", BUSYBOX])
            .arg(busybox())
            .arg("--image-dir")
            .arg(engine.images())
            .output()
            .unwrap();
        assert_ok(&import);
        engine
    }

    /// Starts the engine process and waits until its API answers.
    pub(crate) fn run(&mut self) {
        let _ = std::fs::remove_file(self.kubeconfig());
        let log = std::fs::File::create(self.directory.path().join("engine.log")).unwrap();
        // As most logins have it: few descriptors until somebody asks for more.
        let process = Command::new("sh")
            .args(["-c", &format!("ulimit {}; exec \"$0\" \"$@\"", self.descriptors)])
            .arg(firstlight().get_program())
            .arg("engine")
            .arg("--data-dir")
            .arg(self.data())
            .arg("--image-dir")
            .arg(self.images())
            .args(&self.flags)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        eventually("the engine answers", || self.try_kubectl(&["get", "--raw", "/readyz"]).status.success());
    }

    /// Kills the engine at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Ends the engine as a person does who has it in the foreground, and waits until it is gone.
    pub(crate) fn end(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        process.wait().unwrap();
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its image directory.
    pub(crate) fn images(&self) -> PathBuf {
        self.directory.path().join("images")
    }

    /// The process of an engine that was started by [`Engine::run`].
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// A place for the test's own files.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.data().join("kubeconfig")
    }

    /// kubectl against this engine; must succeed; what it prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments);
        assert!(output.status.success(), "kubectl {arguments:?}: {}\nengine: {}", text(&output.stderr), self.log());
        text(&output.stdout)
    }

    /// kubectl against this engine, whatever comes of it.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_command(arguments).output().unwrap()
    }

    /// kubectl, to be run by the caller.
    pub(crate) fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let kubectl = std::env::var_os("KUBECTL").unwrap_or_else(|| "kubectl".into());
        let mut command = Command::new(kubectl);
        command
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOME", self.directory.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// `kubectl apply -f -` of this object; must succeed.
    pub(crate) fn apply(&self, object: &Value) -> String {
        let output = self.try_apply(object);
        assert!(output.status.success(), "apply: {}\nengine: {}", text(&output.stderr), self.log());
        text(&output.stdout)
    }

    /// `kubectl apply -f -`, whatever comes of it.
    pub(crate) fn try_apply(&self, object: &Value) -> Output {
        self.pipe(&["apply", "-f", "-"], object)
    }

    /// kubectl that reads this object, whatever comes of it.
    pub(crate) fn pipe(&self, arguments: &[&str], object: &Value) -> Output {
        let mut child = self
            .kubectl_command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// A value by jsonpath: `pod web`, `{.status.phase}`.
    pub(crate) fn field(&self, what: &str, path: &str) -> String {
        let mut arguments = vec!["get"];
        arguments.extend(what.split(' '));
        let path = format!("jsonpath={path}");
        arguments.extend(["-o", path.as_str()]);
        self.kubectl(&arguments)
    }

    /// Waits until a pod is Ready.
    pub(crate) fn ready(&self, pod: &str) {
        self.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", &format!("pod/{pod}")]);
    }

    /// What a port of a pod answers to a plain GET, through `kubectl port-forward`, asked so many times.
    pub(crate) fn page(&self, pod: &str, port: u16, times: usize) -> String {
        let port = format!(":{port}");
        let mut forward = self.kubectl_command(&["port-forward", pod, &port]).stdout(Stdio::piped()).spawn().unwrap();
        // Kept open: kubectl says a line for each connection, and ends when nobody hears it.
        let mut lines = BufReader::new(forward.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first.split_whitespace().nth(2).unwrap();
        let mut answer = String::new();
        for _ in 0..times {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            answer.clear();
            stream.read_to_string(&mut answer).unwrap();
        }
        forward.kill().unwrap();
        forward.wait().unwrap();
        answer
    }

    /// What the engine said, for failing tests.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("engine.log")).unwrap_or_default()
    }

    /// `firstlight` with this engine's directory.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = firstlight();
        command
            .arg(verb)
            .arg("--data-dir")
            .arg(self.data())
            .env("FIRSTLIGHT_IMAGE_DIR", self.images())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine said:\n{}", self.log());
        }
        let _ = self.command("down").output();
        self.end();
        let left = left(self, &[]);
        assert!(std::thread::panicking() || left.is_empty(), "left behind: {left:#?}");
    }
}

/// What is on this machine of an engine, or of pods by UID: processes, mounts and control groups.
pub(crate) fn left(engine: &Engine, uids: &[String]) -> Vec<String> {
    let data = engine.data().display().to_string();
    let names = |line: &str| line.contains(&data) || uids.iter().any(|uid| line.contains(uid));
    let own = engine.process.as_ref().map(Child::id);
    let processes = numbers("/proc").filter(|pid| Some(*pid) != own).filter_map(|pid| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).map(|bytes| text(&bytes));
        let command = read("cmdline").ok()?.replace('\0', " ");
        // A container's mounts name the directory its root is in; a process that is ending has none any more.
        let traces = [&command, &read("cgroup").unwrap_or_default(), &read("mountinfo").unwrap_or_default()];
        traces.iter().any(|trace| names(trace)).then(|| format!("process {pid}: {command}"))
    });
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts: Vec<&str> = mounts.lines().filter(|line| names(line)).collect();
    // Every process of the host shows the host's mounts.
    if !mounts.is_empty() {
        return mounts.into_iter().map(|line| format!("mount: {line}")).collect();
    }
    let found = Command::new("find").args(["/sys/fs/cgroup", "-type", "d"]).output().unwrap();
    let found = text(&found.stdout);
    let groups = found.lines().filter(|line| names(line)).map(|line| format!("cgroup: {line}"));
    processes.chain(groups).collect()
}

/// The entries of a directory that are numbers.
fn numbers(directory: &str) -> impl Iterator<Item = u32> {
    std::fs::read_dir(directory).unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
}

/// The busybox image as an OCI layout, assembled once.
fn busybox() -> &'static Path {
    static LAYOUT: OnceLock<PathBuf> = OnceLock::new();
    LAYOUT.get_or_init(|| {
        let layout = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("busybox-{}", std::process::id()));
        xtask::images::assemble(&layout, &xtask::images::busybox().unwrap(), &json!({"Cmd": ["sh"]})).unwrap();
        layout
    })
}

/// A pod of busybox containers that run shell text: init steps by name, then mains.
pub(crate) fn pod(name: &str, inits: &[(&str, &str)], mains: &[(&str, &str)]) -> Value {
    let container = |(name, script): &(&str, &str)| {
        json!({"name": name, "image": BUSYBOX, "command": ["/bin/sh", "-c", script],
               "volumeMounts": [{"name": "work", "mountPath": "/work"}]})
    };
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": mains.iter().map(container).collect::<Vec<_>>(),
            "volumes": [{"name": "work", "emptyDir": {}}]
        }
    });
    if !inits.is_empty() {
        pod["spec"]["initContainers"] = inits.iter().map(container).collect();
    }
    pod
}

/// Waits until something holds, looking often; fails the test with its name if it does not.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Output as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that must have succeeded.
pub(crate) fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}
