//! Pulls are shared while they run, and stop when nobody waits.

use super::*;
use firstlight_pod::event::ImageFailure;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;

fn key(text: &str) -> Key {
    (text.to_owned(), Digest::of(b""))
}

fn failure(number: u32) -> Outcome {
    Err(Unavailable::new(ImageFailure::Pull, number.to_string()))
}

#[tokio::test]
async fn fault_40_all_who_come_while_a_pull_runs_share_it() {
    let flights = Arc::new(Flights::default());
    let (begun, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
    let join = |name: &str| {
        let (flights, key, begun, gate) = (Arc::clone(&flights), key(name), Arc::clone(&begun), Arc::clone(&gate));
        async move {
            let pull = || async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                failure(number)
            };
            flights.join(key, pull).await
        }
    };
    let waiting = futures::future::join_all((0..200).map(|_| join("a")));
    let (outcomes, other, ()) = tokio::join!(waiting, join("b"), async { gate.add_permits(2) });
    assert_eq!(begun.load(Ordering::SeqCst), 2, "one for each image");
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]) && other != outcomes[0]);
    gate.add_permits(1);
    assert_eq!(join("a").await, failure(2), "what comes later is asked again");
}

#[tokio::test]
async fn a_pull_nobody_waits_for_is_dropped() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (flights, dropped) = (Flights::default(), Arc::new(AtomicU32::new(0)));
    let held = Dropped(Arc::clone(&dropped));
    let pull = flights.find(key("a"), || async move {
        let _held = held;
        std::future::pending().await
    });
    assert!(pull.clone().now_or_never().is_none());
    drop(pull);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}
