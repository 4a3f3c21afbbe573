//! Registries that ask for credentials, send us elsewhere, break off, lie, or are simply slow.

use super::artifact::{Artifact, INDEX, digest};
use super::scripted::{Answer, Asked, Scripted, serve_images};
use super::{Here, Registries};
use firstlight_pod::event::ImageFailure;
use firstlight_pod::spec::PullPolicy;
use serde_json::json;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

fn app() -> Artifact {
    // Big enough to break off in the middle of, and not to be shrunk away.
    let mut state = 1u32;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        char::from(b'!' + (state % 90) as u8)
    };
    let noise: String = (0..200_000).map(|_| letter()).collect();
    Artifact::with_file("x", &noise)
}

fn is_layer(image: &Artifact, asked: &Asked) -> bool {
    asked.path.contains(&digest(&image.layers[0].packed))
}

/// A registry with `app` in it, except where `other` has an answer of its own.
fn bending(image: &Artifact, other: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Scripted {
    let images = vec![("app", image.clone())];
    Scripted::new(move |asked| other(asked).unwrap_or_else(|| serve_images(&images, asked)))
}

fn name(registry: &Scripted) -> String {
    format!("{}/app", registry.address)
}

fn secret(host: &str) -> Vec<u8> {
    json!({"auths": {host: {"username": "user", "password": "hunter2"}}}).to_string().into_bytes()
}

const BASIC: &str = "Basic dXNlcjpodW50ZXIy";

#[tokio::test]
async fn fault_40_two_hundred_pods_cause_one_download() {
    let registry = Scripted::serving(vec![("app", app())]);
    let here = Here::new();
    let name = name(&registry);
    let pulls = (0..200).map(|_| here.ensure(&name, PullPolicy::Always));
    let images = futures::future::try_join_all(pulls).await.unwrap();
    assert!(images.iter().all(|image| image == &images[0]));
    assert_eq!((registry.count("/manifests/"), registry.count("/blobs/")), (1, 2));
}

#[tokio::test]
async fn img_12_an_unchanged_tag_costs_one_question() {
    let registry = Scripted::serving(vec![("app", app())]);
    let here = Here::new();
    let first = here.pull(&name(&registry)).await.unwrap();
    let again = here.pull(&name(&registry)).await.unwrap();
    assert_eq!((again.id, again.pulled.unwrap().1), (first.id, first.pulled.unwrap().1));
    let asked = registry.asked();
    assert_eq!((asked.len(), asked[3].method.as_str()), (4, "HEAD"));
}

#[tokio::test]
async fn a_token_is_fetched_with_the_password_and_used_for_everything() {
    let image = app();
    let images = vec![("app", image.clone())];
    let registry = Scripted::new(move |asked| {
        if asked.path.starts_with("/token") {
            let granted = asked.header("authorization") == Some(BASIC);
            return if granted {
                Answer::new(200, r#"{"token":"t0k3n","access_token":"t0k3n"}"#)
            } else {
                Answer::new(401, "")
            };
        }
        if asked.header("authorization") == Some("Bearer t0k3n") {
            return serve_images(&images, asked);
        }
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"s\",scope=\"repository:other:push\"",
            asked.header("host").unwrap()
        );
        Answer::new(401, "").header("WWW-Authenticate", challenge)
    });
    let here = Here::new();
    let credentials = [secret("elsewhere.example"), secret(&registry.address)];
    let pulled = here.store.ensure(&name(&registry), PullPolicy::Always, &credentials).await.unwrap();
    assert_eq!(pulled.id, image.id());
    let tokens: Vec<String> =
        registry.asked().into_iter().map(|a| a.path).filter(|p| p.starts_with("/token")).collect();
    assert_eq!(tokens, ["/token?service=s&scope=repository%3Aapp%3Apull"], "one token, for what we came for");

    let error = Here::new().pull(&name(&registry)).await.unwrap_err();
    assert!(
        error.message.contains("pull access denied, repository does not exist or may require authorization"),
        "{error}"
    );
}

#[tokio::test]
async fn basic_credentials_are_sent_when_asked_for_and_an_identity_token_is_exchanged() {
    let image = app();
    let images = vec![("app", image.clone())];
    let basic = Scripted::new(move |asked| match asked.header("authorization") {
        Some(BASIC) => serve_images(&images, asked),
        _ => Answer::new(401, "").header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let here = Here::new();
    here.store.ensure(&name(&basic), PullPolicy::Always, &[secret(&basic.address)]).await.unwrap();
    assert!(basic.asked()[0].header("authorization").is_none(), "not before it is asked for");

    let images = vec![("app", image)];
    let oauth = Scripted::new(move |asked| {
        if asked.path == "/token" && asked.method == "POST" {
            assert!(asked.body.contains("grant_type=refresh_token") && asked.body.contains("refresh_token=r3fr3sh"));
            return Answer::new(200, r#"{"access_token":"t0k3n"}"#);
        }
        if asked.header("authorization") == Some("Bearer t0k3n") {
            return serve_images(&images, asked);
        }
        Answer::new(401, "")
            .header("WWW-Authenticate", format!("Bearer realm=\"http://{}/token\"", asked.header("host").unwrap()))
    });
    let credential = json!({"auths": {&oauth.address: {"identitytoken": "r3fr3sh"}}}).to_string().into_bytes();
    here.store.ensure(&name(&oauth), PullPolicy::Always, &[credential]).await.unwrap();
}

#[tokio::test]
async fn s31_credentials_go_to_no_other_host_not_by_redirect_and_not_to_a_mirror() {
    let image = app();
    let layer = image.layers[0].packed.clone();
    let elsewhere = Scripted::new(move |_| Answer::new(200, layer.clone()));
    let to = elsewhere.address.clone();
    let images = vec![("app", image.clone())];
    let bent = image.clone();
    let registry = Scripted::new(move |asked| match asked.header("authorization") {
        Some(BASIC) if is_layer(&bent, asked) => Answer::redirect(format!("http://{to}/layer?signature=x")),
        Some(BASIC) => serve_images(&images, asked),
        _ => Answer::new(401, "").header("WWW-Authenticate", "Basic"),
    });
    let credentials = [secret(&registry.address)];
    Here::new().store.ensure(&name(&registry), PullPolicy::Always, &credentials).await.unwrap();
    assert_eq!(elsewhere.asked().len(), 1);
    assert!(elsewhere.asked()[0].header("authorization").is_none());

    let mirror = Scripted::new(|_| Answer::new(401, "").header("WWW-Authenticate", "Basic"));
    let mirrors = [("registry.invalid".to_owned(), vec![mirror.address.clone()])].into();
    let here = Here::with(Registries { mirrors, ..Registries::default() });
    let error = here.store.ensure("registry.invalid/app", PullPolicy::Always, &[secret("registry.invalid")]).await;
    assert!(error.is_err());
    assert!(mirror.asked().iter().all(|asked| asked.header("authorization").is_none()));
    assert!(mirror.asked()[0].path.ends_with("?ns=registry.invalid"), "a cache is told whose image is meant");
}

#[tokio::test]
async fn mirrors_are_tried_in_order() {
    let image = app();
    let (empty, full) = (Scripted::serving(vec![]), Scripted::serving(vec![("library/app", image.clone())]));
    let mirrors = ["127.0.0.1:1".to_owned(), empty.address.clone(), full.address.clone()];
    let mirrors = [("docker.io".to_owned(), mirrors.to_vec())].into();
    let here = Here::with(Registries { mirrors, ..Registries::default() });
    assert_eq!(here.pull("app").await.unwrap().id, image.id());
    assert_eq!(empty.count("/v2/library/app/manifests/latest"), 1);
}

#[tokio::test]
async fn fault_34_a_transfer_that_breaks_off_goes_on_where_it_broke_off() {
    for knows_ranges in [true, false] {
        let image = app();
        let bent = image.clone();
        let registry = bending(&image, move |asked| {
            let layer = bent.layers[0].packed.clone();
            if !is_layer(&bent, asked) {
                return None;
            }
            let from: Option<usize> =
                asked.header("range").map(|range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
            Some(match from {
                None => Answer { breaks_after: Some(70_000), ..Answer::new(200, layer) },
                Some(from) if knows_ranges && from < 80_000 => {
                    Answer { breaks_after: Some(10_000), ..Answer::new(206, &layer[from..]) }
                }
                Some(from) if knows_ranges => Answer::new(206, &layer[from..]),
                Some(_) => Answer::new(200, layer),
            })
        });
        let pulled = Here::new().pull(&name(&registry)).await.unwrap();
        assert_eq!(pulled.id, image.id(), "ranges: {knows_ranges}");
        assert!(
            registry.asked().iter().filter_map(|asked| asked.header("range")).any(|range| range.starts_with("bytes="))
        );
    }
}

#[tokio::test]
async fn fault_34_passing_troubles_are_waited_out_and_lasting_ones_reported() {
    let image = app();
    let tries = AtomicUsize::new(0);
    let registry = bending(&image, move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Some(Answer::new(503, "")),
        1 => Some(Answer::new(429, "").header("Retry-After", "0")),
        _ => None,
    });
    assert_eq!(Here::new().pull(&name(&registry)).await.unwrap().id, image.id());

    let broken = Scripted::new(|_| Answer::new(500, r#"{"errors":[{"code":"UNKNOWN","message":"disk\nfull"}]}"#));
    let message = Here::new().refused(&name(&broken)).await;
    assert!(message.contains("unexpected status from Get request to http://127.0.0.1:"), "{message}");
    assert!(message.contains("500 Internal Server Error: unknown: diskfull"), "{message}");
    assert_eq!(broken.asked().len(), 3, "a bounded number of tries");

    let circle = Scripted::new(|asked| Answer::redirect(asked.path.clone()));
    let message = Here::new().refused(&name(&circle)).await;
    assert!(message.contains("redirects more than 5 times"), "{message}");
}

#[tokio::test]
async fn fault_35_what_is_not_what_it_should_be_is_refused_and_leaves_nothing() {
    type Bend = fn(&Artifact, &Asked) -> Option<Answer>;
    let config = |image: &Artifact, asked: &Asked| asked.path.ends_with(&image.id());
    let cases: [(&str, Bend, &str); 9] = [
        (
            "another layer",
            |image, asked| is_layer(image, asked).then(|| Answer::new(200, vec![0; image.layers[0].packed.len()])),
            "failed to unpack layer",
        ),
        (
            "a layer and more",
            |image, asked| {
                is_layer(image, asked).then(|| Answer::new(200, [&image.layers[0].packed, b"more".as_slice()].concat()))
            },
            "promised",
        ),
        (
            "a page instead of a layer",
            |image, asked| is_layer(image, asked).then(|| Answer::new(200, "<html>login</html>")),
            "of",
        ),
        ("no layer", |image, asked| is_layer(image, asked).then(|| Answer::new(404, "")), "not found"),
        (
            "another configuration",
            |image, asked| asked.path.ends_with(&image.id()).then(|| Answer::new(200, "{}")),
            "whose digest is",
        ),
        (
            "a manifest without end",
            |_, asked| asked.path.contains("manifests").then(|| Answer::new(200, vec![b' '; 5 << 20])),
            "more than 4194304 bytes",
        ),
        (
            "a page instead of a manifest",
            |_, asked| {
                asked.path.contains("manifests").then(|| Answer::new(200, "<html>").header("Content-Type", "text/html"))
            },
            "cannot be read",
        ),
        (
            "an index in an index",
            |_, asked| {
                let inner = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
                let outer = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": INDEX, "digest": digest(inner.as_bytes()), "size": inner.len()}]});
                let body = if asked.path.ends_with("latest") { outer.to_string() } else { inner };
                asked.path.contains("manifests").then(|| Answer::new(200, body))
            },
            "an index inside an index",
        ),
        (
            "schema 1",
            |_, asked| {
                asked.path.contains("manifests").then(|| Answer::new(200, r#"{"schemaVersion":1,"fsLayers":[]}"#))
            },
            "schema version 1",
        ),
    ];
    for (case, bend, reason) in cases {
        let image = app();
        let bent = image.clone();
        let registry = bending(&image, move |asked| bend(&bent, asked));
        let message = Here::new().refused(&name(&registry)).await;
        assert!(message.contains(reason), "{case}: {message}");
    }
    let image = app();
    let bent = image.clone();
    let registry = bending(&image, move |asked| config(&bent, asked).then(|| Answer::new(200, vec![b' '; 5 << 20])));
    assert!(Here::new().refused(&name(&registry)).await.contains("more than 4194304 bytes"));
}

#[tokio::test]
async fn a_pinned_digest_takes_nothing_else() {
    let image = app();
    let registry = bending(&image, |asked| {
        let other = Artifact::with_file("other", "x").manifest_bytes();
        asked.path.contains("/manifests/sha256:").then(|| Answer::new(200, other))
    });
    let pinned = format!("{}/app@{}", registry.address, digest(&image.manifest_bytes()));
    let message = Here::new().refused(&pinned).await;
    assert!(message.contains("whose digest is"), "{message}");
}

#[tokio::test]
async fn s25_messages_hold_no_password_and_no_signature() {
    let image = app();
    let to = Scripted::new(|_| Answer::new(403, r#"{"errors":[{"code":"DENIED","message":"internal page"}]}"#));
    let (address, bent) = (to.address.clone(), image.clone());
    let registry = bending(&image, move |asked| {
        is_layer(&bent, asked).then(|| Answer::redirect(format!("http://{address}/x?signature=s1gn4tur3")))
    });
    let error = Here::new().store.ensure(&name(&registry), PullPolicy::Always, &[secret(&registry.address)]).await;
    let message = error.unwrap_err().message;
    for hidden in ["hunter2", "s1gn4tur3", "internal page", BASIC] {
        assert!(!message.contains(hidden), "{message}");
    }
    let error =
        Here::new().store.ensure(&name(&registry), PullPolicy::Always, &[b"hunter2".to_vec()]).await.unwrap_err();
    assert_eq!(error.failure, ImageFailure::Pull);
    assert!(!error.message.contains("hunter2"), "{error}");
}

/// Where the child of the next test finds its registry; in other runs the test is that child's parent.
const CHILD: &str = "FIRSTLIGHT_TEST_PULLS_FROM";

#[tokio::test]
async fn fault_37_a_pull_killed_in_the_middle_of_a_layer_leaves_nothing_and_the_next_one_succeeds() {
    if let Ok(child) = std::env::var(CHILD) {
        let (dir, name) = child.split_once(' ').unwrap();
        let store =
            super::Store::open(std::path::Path::new(dir), &Registries::default(), super::Allow::default(), None);
        store.unwrap().ensure(name, PullPolicy::Always, &[]).await.unwrap();
        return;
    }
    let image = app();
    let bent = image.clone();
    let (halfway, reached) = mpsc::channel();
    let first = Arc::new(AtomicUsize::new(0));
    let registry = bending(&image, move |asked| {
        if !is_layer(&bent, asked) || first.fetch_add(1, Ordering::SeqCst) > 0 {
            return None;
        }
        halfway.send(()).unwrap();
        // Promises the whole layer and sends half of it; the connection stays open and silent.
        let layer = &bent.layers[0].packed;
        Some(Answer::new(200, &layer[..layer.len() / 2]).header("Content-Length", layer.len().to_string()))
    });
    let here = Here::new();
    let dir = here.tmp.path().join("images");
    let test =
        "images::pulling::fault_37_a_pull_killed_in_the_middle_of_a_layer_leaves_nothing_and_the_next_one_succeeds";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(CHILD, format!("{} {}", dir.display(), name(&registry)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tokio::task::spawn_blocking(move || reached.recv().unwrap()).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let store = super::Store::open(&dir, &Registries::default(), super::Allow::default(), None).unwrap();
    here.assert_empty();
    assert_eq!(store.local(&name(&registry)), None);
    assert_eq!(store.ensure(&name(&registry), PullPolicy::Always, &[]).await.unwrap().id, image.id());
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_stops_and_leaves_nothing() {
    let image = app();
    let bent = image.clone();
    let (asked_for, wait) = tokio::sync::oneshot::channel();
    let asked_for = std::sync::Mutex::new(Some(asked_for));
    let registry = bending(&image, move |asked| {
        if !is_layer(&bent, asked) {
            return None;
        }
        asked_for.lock().unwrap().take()?.send(()).unwrap();
        let layer = &bent.layers[0].packed;
        Some(Answer::new(200, &layer[..layer.len() / 2]).header("Content-Length", layer.len().to_string()))
    });
    let here = Here::new();
    let name = name(&registry);
    tokio::select! {
        outcome = here.pull(&name) => panic!("{outcome:?}"),
        _ = wait => {}
    }
    assert_eq!(here.pull(&name).await.unwrap().id, image.id());
}

/// The port of the registry of the next test's child, which trusts it by its environment.
const TLS_CHILD: &str = "FIRSTLIGHT_TEST_PULLS_BY_TLS_FROM";

#[tokio::test]
async fn a_registry_with_tls_must_prove_who_it_is() {
    let here = |port: &str| {
        let mirrors = [("registry.invalid".to_owned(), vec![format!("https://127.0.0.1:{port}")])].into();
        Here::with(Registries { mirrors, ..Registries::default() })
    };
    if let Ok(port) = std::env::var(TLS_CHILD) {
        here(&port).pull("registry.invalid/app").await.unwrap();
        return;
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let chain = vec![certified.cert.der().clone()];
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let images = vec![("app", app())];
    let registry = Scripted::with_tls(config, move |asked| serve_images(&images, asked));
    let (_, port) = registry.address.split_once(':').unwrap();

    let stranger = here(port);
    let message = stranger.refused("registry.invalid/app").await;
    assert!(message.contains("certificate"), "{message}");
    assert!(registry.asked().is_empty(), "nothing is said to a registry that is not known");

    let trusted = stranger.tmp.path().join("trusted.pem");
    std::fs::write(&trusted, certified.cert.pem()).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "images::pulling::a_registry_with_tls_must_prove_who_it_is"])
        .env(TLS_CHILD, port)
        .env("SSL_CERT_FILE", &trusted)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(registry.count("/blobs/"), 2);
}

/// What is asked of a registry for two images that are wanted at once: the repository of each request, in order.
async fn two_pulls(at_once: usize, script: impl Fn(&Asked) + Send + Sync + 'static) -> Vec<String> {
    // Layers of their own, or one would find the other's.
    let image = |word: &str| Artifact::with_file("word", word);
    let images = vec![("one", image("one")), ("two", image("two"))];
    let registry = Scripted::new(move |asked| {
        script(asked);
        serve_images(&images, asked)
    });
    let pulls_at_once = std::num::NonZeroUsize::new(at_once);
    let here = Here::with(Registries { pulls_at_once, ..Registries::default() });
    let [one, two] = ["one", "two"].map(|name| format!("{}/{name}", registry.address));
    let (one, two) = tokio::join!(here.pull(&one), here.pull(&two));
    one.and(two).unwrap();
    let repository = |asked: &Asked| asked.path.split('/').nth(2).map(str::to_owned).filter(|name| !name.is_empty());
    registry.asked().iter().filter_map(repository).collect()
}

#[tokio::test]
async fn img_11_images_are_pulled_one_after_the_other_or_side_by_side_as_the_node_is_told() {
    let asked = two_pulls(1, |_| {}).await;
    let turns = asked.chunk_by(|a, b| a == b).count();
    assert_eq!(turns, 2, "one is over before the other begins: {asked:?}");
    // Answered only when both are asked for: one after the other would wait for ever.
    let both = std::sync::Barrier::new(2);
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let meet = move |asked: &Asked| {
        if asked.path.contains("/manifests/") && seen.lock().unwrap().insert(asked.path.clone()) {
            both.wait();
        }
    };
    let pulls = two_pulls(2, meet);
    tokio::time::timeout(std::time::Duration::from_secs(60), pulls).await.expect("both are under way at once");
}
