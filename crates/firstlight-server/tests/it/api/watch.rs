//! Watches: where they begin, what a selection sees, bookmarks, and how they end (E7).

use super::{CONFIGMAPS, Cluster, ask, at, config_map};
use firstlight_server::body::Body;
use firstlight_store::Options;
use http::{Response, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than any event lets wait, also where time is paused: a watch that says nothing fails its test.
const PATIENCE: Duration = Duration::from_secs(180);

/// A watch under way.
struct Events {
    body: Body,
    lines: VecDeque<Value>,
}

impl Events {
    fn of(response: Response<Body>) -> Events {
        assert_eq!(response.status(), 200);
        Events { body: response.into_body(), lines: VecDeque::new() }
    }

    /// The next event, or `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        while self.lines.is_empty() {
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("in time")?.expect("a frame");
            let text = frame.into_data().expect("data");
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            self.lines.extend(lines.map(|line| serde_json::from_slice::<Value>(line).expect("an event")));
        }
        self.lines.pop_front()
    }

    /// The next event's type, and the name and mark of its object.
    async fn brief(&mut self) -> (String, String, String) {
        let event = self.next().await.expect("an event");
        let text = |pointer| at(&event, pointer).to_owned();
        (text("/type"), text("/object/metadata/name"), text("/object/data/mark"))
    }
}

fn brief(happened: &str, name: &str, mark: &str) -> (String, String, String) {
    (happened.to_owned(), name.to_owned(), mark.to_owned())
}

async fn watch(cluster: &Cluster, query: &str) -> Events {
    Events::of(cluster.answer(ask("GET", &format!("{CONFIGMAPS}?watch=true&{query}"), None)).await)
}

async fn watch_table(cluster: &Cluster) -> Events {
    let mut request = ask("GET", &format!("{CONFIGMAPS}?watch=true"), None);
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io".parse().expect("a media type");
    request.headers_mut().insert(header::ACCEPT, table);
    Events::of(cluster.answer(request).await)
}

async fn make(cluster: &Cluster, name: &str, mark: &str) -> Value {
    cluster.post(CONFIGMAPS, config_map(name, json!({"mark": mark}))).await.expect(201)
}

async fn mark(cluster: &Cluster, name: &str, mark: &str) -> Value {
    cluster.patch(&format!("{CONFIGMAPS}/{name}"), "merge-patch", json!({"data": {"mark": mark}})).await.expect(200)
}

#[tokio::test]
async fn without_a_revision_what_is_there_comes_first() {
    let cluster = Cluster::start().await;
    make(&cluster, "a", "1").await;
    for query in ["", "resourceVersion=0"] {
        let mut events = watch(&cluster, query).await;
        assert_eq!(events.brief().await, brief("ADDED", "a", "1"));
        make(&cluster, &format!("b{}", query.len()), "2").await;
        assert_eq!(events.brief().await.0, "ADDED");
        if !query.is_empty() {
            assert_eq!(events.brief().await.0, "ADDED");
        }
    }
}

#[tokio::test]
async fn a_watch_begins_strictly_after_its_revision() {
    let cluster = Cluster::start().await;
    let a = make(&cluster, "a", "1").await;
    make(&cluster, "b", "1").await;
    let mut events = watch(&cluster, &format!("resourceVersion={}", at(&a, "/metadata/resourceVersion"))).await;
    assert_eq!(events.brief().await, brief("ADDED", "b", "1"));
    let changed = mark(&cluster, "a", "2").await;
    let event = events.next().await.expect("an event");
    assert_eq!((at(&event, "/type"), &event["object"]), ("MODIFIED", &changed));
    cluster.delete(&format!("{CONFIGMAPS}/a")).await.expect(200);
    let event = events.next().await.expect("an event");
    assert_eq!((at(&event, "/type"), at(&event, "/object/data/mark")), ("DELETED", "2"));
    assert_eq!(at(&event, "/object/metadata/resourceVersion"), cluster.store.revision().0.to_string());
}

#[tokio::test]
async fn what_ceases_to_match_is_deleted_and_what_begins_to_is_added() {
    let cluster = Cluster::start().await;
    let path = format!("{CONFIGMAPS}/a");
    let labelled = |value: &str| json!({"metadata": {"labels": {"app": value}}});
    make(&cluster, "a", "1").await;
    let mut events = watch(&cluster, "labelSelector=app%3Dweb").await;
    cluster.patch(&path, "merge-patch", labelled("web")).await.expect(200);
    assert_eq!(events.brief().await, brief("ADDED", "a", "1"));
    mark(&cluster, "a", "2").await;
    assert_eq!(events.brief().await, brief("MODIFIED", "a", "2"));
    cluster.patch(&path, "merge-patch", labelled("db")).await.expect(200);
    let event = events.next().await.expect("an event");
    assert_eq!((at(&event, "/type"), at(&event, "/object/metadata/labels/app")), ("DELETED", "web"));
    assert_eq!(at(&event, "/object/metadata/resourceVersion"), cluster.store.revision().0.to_string());
    mark(&cluster, "a", "3").await;
    cluster.delete(&path).await.expect(200);
    make(&cluster, "b", "9").await;
    cluster.patch(&format!("{CONFIGMAPS}/b"), "merge-patch", labelled("web")).await.expect(200);
    assert_eq!(events.brief().await, brief("ADDED", "b", "9"));
}

