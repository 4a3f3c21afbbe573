//! How often is a container restarted that crashes at once (section 2.6; upstream's container_restart_test.go)?

use crate::pods;
use crate::world::World;
use firstlight_pod::action::Do;
use firstlight_pod::spec::{Backoff, RestartPolicy};
use firstlight_pod::{Millis, Now};

fn restarts_in_five_minutes(backoff: Backoff) -> usize {
    let mut spec = pods::pod(RestartPolicy::Always, Vec::new(), vec![pods::container("m")]);
    spec.rules.backoff = backoff;
    let mut world = World::new(spec);
    // About what this takes with real containers, which is where the bounds come from.
    world.manners.delay = 10;
    world.manners.runs.insert("m".to_owned(), (1, 1));
    let mut turned = world.begin();
    turned.extend(world.pass(Now(300_000)));
    let actions = turned.iter().flat_map(|turned| &turned.plan.actions);
    actions.filter(|action| matches!(action.what, Do::Start { .. })).count() - 1
}

#[test]
fn bkf_11_and_t184_to_t187_crashes_are_restarted_as_often_as_the_back_off_lets_them() {
    let usual = Backoff::default();
    for (backoff, at_least, at_most) in [
        (usual, 5, 7),
        (usual.at_most(Millis::secs(30)), 10, 13),
        (Backoff::REDUCED, 9, 13),
        (usual.at_most(Millis::secs(1)), 100, 298),
    ] {
        let restarts = restarts_in_five_minutes(backoff);
        assert!((at_least..=at_most).contains(&restarts), "{backoff:?}: {restarts} restarts");
    }
}
