//! Shows: selectors mean what Kubernetes says, and malformed ones are refused.

use super::*;
use crate::object::resources;
use crate::schema::{Kind, by_path};
use serde_json::{Value, json};

fn labelled(labels: Value) -> Value {
    json!({"metadata": {"labels": labels}})
}

#[test]
fn label_operators_mean_what_kubernetes_says() {
    let object = labelled(json!({"app": "web", "n": "7", "empty": ""}));
    let cases = [
        ("", true),
        ("  ", true),
        ("app=web", true),
        ("app==web", true),
        ("app = web", true),
        ("app=db", false),
        ("app!=db", true),
        ("app!=web", false),
        ("missing!=x", true),
        ("app in (db, web)", true),
        ("app in (db)", false),
        ("app notin (db)", true),
        ("missing notin (db)", true),
        ("missing in (db)", false),
        ("app", true),
        ("missing", false),
        ("!missing", true),
        ("! app", false),
        ("n>6", true),
        ("n>7", false),
        ("n<8", true),
        ("app>6", false),
        ("empty=", true),
        ("empty in ()", true),
        ("empty in (,x)", true),
        ("app=,n>1", false),
        ("app=web,n>6,!missing", true),
        ("app=web,n>6,missing", false),
        ("in in (in)", false),
    ];
    for (text, holds) in cases {
        let selector = Labels::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(selector.matches(&object), holds, "{text}");
    }
}

#[test]
fn malformed_label_selectors_are_refused() {
    for text in [
        "=",
        "a=b=c",
        "a in",
        "a in (b",
        "a in b",
        "a,,b",
        "a b",
        "!",
        "a=b,",
        ",",
        "a>x",
        "a/b/c",
        "-a",
        "a=-b",
        "A.B./c",
        "a=b c",
        "a in (b c)",
        "a=(b)",
        "!=a",
        "!a=b",
    ] {
        let error = Labels::parse(text).expect_err(text);
        assert_eq!((error.code, error.reason), (400, "BadRequest"), "{text}");
    }
    let error = Labels::parse("a=(").expect_err("refused");
    assert_eq!(error.message, "unable to parse requirement: found '(', expected: identifier");
    let error = Labels::parse("a b").expect_err("refused");
    assert_eq!(error.message, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
}

#[test]
fn the_structured_form_selects_nothing_if_absent_and_everything_if_empty() {
    let object = labelled(json!({"app": "web"}));
    assert!(!Labels::structured(&Value::Null).expect("read").matches(&object));
    assert!(Labels::structured(&json!({})).expect("read").matches(&object));
    let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
        {"key": "app", "operator": "In", "values": ["web", "db"]}, {"key": "x", "operator": "DoesNotExist"},
        {"key": "y", "operator": "NotIn", "values": ["1"]}, {"key": "app", "operator": "Exists"}]});
    let selector = Labels::structured(&selector).expect("read");
    assert!(selector.matches(&object));
    assert!(!selector.matches(&labelled(json!({"app": "web", "x": ""}))));
    assert_eq!(selector.to_string(), "app=web,app in (web,db),app,!x,y!=1");
    for bad in [
        json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
        json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
        json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["1"]}]}),
        json!({"matchLabels": {"a b": "c"}}),
    ] {
        assert!(Labels::structured(&bad).is_err(), "{bad}");
    }
}

#[test]
fn field_selectors_know_the_fields_of_each_kind() {
    let pods = Kind::of(resources::PODS).expect("served");
    let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "node", "hostNetwork": true},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}});
    let cases = [
        ("", true),
        ("metadata.name=p", true),
        ("metadata.name==p,metadata.namespace=n", true),
        ("metadata.name!=p", false),
        ("spec.nodeName=node,status.phase!=Failed", true),
        ("spec.hostNetwork=true", true),
        ("status.podIPs=fd00::1", true),
        ("status.podIPs!=fd00::1", false),
        ("status.nominatedNodeName=", true),
        ("spec.serviceAccountName=x", false),
    ];
    for (text, holds) in cases {
        let selector = Fields::parse(pods, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(selector.matches(&pod), holds, "{text}");
    }
    let error = Fields::parse(pods, "spec.foo=1").expect_err("refused");
    assert_eq!((error.code, error.message.as_str()), (400, "field label not supported: spec.foo"));
    let maps = Kind::of(resources::CONFIGMAPS).expect("served");
    let error = Fields::parse(maps, "data=1").expect_err("refused");
    assert!(error.message.starts_with("\"data\" is not a known field selector"), "{error}");
    for text in ["metadata.name", "metadata.name=a=b", "metadata.name=a\\b"] {
        assert_eq!(Fields::parse(pods, text).expect_err(text).code, 400);
    }
}

#[test]
fn events_are_selected_by_both_views_of_the_same_object() {
    let event =
        json!({"involvedObject": {"uid": "u", "name": "p"}, "source": {"component": "kubelet"}, "type": "Normal"});
    let core = Kind::of(resources::EVENTS).expect("served");
    let view = by_path("events.k8s.io", "v1", "events").expect("served");
    assert!(Fields::parse(core, "involvedObject.uid=u,source=kubelet").expect("read").matches(&event));
    assert!(Fields::parse(view, "regarding.uid=u,type=Normal").expect("read").matches(&event));
    assert!(Fields::parse(view, "involvedObject.uid=u").is_err());
}

#[test]
fn commas_and_signs_in_values_are_escaped() {
    let secrets = Kind::of(resources::SECRETS).expect("served");
    let selector = Fields::parse(secrets, "type=a\\,b\\=c\\\\,metadata.name=x").expect("read");
    assert_eq!(selector.exact("type"), Some("a,b=c\\"));
    assert_eq!(selector.exact("metadata.name"), Some("x"));
}

#[test]
fn absent_booleans_are_false_for_selection() {
    let nodes = Kind::of(resources::NODES).expect("served");
    assert!(Fields::parse(nodes, "spec.unschedulable=false").expect("read").matches(&json!({"spec": {}})));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-c=!<>(), ]{0,24}") {
        if let Ok(selector) = Labels::parse(&text) {
            assert_eq!(Labels::parse(&selector.to_string()).map(|s| s.to_string()), Ok(selector.to_string()));
        }
    }
}