#[tokio::test]
async fn a_watch_list_tells_when_what_is_there_is_told() {
    let cluster = Cluster::start().await;
    make(&cluster, "a", "1").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut events = watch(&cluster, query).await;
    assert_eq!(events.brief().await, brief("ADDED", "a", "1"));
    let end = events.next().await.expect("a bookmark");
    assert_eq!(
        end,
        json!({"type": "BOOKMARK", "object": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {
            "resourceVersion": cluster.store.revision().0.to_string(),
            "annotations": {"k8s.io/initial-events-end": "true"},
        }}})
    );
    make(&cluster, "b", "1").await;
    assert_eq!(events.brief().await, brief("ADDED", "b", "1"));
}

#[tokio::test]
async fn contradicting_watch_options_are_refused() {
    let cluster = Cluster::start().await;
    let future = cluster.store.revision().0 + 1000;
    for (query, code) in [
        ("resourceVersionMatch=NotOlderThan&resourceVersion=1".to_owned(), 422),
        ("sendInitialEvents=true".to_owned(), 422),
        ("sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1".to_owned(), 422),
        (format!("resourceVersion={future}"), 410),
        (format!("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={future}"), 504),
    ] {
        let reply = cluster.get(&format!("{CONFIGMAPS}?watch=true&{query}")).await;
        assert_eq!(reply.failure().0, code, "{query}");
    }
}

#[tokio::test]
async fn history_that_is_gone_is_410_at_the_beginning_and_an_error_event_later() {
    let cluster = Cluster::remembering(Options { max_changes: 4, max_bytes: 1 << 20 }).await;
    let before = cluster.store.revision().0;
    let mut slow = watch(&cluster, &format!("resourceVersion={before}")).await;
    for n in 0..5 {
        make(&cluster, &format!("c{n}"), "1").await;
    }
    let event = slow.next().await.expect("an event");
    assert_eq!(
        (at(&event, "/type"), at(&event, "/object/reason"), &event["object"]["code"]),
        ("ERROR", "Expired", &json!(410))
    );
    assert_eq!(slow.next().await, None);
    let refused = cluster.get(&format!("{CONFIGMAPS}?watch=true&resourceVersion={before}")).await.failure();
    assert_eq!(refused, (410, "Expired".to_owned(), format!("too old resource version: {before} ({})", before + 1)));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_every_minute_and_shortly_before_the_end() {
    let cluster = Cluster::start().await;
    let mut events = watch(&cluster, "allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion=0").await;
    let began = tokio::time::Instant::now();
    make(&cluster, "a", "1").await;
    assert_eq!(events.brief().await.0, "ADDED");
    // Another kind's writes move the bookmark, too.
    cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "other"}})).await.expect(201);
    let bookmark = events.next().await.expect("a bookmark");
    assert_eq!((at(&bookmark, "/type"), began.elapsed().as_secs()), ("BOOKMARK", 60));
    assert_eq!(at(&bookmark, "/object/metadata/resourceVersion"), cluster.store.revision().0.to_string());
    assert_eq!(at(&events.next().await.expect("a bookmark"), "/type"), "BOOKMARK");
    assert_eq!(began.elapsed().as_secs(), 88);
    assert_eq!(events.next().await, None);
    assert_eq!(began.elapsed().as_secs(), 90);
}

#[tokio::test]
async fn without_being_asked_for_no_bookmark_comes_and_stop_ends_the_watch() {
    let cluster = Cluster::start().await;
    let mut events = watch(&cluster, "resourceVersion=0").await;
    cluster.stop.cancel();
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn e8_a_watch_too_many_is_refused_until_another_ends() {
    let cluster = Cluster::start().await;
    let mut open = Vec::new();
    let refused = loop {
        let answer = cluster.answer(ask("GET", &format!("{CONFIGMAPS}?watch=true"), None)).await;
        if answer.status() != 200 {
            break answer;
        }
        open.push(answer);
        assert!(open.len() <= 8192, "there is a limit");
    };
    assert_eq!((refused.status().as_u16(), open.len()), (429, 8192));
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    open.pop();
    watch(&cluster, "").await;
}

#[tokio::test]
async fn a_table_watch_names_its_columns_once() {
    let cluster = Cluster::start().await;
    make(&cluster, "a", "1").await;
    make(&cluster, "b", "1").await;
    let mut events = watch_table(&cluster).await;
    let (first, second) = (events.next().await.expect("an event"), events.next().await.expect("an event"));
    assert_eq!((at(&first, "/object/kind"), at(&first, "/object/rows/0/cells/0")), ("Table", "a"));
    assert_eq!(at(&second, "/object/rows/0/cells/0"), "b");
    let columns = |event: &Value| event["object"]["columnDefinitions"].as_array().map_or(0, Vec::len);
    assert!(columns(&first) > 0 && columns(&second) == 0);
}

#[tokio::test]
async fn ages_in_a_table_grow_while_the_watch_goes_on() {
    let cluster = Cluster::start().await;
    make(&cluster, "a", "1").await;
    let mut events = watch_table(&cluster).await;
    let age = |event: &Value| at(event, "/object/rows/0/cells/2").to_owned();
    assert_eq!(age(&events.next().await.expect("an event")), "0s");
    cluster.pass(90);
    mark(&cluster, "a", "2").await;
    assert_eq!(age(&events.next().await.expect("an event")), "90s");
}
