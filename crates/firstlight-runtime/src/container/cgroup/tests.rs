use super::*;

#[test]
fn a_hierarchy_is_known_by_its_controllers() {
    let line = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct";
    let (kind, hierarchy) = Hierarchy::parse(line).unwrap();
    assert_eq!(kind, "cgroup");
    assert_eq!(hierarchy.root, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
    assert_eq!(hierarchy.controllers, ["cpu", "cpuacct"]);
}

#[test]
fn other_filesystems_are_not_hierarchies() {
    assert!(Hierarchy::parse("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw").is_none());
    assert!(Hierarchy::parse("9 1 0:1 / /mnt/cgroup rw - cgroup cgroup rw,cpu").is_none());
}
