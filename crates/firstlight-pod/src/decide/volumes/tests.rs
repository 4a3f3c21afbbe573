use super::*;
use crate::event::Event;
use crate::spec::{Container, Identity, PodId, Qos, ResourceRef, Resources, RestartPolicy, Rules, SizeLimit};
use crate::time::Now;

#[test]
fn labels_are_written_as_go_quotes_them() {
    let pairs = BTreeMap::from([
        ("a".to_owned(), "x \"y\" \\z".to_owned()),
        ("b".to_owned(), "two\nlines\tand\u{1}é".to_owned()),
    ]);
    assert_eq!(key_values(&pairs), "a=\"x \\\"y\\\" \\\\z\"\nb=\"two\\nlines\\tand\\x01é\"");
}

#[test]
fn vol_4_unknown_keys_are_named_in_kubernetes_words() {
    let map = SourceRef::ConfigMap("c".to_owned());
    let secret = SourceRef::Secret("s".to_owned());
    assert_eq!(no_such_key(&map, "k"), "configmap references non-existent config key: k");
    assert_eq!(no_such_key(&secret, "k"), "references non-existent secret key: k");
}

fn map(name: &str) -> SourceRef {
    SourceRef::ConfigMap(name.to_owned())
}

fn from(source: SourceRef, items: &[(&str, &str, Option<u32>)], optional: bool) -> Projection {
    let items = items.iter().map(|(key, path, mode)| ((*key).to_owned(), (*path).to_owned(), *mode)).collect();
    Projection::Source { source, items, optional }
}

fn spec(volumes: Vec<Volume>) -> Spec {
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
        mains: Vec::new(),
        volumes,
        readiness_gates: Vec::new(),
        ephemerals: Vec::new(),
        pull_secrets: Vec::new(),
        fs_group: None,
        qos: Qos::BestEffort,
        share_processes: false,
        sysctls: BTreeMap::new(),
        rules: Rules::default(),
    }
}

/// The files of a volume made of these: path, mode, content. ConfigMap `c` has `k=v` and `l=w`, `gone` does not exist.
fn files(projections: Vec<Projection>) -> Result<Vec<(String, u32, String)>, String> {
    let kind = VolumeKind::Files { projections, default_mode: 0o644, memory: false };
    let spec = spec(vec![Volume { name: "v".to_owned(), kind }]);
    let mut seen = Seen::default();
    let data = BTreeMap::from([("k".to_owned(), b"v".to_vec()), ("l".to_owned(), b"w".to_vec())]);
    seen.fold(&Event::Said { status: Box::default(), at: Now(1) });
    seen.fold(&Event::Source { source: map("c"), content: Some(data) });
    seen.fold(&Event::Source { source: map("gone"), content: None });
    match setups(&spec, &seen) {
        Ok(volumes) => Ok(volumes
            .into_iter()
            .flat_map(|volume| match volume.content {
                VolumeContent::Files { files, .. } => files,
                VolumeContent::Empty { .. }
                | VolumeContent::Host { .. }
                | VolumeContent::Claim { .. }
                | VolumeContent::Image { .. } => Vec::new(),
            })
            .map(|file| (file.path, file.mode, String::from_utf8(file.data).expect("text")))
            .collect()),
        Err(Missing::Untold(source)) => Err(format!("untold {source}")),
        Err(Missing::Wrong { volume, message }) => Err(format!("{volume}: {message}")),
        Err(Missing::Unclaimed(message)) => Err(message),
    }
}

fn file(path: &str, mode: u32, text: &str) -> (String, u32, String) {
    (path.to_owned(), mode, text.to_owned())
}

#[test]
fn vol_3_and_4_items_choose_keys_paths_and_modes() {
    assert_eq!(files(vec![from(map("c"), &[], false)]), Ok(vec![file("k", 0o644, "v"), file("l", 0o644, "w")]));
    assert_eq!(files(vec![from(map("c"), &[("k", "sub/x", Some(0o400))], false)]), Ok(vec![file("sub/x", 0o400, "v")]));
    let missing = files(vec![from(map("c"), &[("z", "z", None)], false)]);
    assert_eq!(missing, Err("v: configmap references non-existent config key: z".to_owned()));
    assert_eq!(files(vec![from(map("c"), &[("z", "z", None)], true)]), Ok(Vec::new()));
}

#[test]
fn vol_5_what_is_optional_may_be_missing_and_nothing_else() {
    assert_eq!(files(vec![from(map("gone"), &[], true)]), Ok(Vec::new()));
    assert_eq!(files(vec![from(map("gone"), &[], false)]), Err("v: configmap \"gone\" not found".to_owned()));
    assert_eq!(files(vec![from(map("untold"), &[], true)]), Err("untold configmap untold".to_owned()));
}

#[test]
fn later_projections_win_and_the_pods_own_fields_are_files_too() {
    let field = |path: &str, field| Projection::Field { path: path.to_owned(), field, mode: None };
    let resource = ResourceRef { container: "m".to_owned(), resource: "limits.cpu".to_owned(), divisor_micro: 1_000 };
    let all = vec![
        from(map("c"), &[], false),
        field("k", FieldRef::Name),
        field("labels", FieldRef::Labels),
        Projection::Resource { path: "cpu".to_owned(), resource, mode: None },
    ];
    assert_eq!(files(all.clone()), Err("v: container \"m\" not found".to_owned()));
    assert_eq!(
        files(all[..3].to_vec()),
        Ok(vec![file("k", 0o644, "p"), file("l", 0o644, "w"), file("labels", 0o644, "app=\"web\"")])
    );
}

#[test]
fn vol_2_and_res_2_memory_is_bounded_by_the_volume_the_pod_and_the_node_whichever_is_least() {
    let limited = |name: &str, memory_limit: Option<u64>| {
        let resources = Resources { memory_limit, ..Resources::default() };
        Container { name: name.to_owned(), resources, ..Container::default() }
    };
    let size = |own: Option<u64>, inits: Vec<Init>, mains: &[Option<u64>]| {
        let mains = mains.iter().map(|limit| limited("m", *limit)).collect();
        let rules = Rules { allocatable_memory: 1000, ..Rules::default() };
        let size_limit = own.map(|bytes| SizeLimit { bytes, text: String::new() });
        let kind = VolumeKind::EmptyDir { memory: true, size_limit };
        let spec = Spec { inits, mains, rules, ..spec(vec![Volume { name: "v".to_owned(), kind }]) };
        match setups(&spec, &Seen::default()).ok().expect("it is told")[0].content {
            VolumeContent::Empty { memory: true, size_limit: Some(size) } => size,
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(size(None, Vec::new(), &[None]), 1000, "the node's");
    assert_eq!(size(Some(7), Vec::new(), &[None]), 7, "its own");
    assert_eq!(size(Some(2000), Vec::new(), &[None]), 1000);
    assert_eq!(size(Some(700), Vec::new(), &[Some(200), Some(300)]), 500, "the pod's");
    assert_eq!(size(None, Vec::new(), &[Some(200), None]), 1000, "a pod with a container that has no limit has none");
    let inits = || {
        vec![
            Init::Once(limited("a", Some(100))),
            Init::Sidecar(limited("s", Some(50))),
            Init::Once(limited("b", Some(600))),
        ]
    };
    assert_eq!(size(None, inits(), &[Some(200), Some(300)]), 650, "what runs at once: b beside s");
    assert_eq!(size(None, inits(), &[Some(700)]), 750, "or m beside s");
}
