//! The genesis recipe's own manifests, run as ordinary processes: each pod a network namespace, each container's
//! command as it stands there, inits in order, readiness probes and hooks obeyed. Needs CometBFT under
//! `target/tools` (`cargo xtask demo` puts it there); without it there is nothing to run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};
use serde_json::Value;

use super::FL;

/// The recipe's folder.
fn recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/genesis")
}

/// Reads YAML as the JSON it means.
fn yaml(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{e}\n{document}")))
        .collect()
}

/// Every object of the recipe, with these values changed.
fn render(set: &[(&str, Value)]) -> Vec<Value> {
    let mut values = yaml(&std::fs::read_to_string(recipe().join("values.yaml")).expect("values")).remove(0);
    for (path, value) in set {
        let pointer = format!("/{}", path.replace('.', "/"));
        *values.pointer_mut(&pointer).unwrap_or_else(|| panic!("no value {path}")) = value.clone();
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // As `firstlight render` reads a recipe.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("a syntax"));
    let mut objects = Vec::new();
    for name in ["config", "leader", "follower"] {
        let source = std::fs::read_to_string(recipe().join(format!("templates/{name}.yaml"))).expect("a template");
        // No escaping: the name given here has no extension.
        let text = environment.render_named_str(name, &source, context! { values => template_value(&values) });
        objects.extend(yaml(&text.unwrap_or_else(|error| panic!("{error:#}"))));
    }
    objects
}

fn template_value(json: &Value) -> minijinja::Value {
    match json {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(bool) => minijinja::Value::from(*bool),
        Value::Number(number) => minijinja::Value::from(number.as_i64().expect("whole")),
        Value::String(text) => minijinja::Value::from(text.as_str()),
        Value::Array(list) => minijinja::Value::from(list.iter().map(template_value).collect::<Vec<_>>()),
        Value::Object(object) => minijinja::Value::from(
            object.iter().map(|(key, value)| (key.clone(), template_value(value))).collect::<BTreeMap<_, _>>(),
        ),
    }
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn names(containers: &Value) -> Vec<&str> {
    containers.as_array().into_iter().flatten().filter_map(|container| container["name"].as_str()).collect()
}

#[test]
fn the_line_up_is_composed_from_the_values_s02() {
    let line_up = |set: &[(&str, Value)], name: &str| {
        let objects = render(set);
        let spec = named(&objects, "StatefulSet", name)["spec"]["template"]["spec"].clone();
        [names(&spec["initContainers"]).join(" "), names(&spec["containers"]).join(" ")]
    };
    let on = Value::Bool(true);
    let (leader, follower) = ("chain-genesis", "chain-validator");
    assert_eq!(line_up(&[], leader), ["init-genesis init-config", "node exposer"]);
    assert_eq!(line_up(&[], follower), ["wait-for-chains init-validator init-config", "node"]);
    let build = [("build.enabled", on.clone())];
    assert_eq!(line_up(&build, leader), ["init-build-images init-genesis init-config", "node exposer"]);
    assert_eq!(line_up(&build, follower), ["init-build-images wait-for-chains init-validator init-config", "node"]);
    let faucet = [("faucet.enabled", on.clone())];
    assert_eq!(line_up(&faucet, leader), ["init-genesis init-config init-faucet", "node exposer"]);
    let running = [("faucet.enabled", on), ("faucet.args", serde_json::json!(["serve"]))];
    assert_eq!(line_up(&running, leader), ["init-genesis init-config init-faucet", "node exposer faucet"]);
    assert_eq!(line_up(&running, follower), ["wait-for-chains init-validator init-config", "node"]);
}

#[test]
fn the_recipe_has_no_shell_and_serves_two_items_only() {
    let every = serde_json::json!(true);
    for object in render(&[("build.enabled", every.clone()), ("faucet.enabled", every)]) {
        let text = object.to_string();
        assert!(!text.contains("\"sh\"") && !text.contains("bash") && !text.contains("/bin/sh"), "{text}");
        let items = text.matches("--item=").count();
        assert_eq!(items, if object["kind"] == "StatefulSet" && text.contains("\"expose\"") { 2 } else { 0 });
    }
}

/// Where CometBFT is, if it is installed.
fn tools() -> Option<PathBuf> {
    let target = Path::new(FL).parent()?.parent()?;
    let tools = target.join("tools");
    tools.join("cometbft").is_file().then_some(tools)
}

/// Network namespaces on one bridge, gone when this is dropped.
struct Network {
    prefix: String,
    pods: Vec<String>,
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().expect("ip runs");
    assert!(status.success(), "ip {arguments}");
}

impl Network {
    fn new(pods: &[&str]) -> Network {
        let prefix = format!("flg{}", std::process::id());
        let network = Network { prefix: prefix.clone(), pods: pods.iter().map(|pod| (*pod).to_owned()).collect() };
        let switch = network.namespace("switch");
        ip(&format!("netns add {switch}"));
        ip(&format!("-n {switch} link add br0 type bridge"));
        ip(&format!("-n {switch} link set br0 up"));
        let hosts = "127.0.0.1 localhost\n10.99.7.1 chain-genesis\n";
        for (index, pod) in pods.iter().enumerate() {
            let namespace = network.namespace(pod);
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link add eth0 type veth peer name p{index} netns {switch}"));
            ip(&format!("-n {switch} link set p{index} master br0 up"));
            ip(&format!("-n {namespace} addr add 10.99.7.{}/24 dev eth0", index + 1));
            ip(&format!("-n {namespace} link set eth0 up"));
            ip(&format!("-n {namespace} link set lo up"));
            let files = PathBuf::from("/etc/netns").join(&namespace);
            std::fs::create_dir_all(&files).expect("made");
            std::fs::write(files.join("hosts"), hosts).expect("written");
            std::fs::write(files.join("resolv.conf"), "nameserver 127.0.0.1\n").expect("written");
        }
        network
    }

    fn namespace(&self, pod: &str) -> String {
        format!("{}-{pod}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for pod in self.pods.iter().map(String::as_str).chain(["switch"]) {
            let namespace = self.namespace(pod);
            let _gone = Command::new("ip").args(["netns", "del", &namespace]).status();
            let _gone = std::fs::remove_dir_all(PathBuf::from("/etc/netns").join(&namespace));
        }
    }
}

/// A pod: its manifest, its volume, and the processes of its containers.
struct Pod {
    name: String,
    namespace: String,
    spec: Value,
    root: PathBuf,
    running: BTreeMap<String, Child>,
    tools: PathBuf,
}

impl Drop for Pod {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

impl Pod {
    fn new(name: &str, set: &str, network: &Network, root: &Path, tools: &Path) -> Pod {
        let root = root.join(name);
        let (chain, config) = (root.join("chain"), root.join("config"));
        std::fs::create_dir_all(&chain).expect("made");
        std::fs::create_dir_all(&config).expect("made");
        let objects = render(&[
            ("paths.chain", chain.to_str().expect("text").into()),
            ("paths.config", config.to_str().expect("text").into()),
        ]);
        let files = named(&objects, "ConfigMap", "chain-config")["data"].as_object().expect("data").clone();
        for (file, text) in files {
            std::fs::write(config.join(file), text.as_str().expect("text")).expect("written");
        }
        let spec = named(&objects, "StatefulSet", set)["spec"]["template"]["spec"].clone();
        let (namespace, tools) = (network.namespace(name), tools.to_path_buf());
        Pod { name: name.to_owned(), namespace, spec, root, running: BTreeMap::new(), tools }
    }

    /// A command as this container would run it.
    fn command(&self, container: &Value, command: &Value) -> Command {
        let words = command.as_array().expect("a command").iter().map(|word| word.as_str().expect("text"));
        let mut process = Command::new("ip");
        // Replaces itself by the command, so that killing it kills the container.
        process.args(["netns", "exec", &self.namespace]);
        process.args(words.map(|word| word.replace("$(POD_NAME)", &self.name)));
        process.env_clear().env("PATH", format!("{}:{}", self.tools.display(), std::env::var("PATH").expect("PATH")));
        for variable in container["env"].as_array().into_iter().flatten() {
            let value = variable["value"].as_str().unwrap_or(&self.name);
            process.env(variable["name"].as_str().expect("text"), value);
        }
        process
    }

    fn log(&self, container: &str) -> std::fs::File {
        let path = self.root.join(format!("{container}.log"));
        std::fs::File::options().create(true).append(true).open(path).expect("a log")
    }

    fn run(&self, container: &Value, command: &Value, log: &str) -> bool {
        let mut process = self.command(container, command);
        process.stdout(self.log(log)).stderr(self.log(log)).stdin(Stdio::null());
        process.status().expect("runs").success()
    }

    fn said(&self, container: &str) -> String {
        std::fs::read_to_string(self.root.join(format!("{container}.log"))).unwrap_or_default()
    }

    fn init(&self) {
        for container in self.spec["initContainers"].as_array().expect("inits") {
            let (name, start) = (container["name"].as_str().expect("a name"), Instant::now());
            assert!(self.run(container, &container["command"], name), "{} {name}:\n{}", self.name, self.said(name));
            println!("{:18} {name:16} {:6.0} ms", self.name, start.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn container(&self, name: &str) -> Value {
        let all = self.spec["containers"].as_array().expect("containers");
        all.iter().find(|container| container["name"] == name).expect("there").clone()
    }

    /// Starts a container and runs its postStart hook to its end.
    fn start(&mut self, name: &str) {
        let container = self.container(name);
        let mut process = self.command(&container, &container["command"]);
        process.stdout(self.log(name)).stderr(self.log(name)).stdin(Stdio::null());
        self.running.insert(name.to_owned(), process.spawn().expect("starts"));
        let hook = &container["lifecycle"]["postStart"]["exec"]["command"];
        if !hook.is_null() {
            let start = Instant::now();
            assert!(self.run(&container, hook, "hook"), "{} hook:\n{}", self.name, self.said("hook"));
            println!("{:18} {:16} {:6.0} ms", self.name, "postStart", start.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn kill(&mut self, name: &str) {
        let mut child = self.running.remove(name).expect("runs");
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// Waits for the readiness probe of a container.
    fn until_ready(&self, name: &str) {
        let (container, start) = (self.container(name), Instant::now());
        let probe = &container["readinessProbe"];
        let command = match &probe["exec"]["command"] {
            Value::Null => serde_json::json!([
                "fl",
                "wait",
                "--once",
                format!(
                    "http://127.0.0.1:{}{}",
                    probe["httpGet"]["port"],
                    probe["httpGet"]["path"].as_str().expect("text")
                )
            ]),
            command => command.clone(),
        };
        while !self.run(&container, &command, "probe") {
            assert!(
                start.elapsed() < Duration::from_secs(40),
                "{} {name} is not ready:\n{}\n{}",
                self.name,
                self.said("probe"),
                self.said(name)
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        println!("{:18} {name} ready after {:.0} ms", self.name, start.elapsed().as_secs_f64() * 1000.0);
    }

    /// What this node answers.
    fn ask(&self, path: &str) -> Value {
        let file = self.root.join("answer.json");
        let command = serde_json::json!([
            "fl",
            "fetch",
            format!("http://127.0.0.1:26657{path}"),
            "--to",
            file,
            "--timeout",
            "10s"
        ]);
        let _again = std::fs::remove_file(&file);
        assert!(self.run(&Value::Null, &command, "ask"), "{path}: {}", self.said("ask"));
        serde_json::from_slice(&std::fs::read(&file).expect("there")).expect("JSON")
    }

    fn height(&self) -> u64 {
        let status = self.ask("/status");
        status["result"]["sync_info"]["latest_block_height"].as_str().expect("a height").parse().expect("a number")
    }

    fn marker(&self, name: &str) -> Value {
        let path = self.root.join(format!("chain/.firstlight/markers/{name}.json"));
        serde_json::from_slice(&std::fs::read(path).expect("a marker")).expect("JSON")
    }
}

#[test]
fn four_nodes_agree_and_each_follower_registers_once_s24_s25() {
    let Some(tools) = tools() else {
        eprintln!("skipped: no CometBFT under target/tools");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let bin = directory.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    std::os::unix::fs::symlink(FL, bin.join("fl")).expect("linked");
    std::os::unix::fs::symlink(tools.join("cometbft"), bin.join("cometbft")).expect("linked");
    let names = ["chain-genesis-0", "chain-validator-0", "chain-validator-1", "chain-validator-2"];
    let network = Network::new(&names);
    let pod = |name: &str, set: &str| Pod::new(name, set, &network, directory.path(), &bin);
    let mut leader = pod(names[0], "chain-genesis");
    let mut followers: Vec<Pod> = names[1..].iter().map(|name| pod(name, "chain-validator")).collect();

    let start = Instant::now();
    std::thread::scope(|scope| {
        // All pods start at once; the followers' gate does the rest.
        for follower in &mut followers {
            scope.spawn(|| {
                follower.init();
                follower.start("node");
                follower.until_ready("node");
            });
        }
        leader.init();
        leader.start("node");
        leader.start("exposer");
        leader.until_ready("node");
        leader.until_ready("exposer");
    });
    println!("all ready after {:.1} s", start.elapsed().as_secs_f64());

    // One chain: the same genesis bytes and the same first block, and it grows everywhere.
    let genesis = std::fs::read(leader.root.join("chain/config/genesis.json")).expect("a genesis");
    let first = leader.ask("/block?height=1")["result"]["block_id"]["hash"].clone();
    assert!(first.is_string());
    for follower in &followers {
        assert_eq!(std::fs::read(follower.root.join("chain/config/genesis.json")).expect("a genesis"), genesis);
        assert_eq!(follower.ask("/block?height=1")["result"]["block_id"]["hash"], first);
    }
    let validators = leader.ask("/validators?per_page=100")["result"]["validators"].as_array().expect("a list").len();
    assert_eq!(validators, 4);
    let before = leader.height();

    // Killed and started again, a follower is ready again and does not register again.
    for _ in 0..2 {
        followers[0].kill("node");
        followers[0].start("node");
        followers[0].until_ready("node");
    }
    assert_eq!(followers[0].marker("register")["attempts"], 1);
    // Even if it forgot: the chain is asked first.
    std::fs::remove_file(followers[0].root.join("chain/.firstlight/markers/register.json")).expect("removed");
    std::fs::remove_file(followers[0].root.join("chain/public/registration.json")).expect("removed");
    followers[0].kill("node");
    followers[0].start("node");
    assert!(!followers[0].root.join("chain/public/registration.json").exists(), "it was sent again");
    assert_eq!(leader.ask("/validators?per_page=100")["result"]["validators"].as_array().expect("a list").len(), 4);

    // The inits of a new sandbox change nothing.
    leader.init();
    followers[1].init();
    assert_eq!(std::fs::read(leader.root.join("chain/config/genesis.json")).expect("a genesis"), genesis);
    assert!(leader.height() > before && followers.iter().all(|follower| follower.height() > before));
}
