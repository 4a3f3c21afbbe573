//! The marker file of a run-once step: `DIR/markers/NAME.json`. Written by `fl run-once`, believed by `fl expose`.
//!
//! What it says is decided in `firstlight-bootstrap`; here it is only written down and read back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use firstlight_bootstrap::Digest;
use firstlight_bootstrap::marker::{Claim, Made, Marker, Owner, Record};
use serde_json::{Map, Value, json};

use crate::publish;

/// The version of the file's form. A newer one is refused, not guessed at.
const SCHEMA: u64 = 1;

/// Other users may read it (the exposer runs as one); it holds no secret.
const MODE: u32 = 0o644;

/// A marker with the facts that decide nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// What decides.
    pub marker: Marker,
    /// How often state was committed under this name.
    pub generation: u64,
    /// Who claimed last.
    pub owner: Option<Process>,
}

/// A process, told apart from every other one on any host at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The host's name: in a pod, the pod's.
    pub host: String,
    /// Changes when the machine boots.
    pub boot: String,
    /// The process id in its namespace.
    pub pid: i32,
    /// When it started, in clock ticks since boot; tells a reused id apart.
    pub start: u64,
    /// Which process namespace the id is from.
    pub namespace: String,
}

impl Process {
    /// This process.
    pub fn this() -> io::Result<Process> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Ok(Process {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
            pid,
            start: start_time(pid).ok_or_else(|| io::Error::other("/proc/self/stat cannot be read"))?,
            namespace: namespace(),
        })
    }

    /// Whether this process, seen from `here` by one that holds its lock, can still be at work.
    pub fn state(&self, here: &Process) -> Owner {
        let Process { host, boot, pid, start, namespace } = self;
        if *boot != here.boot {
            // The same pod on a machine that booted again, or another machine: its lock says nothing here.
            return if *host == here.host { Owner::Dead } else { Owner::Unknown };
        }
        // On one kernel the lock decides. Where locks do not work, a process in sight still does.
        let in_sight = *namespace == here.namespace && start_time(*pid) == Some(*start) && *pid != here.pid;
        if in_sight { Owner::Alive } else { Owner::Dead }
    }

    /// Whether this process is gone for certain, whatever still holds its lock.
    pub fn gone(&self, here: &Process) -> bool {
        let Process { host: _, boot, pid, start, namespace } = self;
        *boot == here.boot && *namespace == here.namespace && start_time(*pid) != Some(*start)
    }

    /// One word that no two claims share: a process claims at most once.
    pub fn word(&self) -> String {
        let Process { host, boot, pid, start, namespace } = self;
        format!("{host}/{boot}/{namespace}/{pid}/{start}")
    }
}

/// Field 22 of `/proc/PID/stat`; `None` for a process that is gone or only waits to be reaped.
fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in field 2 may hold anything, blanks and brackets included.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok())?
}

fn namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid").map_or_else(|_| "?".to_owned(), |link| link.to_string_lossy().into_owned())
}

/// Where the marker of a step is.
pub fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join("markers").join(format!("{name}.json"))
}

/// Whether a step can have this name.
pub fn legal_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(legal)
}

/// Reads a marker. What is there but cannot be understood is a marker too.
pub fn read(path: &Path) -> Noted {
    let unreadable = |why: String| Noted { marker: Marker::Unreadable(why), generation: 0, owner: None };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Noted { marker: Marker::Absent, generation: 0, owner: None };
        }
        Err(error) => return unreadable(error.to_string()),
    };
    let document: Value = match serde_json::from_slice(&bytes) {
        Ok(document) => document,
        Err(error) => return unreadable(format!("no JSON: {error}")),
    };
    match document["schema"].as_u64() {
        Some(SCHEMA) => {
            parse(&document).unwrap_or_else(|| unreadable("a field is missing or of the wrong type".into()))
        }
        Some(newer) => unreadable(format!("its form is version {newer}, this program knows {SCHEMA}")),
        None => unreadable("it is not one of ours".into()),
    }
}

fn parse(document: &Value) -> Option<Noted> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let inputs = Digest::parse(document["inputs"].as_str()?)?;
    let attempt = document["attempts"].as_u64()?;
    let cluster = text(&document["cluster_id"]);
    let owner = process(&document["owner"]);
    let listed = document["outputs"].as_array()?;
    let claim = || {
        let outputs = listed.iter().map(|output| text(&output["path"])).collect::<Option<Vec<_>>>()?;
        Some(Claim { maker: owner.as_ref()?.word(), attempt, inputs, cluster: cluster.clone(), outputs })
    };
    let marker = match document["state"].as_str()? {
        "begun" => Marker::Begun(claim()?),
        "failed" => Marker::Failed(claim()?),
        "done" => {
            let outputs = listed.iter().map(made).collect::<Option<BTreeMap<_, _>>>()?;
            Marker::Done(Record { attempt, inputs, cluster: cluster.clone(), outputs })
        }
        _ => return None,
    };
    Some(Noted { marker, generation: document["generation"].as_u64()?, owner })
}

fn made(output: &Value) -> Option<(String, Made)> {
    let path = output["path"].as_str()?.to_owned();
    if output["mutable"].as_bool() == Some(true) {
        return Some((path, Made::Mutable));
    }
    let sha256 = Digest::parse(output["sha256"].as_str()?)?;
    Some((path, Made::Fixed { size: output["size"].as_u64()?, sha256 }))
}

