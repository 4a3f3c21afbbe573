//! How often is a container restarted that crashes at once (section 2.6; upstream's container_restart_test.go)?

use crate::pods;
use crate::world::World;
use firstlight_pod::action::Do;
use firstlight_pod::spec::RestartPolicy;
use firstlight_pod::{Millis, Now};

fn restarts_in_five_minutes(cap: Millis) -> usize {
    let mut spec = pods::pod(RestartPolicy::Always, Vec::new(), vec![pods::container("m")]);
    spec.rules.backoff_cap = cap;
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
fn t184_and_t185_and_t187_crashes_are_restarted_as_often_as_the_cap_lets_them() {
    for (cap, at_least, at_most) in [(300, 5, 7), (30, 10, 13), (1, 100, 298)] {
        let restarts = restarts_in_five_minutes(Millis::secs(cap));
        assert!((at_least..=at_most).contains(&restarts), "cap {cap} s: {restarts} restarts");
    }
}
