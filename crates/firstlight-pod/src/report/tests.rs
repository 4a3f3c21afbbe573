use super::*;
use crate::time::Now;

#[test]
fn lengths_read_as_go_prints_them() {
    for (millis, expected) in [
        (0, "0s"),
        (7, "7ms"),
        (345, "345ms"),
        (1000, "1s"),
        (1200, "1.2s"),
        (61_005, "1m1.005s"),
        (600_000, "10m0s"),
        (3_600_000, "1h0m0s"),
        (36_610_500, "10h10m10.5s"),
    ] {
        assert_eq!(go_millis(Millis(millis)), expected);
    }
}

#[test]
fn what_dies_before_its_turn_is_not_told_as_a_failure() {
    let instance = Instance { container: "m".to_owned(), attempt: 0 };
    let create = Do::Create { instance: instance.clone(), sandbox: 0, launch: Box::default(), ahead: true };
    let created = Event::Created {
        instance: instance.clone(),
        id: "abc".to_owned(),
        image_id: "sha256:1".to_owned(),
        at: Now(2),
    };
    let mut seen = Seen::default();
    for event in [Event::Asked { what: create, at: Now(1) }, created] {
        seen.fold(&event);
    }
    assert!(is_ahead(&seen, &instance));
    seen.fold(&Event::Asked { what: Do::Start { instance: instance.clone() }, at: Now(3) });
    assert!(!is_ahead(&seen, &instance));
}