fn process(owner: &Value) -> Option<Process> {
    Some(Process {
        host: owner["host"].as_str()?.to_owned(),
        boot: owner["boot_id"].as_str()?.to_owned(),
        pid: i32::try_from(owner["pid"].as_i64()?).ok()?,
        start: owner["start_time"].as_u64()?,
        namespace: owner["pid_namespace"].as_str()?.to_owned(),
    })
}

/// Writes a marker, durably and at once.
pub fn write(path: &Path, noted: &Noted) -> io::Result<()> {
    path.parent().map_or(Ok(()), publish::create_directories)?;
    publish::write(path, render(noted).to_string().as_bytes(), MODE)
}

fn render(noted: &Noted) -> Value {
    let Noted { marker, generation, owner } = noted;
    let mut document = Map::new();
    let (state, attempt, inputs, cluster, outputs) = match marker {
        Marker::Absent | Marker::Unreadable(_) => ("absent", 0, None, None, Vec::new()),
        Marker::Begun(claim) => ("begun", claim.attempt, Some(claim.inputs), claim.cluster.clone(), claimed(claim)),
        Marker::Failed(claim) => ("failed", claim.attempt, Some(claim.inputs), claim.cluster.clone(), claimed(claim)),
        Marker::Done(record) => {
            let outputs = record.outputs.iter().map(|(path, made)| match made {
                Made::Fixed { size, sha256 } => json!({ "path": path, "size": size, "sha256": sha256.to_string() }),
                Made::Mutable => json!({ "path": path, "mutable": true }),
            });
            ("done", record.attempt, Some(record.inputs), record.cluster.clone(), outputs.collect())
        }
    };
    document.insert("schema".into(), SCHEMA.into());
    document.insert("state".into(), state.into());
    document.insert("generation".into(), (*generation).into());
    document.insert("inputs".into(), inputs.map(|inputs| inputs.to_string()).into());
    document.insert("cluster_id".into(), cluster.into());
    document.insert("attempts".into(), attempt.into());
    document.insert("outputs".into(), Value::Array(outputs));
    document.insert("tool".into(), concat!("fl ", env!("CARGO_PKG_VERSION")).into());
    document.insert("time".into(), format!("{:.3}", jiff::Timestamp::now()).into());
    if let Some(Process { host, boot, pid, start, namespace }) = owner {
        let owner =
            json!({ "host": host, "boot_id": boot, "pid": pid, "start_time": start, "pid_namespace": namespace });
        document.insert("owner".into(), owner);
    }
    Value::Object(document)
}

fn claimed(claim: &Claim) -> Vec<Value> {
    claim.outputs.iter().map(|path| json!({ "path": path })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(marker: Marker) -> Noted {
        Noted { marker, generation: 3, owner: Some(Process::this().expect("we run")) }
    }

    fn claim() -> Claim {
        let maker = Process::this().expect("we run").word();
        let outputs = vec!["/data/a".to_owned(), "/data/b".to_owned()];
        Claim { maker, attempt: 2, inputs: Digest([1; 32]), cluster: Some("c".into()), outputs }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = path(dir.path(), "genesis");
        assert_eq!(read(&path).marker, Marker::Absent);
        let made = Made::Fixed { size: 7, sha256: Digest([9; 32]) };
        let outputs = BTreeMap::from([("/data/a".to_owned(), made), ("/data/b".to_owned(), Made::Mutable)]);
        let record = Record { attempt: 2, inputs: Digest([1; 32]), cluster: None, outputs };
        for marker in [Marker::Begun(claim()), Marker::Failed(claim()), Marker::Done(record)] {
            let noted = noted(marker);
            write(&path, &noted).expect("written");
            assert_eq!(read(&path), noted);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_never_taken_for_absent_or_done() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("m.json");
        write(&path, &noted(Marker::Begun(claim()))).expect("written");
        let whole = std::fs::read_to_string(&path).expect("read");
        let mut broken = vec![whole.replace("\"schema\":1", "\"schema\":2"), "{}".into(), "null".into(), String::new()];
        broken.extend(["begun", "inputs", "attempts", "outputs", "host"].map(|word| whole.replacen(word, "x", 1)));
        broken.extend((1..whole.len()).filter(|end| whole.is_char_boundary(*end)).map(|end| whole[..end].to_owned()));
        for text in broken {
            std::fs::write(&path, &text).expect("written");
            assert!(matches!(read(&path).marker, Marker::Unreadable(_)), "{text}");
        }
    }

    #[test]
    fn an_owner_is_judged_by_boot_host_and_process() {
        let here = Process::this().expect("we run");
        let other = Process { pid: 1, start: start_time(1).expect("process 1 runs"), ..here.clone() };
        assert_eq!(other.state(&here), Owner::Alive, "in sight");
        assert_eq!(Process { start: 1, ..other.clone() }.state(&here), Owner::Dead, "the id was reused");
        assert_eq!(
            Process { namespace: "pid:[1]".into(), ..other.clone() }.state(&here),
            Owner::Dead,
            "its lock is free"
        );
        assert_eq!(Process { boot: "before".into(), ..other.clone() }.state(&here), Owner::Dead, "booted again");
        let elsewhere = Process { boot: "x".into(), host: "elsewhere".into(), ..other };
        assert_eq!(elsewhere.state(&here), Owner::Unknown);
    }

    #[test]
    fn names_cannot_lead_out_of_the_directory() {
        assert!(legal_name("init-genesis_1.x"));
        assert!(["", ".", "..", "a/b", ".hidden", "a b", &"x".repeat(101)].iter().all(|name| !legal_name(name)));
    }
}
