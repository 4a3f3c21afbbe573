//! What does the API say about this node? Registers the Node object and keeps its Lease fresh.

use crate::NodeConfig;
use crate::clock::Clock;
use firstlight_api::object::{Key, resources};
use firstlight_api::time;
use firstlight_pod::Rules;
use firstlight_pod::spec::Backoff;
use firstlight_store::{Expect, Store, Write};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the lease is renewed: a quarter of its duration (upstream `nodeLeaseRenewIntervalFraction`).
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// How long a lease counts (upstream `nodeLeaseDurationSeconds`).
const LEASE_SECONDS: u64 = 40;

/// The namespace of node leases.
const LEASES: &str = "kube-node-lease";

/// Pods a node takes (upstream default of `maxPods` is 110; one machine's /24 has room for 250).
const PODS: u64 = 250;

/// How often the node's status is said again though nothing changed (upstream `nodeStatusReportFrequency`).
const REPORT_EVERY: Duration = Duration::from_secs(300);

/// What this machine rules for its pods.
pub(crate) fn rules(backoff: Backoff) -> Rules {
    let cpus = cpus();
    Rules {
        backoff,
        creations_at_once: cpus,
        allocatable_cpu: u64::try_from(cpus).unwrap_or(1).saturating_mul(1000),
        allocatable_memory: memory_kib().saturating_mul(1024),
        environment: Vec::new(),
    }
}

/// Registers the node, then keeps its status and its lease fresh until stopped.
pub(crate) async fn run(config: NodeConfig, store: Store, clock: Clock, stop: CancellationToken) {
    let mut renew = tokio::time::interval(RENEW_EVERY);
    let mut report = tokio::time::interval(REPORT_EVERY);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = report.tick() => register(&config, &store, &clock).await,
            _ = renew.tick() => lease(&config, &store, &clock).await,
        }
    }
}

/// Makes the Node object, or brings what this node owns of it up to date.
async fn register(config: &NodeConfig, store: &Store, clock: &Clock) {
    let key = Key::new(resources::NODES, "", config.name.clone());
    let now = time::write(clock.now());
    put(store, &key, |old| {
        let mut node = old.cloned().unwrap_or_else(|| {
            json!({"apiVersion": "v1", "kind": "Node",
                   "metadata": {"name": config.name, "uid": uid(clock), "creationTimestamp": now},
                   "spec": {}})
        });
        node["metadata"]["labels"] = merged(node["metadata"].get("labels"), &labels(&config.name));
        node["status"] = status(config, &now, node.get("status"));
        node
    })
    .await;
}

fn labels(name: &str) -> Value {
    json!({"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch(),
           "node.kubernetes.io/instance-type": "firstlight", "node-role.kubernetes.io/control-plane": ""})
}

fn status(config: &NodeConfig, now: &str, old: Option<&Value>) -> Value {
    let (cpus, memory) = (cpus(), memory_kib());
    let capacity = json!({"cpu": cpus.to_string(), "memory": format!("{memory}Ki"), "pods": PODS.to_string()});
    let conditions = old.and_then(|old| old.get("conditions")).and_then(Value::as_array);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let known = conditions.and_then(|all| all.iter().find(|c| c["type"] == kind && c["status"] == status));
        let since = known.map_or(json!(now), |known| known["lastTransitionTime"].clone());
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": since})
    };
    json!({
        "capacity": capacity, "allocatable": capacity,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "firstlight has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "firstlight has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "firstlight has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "firstlight is posting ready status"),
        ],
        "addresses": [{"type": "InternalIP", "address": config.host_ip}, {"type": "Hostname", "address": config.name}],
        "nodeInfo": {
            "machineID": read("/etc/machine-id"), "systemUUID": read("/etc/machine-id"),
            "bootID": read("/proc/sys/kernel/random/boot_id"), "kernelVersion": read("/proc/sys/kernel/osrelease"),
            "osImage": os_image(), "operatingSystem": "linux", "architecture": arch(),
            "containerRuntimeVersion": concat!("firstlight://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": firstlight_api::discovery::git_version(), "kubeProxyVersion": "",
        },
    })
}

/// Makes or renews the lease.
async fn lease(config: &NodeConfig, store: &Store, clock: &Clock) {
    let key = Key::new(resources::LEASES, LEASES, config.name.clone());
    let now = format!("{}.000000Z", time::write(clock.now()).trim_end_matches('Z'));
    put(store, &key, |old| {
        let mut lease = old.cloned().unwrap_or_else(|| {
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                   "metadata": {"name": config.name, "namespace": LEASES, "uid": uid(clock),
                                "creationTimestamp": time::write(clock.now())},
                   "spec": {"holderIdentity": config.name, "leaseDurationSeconds": LEASE_SECONDS}})
        });
        lease["spec"]["renewTime"] = json!(now);
        lease
    })
    .await;
}

/// Writes what `make` makes of the object as it is now.
async fn put(store: &Store, key: &Key, make: impl Fn(Option<&Value>) -> Value) {
    for _ in 0..TRIES {
        let old = store.get(key);
        let expect = old.as_ref().map_or(Expect::Absent, |object| Expect::At(object.revision));
        let value = make(old.as_ref().map(|object| &object.value));
        if store.commit(Write { key: key.clone(), expect, value: Some(value) }).await.is_ok() {
            return;
        }
    }
    tracing::warn!(name = key.name, "cannot write the node's {}", key.resource.plural);
}

/// Somebody else may write in between; not this often.
const TRIES: usize = 5;

fn merged(old: Option<&Value>, ours: &Value) -> Value {
    let mut all = old.and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(ours.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

/// A UID of this start: the kernel's own random source of them.
pub(crate) fn uid(clock: &Clock) -> String {
    match read("/proc/sys/kernel/random/uuid") {
        uid if uid.is_empty() => format!("00000000-0000-8000-8000-{:012x}", clock.now().0),
        uid => uid,
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn memory_kib() -> u64 {
    let text = read("/proc/meminfo");
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn os_image() -> String {
    let text = read("/etc/os-release");
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}

/// As Kubernetes (and Go) name it.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
