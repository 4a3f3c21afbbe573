//! The options of a log request.

use super::options;
use crate::console::LogOptions;
use crate::query::Query;
use jiff::Timestamp;
use serde_json::json;

fn read(query: &str) -> Result<LogOptions, (u64, String)> {
    let running = json!([{ "name": "c", "state": { "running": {} } }]);
    let pod = json!({ "metadata": { "name": "p" }, "status": { "containerStatuses": running } });
    let now = Timestamp::from_second(1000).expect("a time");
    options(&Query::parse(Some(query)), &pod, "c", now).map_err(|refusal| {
        let status = refusal.to_value();
        (status["code"].as_u64().expect("a code"), status["message"].as_str().expect("a message").to_owned())
    })
}

#[test]
fn every_option_is_read() {
    assert_eq!(read(""), Ok(LogOptions::default()));
    assert_eq!(
        read("follow=true&timestamps=1&tailLines=0&limitBytes=7&sinceSeconds=10&container=c&stream=All"),
        Ok(LogOptions {
            previous: false,
            follow: true,
            tail: Some(0),
            since: Some(990_000),
            timestamps: true,
            limit: Some(7),
        })
    );
    let since = read("sinceTime=1970-01-01T01%3A00%3A01%2B01%3A00").map(|options| options.since);
    assert_eq!(since, Ok(Some(1000)));
}

#[test]
fn the_run_before_is_meant_if_asked_for_and_another_has_begun() {
    let ended = json!({ "terminated": { "containerID": "x", "exitCode": 1 } });
    let read = |state: serde_json::Value, query: &str| {
        let statuses = json!([{ "name": "c", "state": state, "lastState": ended }]);
        let pod = json!({ "metadata": { "name": "p" }, "status": { "containerStatuses": statuses } });
        options(&Query::parse(Some(query)), &pod, "c", Timestamp::UNIX_EPOCH).map(|options| options.previous)
    };
    assert_eq!(read(json!({ "running": {} }), "previous=true"), Ok(true));
    assert_eq!(read(json!({ "running": {} }), ""), Ok(false));
    let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    assert_eq!(read(waiting, "previous=true"), Ok(false), "the last that ran is the one before the next");
}

#[test]
fn flags_are_read_as_kubernetes_reads_them() {
    for (query, follow) in
        [("follow", true), ("follow=", true), ("follow=yes", true), ("follow=0", false), ("follow=False", false)]
    {
        assert_eq!(read(query).map(|options| options.follow), Ok(follow), "{query}");
    }
}

#[test]
fn options_that_do_not_hold_are_refused_in_kubernetes_words() {
    let invalid = |what: &str| Err((422, format!("PodLogOptions \"p\" is invalid: {what}")));
    assert_eq!(read("tailLines=-1"), invalid("tailLines: Invalid value: -1: must be greater than or equal to 0"));
    assert_eq!(read("limitBytes=0"), invalid("limitBytes: Invalid value: 0: must be greater than 0"));
    assert_eq!(read("sinceSeconds=0"), invalid("sinceSeconds: Invalid value: 0: must be greater than 0"));
    assert_eq!(
        read("limitBytes=0&tailLines=-2"),
        invalid(
            "[tailLines: Invalid value: -2: must be greater than or equal to 0, \
             limitBytes: Invalid value: 0: must be greater than 0]"
        )
    );
    assert_eq!(
        read("sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z"),
        invalid(": Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")
    );
    assert_eq!(
        read("tailLines=x"),
        Err((400, "strconv.ParseInt: parsing \"x\": invalid syntax (tailLines)".to_owned()))
    );
    assert!(
        matches!(read("sinceTime=yesterday"), Err((400, message)) if message.starts_with("sinceTime: \"yesterday\""))
    );
    assert!(matches!(read("stream=Stdout"), Err((422, message)) if message.contains("stream: Forbidden")));
    assert!(
        matches!(read("previous=true"), Err((400, message)) if message.starts_with("previous terminated container"))
    );
}
