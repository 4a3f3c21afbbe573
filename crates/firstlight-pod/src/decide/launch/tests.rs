use super::*;
use crate::event::Event;
use crate::spec::{FileRef, Identity, Mount, PodId, Resources, RestartPolicy, Rules};
use crate::time::{Millis, Now};
use std::collections::BTreeMap;

fn spec(container: Container) -> Spec {
    Spec {
        id: PodId { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() },
        generation: 1,
        labels: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
        annotations: BTreeMap::new(),
        node: "node1".to_owned(),
        service_account: "sa".to_owned(),
        identity: Identity::default(),
        restart: RestartPolicy::Always,
        grace: Millis::secs(30),
        deadline: None,
        inits: Vec::new(),
        mains: vec![container],
        volumes: Vec::new(),
        readiness_gates: Vec::new(),
        ephemerals: Vec::new(),
        pull_secrets: Vec::new(),
        fs_group: None,
        qos: Qos::BestEffort,
        share_processes: false,
        sysctls: BTreeMap::new(),
        rules: Rules { environment: vec![("SVC".to_owned(), "10.0.0.9".to_owned())], ..Rules::default() },
    }
}

fn map(name: &str) -> SourceRef {
    SourceRef::ConfigMap(name.to_owned())
}

fn text(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: EnvValue::Text(value.to_owned()) }
}

fn key(name: &str, source: SourceRef, key: &str, optional: bool) -> EnvVar {
    EnvVar { name: name.to_owned(), value: EnvValue::Key { source, key: key.to_owned(), optional } }
}

/// ConfigMap `c` has `k=v`, `raw=$(SVC)`; ConfigMap and Secret `gone` do not exist; nothing is told of others.
fn seen() -> Seen {
    let mut seen = Seen::default();
    let data = BTreeMap::from([("k".to_owned(), b"v".to_vec()), ("raw".to_owned(), b"$(SVC)".to_vec())]);
    seen.fold(&Event::Source { source: map("c"), content: Some(data) });
    seen.fold(&Event::Source { source: map("gone"), content: None });
    seen.fold(&Event::Source { source: SourceRef::Secret("gone".to_owned()), content: None });
    seen.fold(&Event::SandboxReady {
        attempt: 0,
        pod_ip: "10.0.0.2".to_owned(),
        host_ip: "10.0.0.1".to_owned(),
        at: Now(1),
    });
    seen
}

fn launched(container: Container) -> Result<Launch, Unresolved> {
    let container = Container { name: "m".to_owned(), ..container };
    launch(&spec(container.clone()), &seen(), &container)
}

fn env_of(env: Vec<EnvVar>) -> Vec<(String, String)> {
    launched(Container { env, ..Container::default() }).expect("it resolves").env
}

