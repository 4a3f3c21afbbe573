//! Variables from files that other containers of the pod write (ENV-11).

use super::world::{World, instance, mount};
use super::{script, with_world};
use firstlight_pod::draft::{Draft, Holds, Variable};
use firstlight_pod::event::StartFailure;
use firstlight_pod::spec::FileRef;
use firstlight_pod::{Event, Launch};

/// A launch that prints `$A`, which stands in this file of volume `v`.
fn prints_a(path: &str, optional: bool) -> Launch {
    let file = FileRef { volume: "v".to_owned(), path: path.to_owned(), key: "A".to_owned(), optional };
    let text = "echo \"A is ${A-not there}\"".to_owned();
    let draft = Draft {
        variables: vec![Variable { name: "A".to_owned(), value: Holds::File(file) }],
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), text],
        ..Draft::default()
    };
    Launch { draft: Some(Box::new(draft)), command: Vec::new(), ..script("") }
}

/// Runs a script in which the volume is at `/v`.
async fn writes(world: &mut World, name: &str, text: &str) {
    let (exit, log) = world.run(name, Launch { mounts: vec![mount("v", "/v")], ..script(text) }).await;
    assert_eq!(exit.code, 0, "{log}");
}

#[test]
fn env_11_the_file_is_read_at_each_start_by_a_container_that_does_not_even_mount_it() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        writes(world, "one", "busybox mkdir /v/d; echo \"A='first value'\" > /v/d/vars").await;
        assert_eq!(world.run("b", prints_a("d/vars", false)).await.1, "A is first value\n");
        writes(world, "two", "echo \"A='second'\" > /v/d/vars; busybox ln -s vars /v/d/link").await;
        assert_eq!(world.run("c", prints_a("d/vars", false)).await.1, "A is second\n");
        assert_eq!(world.run("d", prints_a("d/link", false)).await.1, "A is second\n", "links within are followed");
        assert_eq!(world.run("e", prints_a("gone", true)).await.1, "A is not there\n");
    });
}

#[test]
fn env_11_and_s8_what_a_container_makes_of_the_file_cannot_hurt() {
    with_world(async |world| {
        world.sandbox().await;
        world.volumes(&["v"]).await;
        let outside = world.config.data.join("outside");
        std::fs::write(&outside, "A='of the host'").unwrap();
        let escape = format!("busybox ln -s {} /v/escape", outside.display());
        let climb = "busybox ln -s ../../../outside /v/climb";
        let rest = "busybox mkfifo /v/pipe; busybox mkdir /v/dir; echo \"B='1'\" > /v/other; echo A=1 > /v/plain";
        let large = "head -c 1100000 /dev/zero > /v/large";
        writes(world, "w", &format!("{escape}; {climb}; {rest}; {large}")).await;
        for (path, words) in [
            ("escape", "couldn't parse env file"),
            ("climb", "couldn't parse env file"),
            ("../outside", "couldn't parse env file"),
            ("pipe", "it is not a file"),
            ("dir", "it is not a file"),
            ("large", "longer than 1048576 bytes"),
            ("plain", "line 1: the value must stand in single quotes"),
            ("gone", "couldn't parse env file"),
            ("other", "environment variable key \"A\" not found in file \"other\""),
        ] {
            match world.create(&instance("c"), prints_a(path, false)).await {
                Event::StartFailed { failure: StartFailure::Config, message, .. } => {
                    assert!(message.contains(words), "{path}: {message}");
                    assert!(!message.contains("of the host"), "{path}: {message}");
                }
                other => panic!("{path}: {other:?}"),
            }
        }
    });
}
