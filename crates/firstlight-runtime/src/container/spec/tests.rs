use super::*;
use crate::container::seccomp::Filters;
use crate::container::settle::{Place, settle};
use crate::images::{Image, ImageConfig};
use firstlight_pod::PodId;
use firstlight_pod::action::Launch;
use firstlight_pod::event::Instance;

/// What is written to the unified hierarchy for a container on a machine with these controllers.
fn unified(unified: bool, memory: bool) -> Option<HashMap<String, String>> {
    let pod = PodId { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
    let filters = Filters::default();
    let place = Place {
        pod: &pod,
        hostname: "p",
        log_dir: PathBuf::from("/logs"),
        guarded_devices: true,
        allow_privileged: false,
        filters: &filters,
    };
    let config = ImageConfig { cmd: vec!["run".to_owned()], ..ImageConfig::default() };
    let (id, reference) = ("sha256:1".to_owned(), "x".to_owned());
    let image = Image { id, reference, layers: Vec::new(), masks: Vec::new(), config, pulled: None };
    let instance = Instance { container: "c".to_owned(), attempt: 0 };
    let order = settle(instance, "id".to_owned(), Launch::default(), &image, &place).unwrap();
    let user = User { uid: 0, gid: 0, groups: Vec::new(), home: "/".to_owned() };
    let controllers = Controllers { unified, memory, cpu: true, pids: true, swap: false };
    let parts = Parts {
        order: &order,
        target: None,
        root: Path::new("/root"),
        user: &user,
        cgroup: "/c",
        binds: &[],
        controllers,
    };
    let spec = build(&parts).unwrap();
    spec.linux().as_ref().unwrap().resources().as_ref().unwrap().unified().clone()
}

#[test]
fn res_10_out_of_memory_the_container_ends_as_one_where_the_kernel_can_do_that() {
    assert_eq!(unified(true, true), Some(HashMap::from([("memory.oom.group".to_owned(), "1".to_owned())])));
    assert_eq!(unified(true, false), None, "without the controller there is no such file");
    assert_eq!(unified(false, true), None, "the old layout has none");
}