fn pairs(env: &[(&str, &str)]) -> Vec<(String, String)> {
    env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn env_1_later_definitions_win_and_keep_the_place_of_the_first() {
    let container = Container {
        env_from: vec![EnvFrom { source: map("c"), prefix: "P_".to_owned(), optional: false }],
        env: vec![text("P_k", "mine"), text("X", "1"), text("X", "2")],
        ..Container::default()
    };
    let expected = pairs(&[("SVC", "10.0.0.9"), ("P_k", "mine"), ("P_raw", "$(SVC)"), ("X", "2")]);
    assert_eq!(launched(container).expect("it resolves").env, expected);
}

#[test]
fn env_2_a_value_sees_what_was_defined_before_it_and_nothing_after() {
    let env = env_of(vec![text("A", "1"), text("B", "$(A)-$(C)-$(SVC)"), text("C", "3")]);
    assert_eq!(env[2], ("B".to_owned(), "1-$(C)-10.0.0.9".to_owned()));
}

#[test]
fn env_3_values_from_elsewhere_are_not_expanded() {
    assert_eq!(env_of(vec![key("RAW", map("c"), "raw", false)])[1].1, "$(SVC)");
}

#[test]
fn env_4_command_and_args_see_the_final_environment() {
    let container = Container {
        command: vec!["run".to_owned(), "$(X)".to_owned()],
        args: vec!["$(NOPE)".to_owned()],
        env: vec![text("X", "1"), text("X", "2")],
        ..Container::default()
    };
    let launch = launched(container).expect("it resolves");
    assert_eq!((launch.command, launch.args), (vec!["run".to_owned(), "2".to_owned()], vec!["$(NOPE)".to_owned()]));
}

#[test]
fn env_6_and_7_what_is_missing_is_named_in_kubernetes_words() {
    let wrong = |message: &str| Err(Unresolved::Wrong(message.to_owned()));
    let env = |var| launched(Container { env: vec![var], ..Container::default() });
    let secret = SourceRef::Secret("gone".to_owned());
    assert_eq!(env(key("X", map("gone"), "k", false)), wrong("configmap \"gone\" not found"));
    assert_eq!(env(key("X", secret.clone(), "k", false)), wrong("secret \"gone\" not found"));
    assert_eq!(env(key("X", map("c"), "z", false)), wrong("couldn't find key z in ConfigMap ns/c"));
    assert_eq!(env(key("X", map("untold"), "z", false)), Err(Unresolved::Untold(map("untold"))));
    assert_eq!(env_of(vec![key("X", map("c"), "z", true), key("Y", secret.clone(), "z", true)]).len(), 1);
    let from = |optional| EnvFrom { source: secret.clone(), prefix: String::new(), optional };
    let container = |optional| Container { env_from: vec![from(optional)], ..Container::default() };
    assert_eq!(launched(container(false)), wrong("secret \"gone\" not found"));
    assert!(launched(container(true)).is_ok());
}

#[test]
fn env_9_fields_of_the_pod() {
    for (of, expected) in [
        (FieldRef::Name, "p"),
        (FieldRef::Namespace, "ns"),
        (FieldRef::Uid, "u"),
        (FieldRef::Label("app".to_owned()), "web"),
        (FieldRef::Label("none".to_owned()), ""),
        (FieldRef::NodeName, "node1"),
        (FieldRef::ServiceAccountName, "sa"),
        (FieldRef::HostIp, "10.0.0.1"),
        (FieldRef::PodIp, "10.0.0.2"),
    ] {
        assert_eq!(field(&spec(Container::default()), &seen(), &of), expected, "{of:?}");
    }
}

#[test]
fn env_10_resources_are_rounded_up_to_whole_divisors() {
    let resources = Resources { cpu_limit: Some(1500), memory_request: Some(1_500_000), ..Resources::default() };
    let spec = spec(Container { name: "m".to_owned(), resources, ..Container::default() });
    let of = |resource: &str, divisor_micro| {
        let of = ResourceRef { container: "m".to_owned(), resource: resource.to_owned(), divisor_micro };
        super::resource(&spec, &of)
    };
    assert_eq!(of("limits.cpu", 1_000_000).as_deref(), Ok("2"));
    assert_eq!(of("limits.cpu", 1_000).as_deref(), Ok("1500"));
    assert_eq!(of("requests.memory", (1 << 20) * 1_000_000).as_deref(), Ok("2"));
    // The node's own stands in for a missing limit, nothing for a missing request.
    assert_eq!(of("limits.memory", 1_000_000).as_deref(), Ok("1073741824"));
    assert_eq!(of("requests.cpu", 1_000).as_deref(), Ok("0"));
    assert!(of("limits.nope", 1).is_err());
}

#[test]
fn env_12_and_vol_15_sub_paths_are_expanded_strictly_and_parents_come_first() {
    let mount = |path: &str, sub_path: &str, sub_path_expr| Mount {
        volume: "v".to_owned(),
        path: path.to_owned(),
        sub_path: sub_path.to_owned(),
        sub_path_expr,
        ..Mount::default()
    };
    let container = |mounts| Container { mounts, env: vec![text("X", "1")], ..Container::default() };
    let mounts = vec![mount("/a/b/c", "p-$(X)", true), mount("/a", "p-$(X)", false), mount("/", "", false)];
    let launch = launched(container(mounts)).expect("it resolves");
    let seen: Vec<(&str, &str)> = launch.mounts.iter().map(|m| (m.path.as_str(), m.sub_path.as_str())).collect();
    assert_eq!(seen, [("/", ""), ("/a", "p-$(X)"), ("/a/b/c", "p-1")]);
    let missing = launched(container(vec![mount("/a", "$(NOPE)/$(ALSO)", true)]));
    assert_eq!(missing, Err(Unresolved::Wrong("missing value for \"NOPE\"".to_owned())));
    for (value, wrong) in [
        ("..", "unable to provision SubPath `../x`: must not contain '..'"),
        ("/tmp", "error SubPath `/tmp/x` must not be an absolute path"),
    ] {
        let mounts = vec![mount("/a", "$(X)/x", true)];
        let leading_out = launched(Container { mounts, env: vec![text("X", value)], ..Container::default() });
        assert_eq!(leading_out, Err(Unresolved::Wrong(wrong.to_owned())));
    }
}

#[test]
fn env_11_a_file_is_not_read_by_the_decision_but_handed_on_with_all_that_depends_on_it() {
    let (volume, path, key) = ("v".to_owned(), "vars".to_owned(), "K".to_owned());
    let file = FileRef { volume, path, key, optional: true };
    let env = vec![
        text("A", "1"),
        EnvVar { name: "B".to_owned(), value: EnvValue::File(file.clone()) },
        text("C", "$(A)$(B)"),
    ];
    let command = vec!["$(C)".to_owned()];
    let launch = launched(Container { env, command, ..Container::default() }).expect("it resolves");
    assert_eq!((launch.env.as_slice(), launch.command.as_slice()), (&[][..], &[][..]));
    let mut asked = Vec::new();
    let launch = launch.completed(|file| {
        asked.push(file.clone());
        Ok(Some("2".to_owned()))
    });
    let launch = launch.expect("it completes");
    assert_eq!(launch.env, pairs(&[("SVC", "10.0.0.9"), ("A", "1"), ("B", "2"), ("C", "12")]));
    assert_eq!((launch.command.as_slice(), asked), (&["12".to_owned()][..], vec![file]));
}

#[test]
fn res_7_the_more_was_asked_for_the_later_the_kernel_takes_it() {
    let asks = |name: &str, memory: Option<u64>| {
        let resources = Resources { memory_request: memory, ..Resources::default() };
        Container { name: name.to_owned(), resources, ..Container::default() }
    };
    let score = |qos, inits: Vec<Init>, mains: Vec<Container>, of: &Container| {
        let rules = Rules { allocatable_memory: 1000 << 20, ..Rules::default() };
        oom_score(&Spec { qos, inits, mains, rules, ..spec(Container::default()) }, of)
    };
    let alone = |qos, memory: Option<u64>| {
        let main = asks("m", memory);
        score(qos, Vec::new(), vec![main.clone()], &main)
    };
    assert_eq!(alone(Qos::Guaranteed, Some(1 << 20)), -997);
    assert_eq!(alone(Qos::BestEffort, None), 1000);
    let burstable = [(None, 999), (Some(1), 999), (Some(400 << 20), 600), (Some(999 << 20), 3), (Some(u64::MAX), 3)];
    for (memory, expected) in burstable {
        assert_eq!(alone(Qos::Burstable, memory), expected, "{memory:?}");
    }
    let mains = vec![asks("m", Some(500 << 20)), asks("n", Some(300 << 20))];
    for (own, expected) in [(None, 700), (Some(100 << 20), 700), (Some(400 << 20), 600)] {
        let side = asks("s", own);
        let sidecars = vec![Init::Sidecar(side.clone())];
        assert_eq!(score(Qos::Burstable, sidecars, mains.clone(), &side), expected, "a sidecar of {own:?}");
        let once = vec![Init::Once(side.clone())];
        let plain = 1000 - i32::try_from(own.unwrap_or(0) >> 20).unwrap();
        assert_eq!(score(Qos::Burstable, once, mains.clone(), &side), plain.min(999), "an init of {own:?}");
    }
}
