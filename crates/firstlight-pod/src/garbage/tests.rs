use super::*;

fn set(numbers: &[u32]) -> BTreeSet<u32> {
    numbers.iter().copied().collect()
}

#[test]
fn t592_the_newest_instance_and_one_that_ended_before_it_stay() {
    for (found, newest, goes) in [
        (&[][..], 0, &[][..]),
        (&[0], 0, &[]),
        (&[0, 1], 1, &[]),
        (&[0, 1, 2], 2, &[0]),
        (&[0, 1, 2, 3, 4], 4, &[0, 1, 2]),
        // One that runs is never removed, nor what came after it is known of.
        (&[0, 1, 2, 3], 1, &[]),
        (&[3, 7, 8, 20], 20, &[3, 7]),
        // The newest left nothing yet.
        (&[0, 1], 2, &[0]),
        (&[5], 6, &[]),
    ] {
        assert_eq!(instances(&set(found), newest), set(goes), "{found:?}, {newest} runs");
    }
}

#[test]
fn t593_the_newest_sandbox_and_the_one_that_is_up_stay() {
    for (found, up, goes) in [
        (&[][..], None, &[][..]),
        (&[0], None, &[]),
        (&[0], Some(0), &[]),
        (&[0, 1], Some(1), &[0]),
        (&[0, 1], Some(0), &[]),
        (&[0, 1, 2], Some(1), &[0]),
        (&[0, 1, 2], None, &[0, 1]),
    ] {
        assert_eq!(sandboxes(&set(found), up), set(goes), "{found:?}, {up:?} is up");
    }
}

#[test]
fn t594_the_logs_of_gone_pods_go_and_no_others() {
    let pods = BTreeSet::from(["a", "c"]);
    assert_eq!(logs(["a", "b", "c", "d"], &pods), ["b", "d"]);
    assert_eq!(logs(["a"], &pods), Vec::<&str>::new());
}
