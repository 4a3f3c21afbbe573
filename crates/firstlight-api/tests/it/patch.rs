//! What patches make of objects. Each rule of the strategic ones names the function of
//! `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go` it comes from.

use firstlight_api::patch::{json, merge, strategic};
use firstlight_api::schema::{Type, type_of};
use proptest::prelude::*;
use serde_json::{Value, json};

fn pod() -> &'static Type {
    type_of("", "v1", "Pod").expect("a table")
}

/// One row: what it shows, the object, the patch, the result.
type Case = (&'static str, Value, Value, Value);

fn all_hold(ty: &'static Type, cases: Vec<Case>) {
    for (what, doc, patch, result) in cases {
        let patched = strategic(ty, &doc, &patch).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(patched, result, "{what}");
    }
}

#[test]
fn objects_are_merged_and_nulls_delete() {
    all_hold(
        pod(),
        vec![
            (
                "maps merge (mergeMap)",
                json!({"metadata": {"name": "p", "labels": {"a": "1", "b": "2"}}}),
                json!({"metadata": {"labels": {"b": null, "c": "3"}}}),
                json!({"metadata": {"name": "p", "labels": {"a": "1", "c": "3"}}}),
            ),
            (
                "directives in new values have nothing to act on (discardNullValuesFromPatch)",
                json!({"spec": {}}),
                json!({"spec": {"securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 1}, "dnsConfig": {
                    "$setElementOrder/searches": ["a"], "$deleteFromPrimitiveList/searches": ["b"], "searches": ["a"]}}}),
                json!({"spec": {"securityContext": {"runAsUser": 1}, "dnsConfig": {"searches": ["a"]}}}),
            ),
            (
                "a null for what is not there is dropped, deep in new values too (discardNullValuesFromPatch)",
                json!({"spec": {}}),
                json!({"metadata": null, "spec": {"securityContext": {"runAsUser": null, "runAsGroup": 1}}}),
                json!({"spec": {"securityContext": {"runAsGroup": 1}}}),
            ),
            (
                "a value of another type replaces",
                json!({"spec": {"x": {"a": 1}}}),
                json!({"spec": {"x": [1]}}),
                json!({"spec": {"x": [1]}}),
            ),
            (
                "fields the schema does not know are merged as JSON",
                json!({"spec": {"x": {"a": 1, "l": [1]}}}),
                json!({"spec": {"x": {"b": 2, "l": [2]}}}),
                json!({"spec": {"x": {"a": 1, "b": 2, "l": [2]}}}),
            ),
        ],
    );
}

#[test]
fn keyed_lists_are_merged_by_their_key() {
    all_hold(
        pod(),
        vec![
            (
                "by name; new elements come after (mergeSliceWithoutSpecialElements)",
                json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]}}),
                json!({"spec": {"containers": [{"name": "c"}, {"name": "a", "image": "2"}]}}),
                json!({"spec": {"containers":
                    [{"name": "c"}, {"name": "a", "image": "2", "args": ["x"]}, {"name": "b"}]}}),
            ),
            (
                "nested: ports by containerPort, env by name, mounts by mountPath",
                json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "http"}],
                    "env": [{"name": "A", "value": "1"}], "volumeMounts": [{"mountPath": "/d", "name": "d"}]}]}}),
                json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 8080}],
                    "env": [{"name": "A", "value": "2"}], "volumeMounts": [{"mountPath": "/d", "readOnly": true}]}]}}),
                json!({"spec": {"containers": [{"name": "a",
                    "ports": [{"containerPort": 80, "name": "http", "hostPort": 8080}],
                    "env": [{"name": "A", "value": "2"}],
                    "volumeMounts": [{"mountPath": "/d", "name": "d", "readOnly": true}]}]}}),
            ),
            (
                "a list without a key is replaced (mergeSliceHandler)",
                json!({"spec": {"containers": [{"name": "a", "command": ["x", "y"]}], "tolerations": [{"key": "k"}]}}),
                json!({"spec": {"containers": [{"name": "a", "command": ["z"]}], "tolerations": [{"key": "l"}]}}),
                json!({"spec": {"containers": [{"name": "a", "command": ["z"]}], "tolerations": [{"key": "l"}]}}),
            ),
            (
                "a list of scalars with strategy merge is a set (deduplicateScalars)",
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"finalizers": ["b", "c"]}}),
                json!({"metadata": {"finalizers": ["a", "b", "c"]}}),
            ),
            (
                "the patch's order wins; the others keep their place before what they stood before (mergeSortedSlice)",
                json!({"spec": {"containers": [{"name": "a"}, {"name": "x"}, {"name": "b"}]}}),
                json!({"spec": {"containers": [{"name": "b"}, {"name": "a"}]}}),
                json!({"spec": {"containers": [{"name": "x"}, {"name": "b"}, {"name": "a"}]}}),
            ),
        ],
    );
}

#[test]
fn the_patch_directive_replaces_and_deletes() {
    all_hold(
        pod(),
        vec![
            (
                "replace in an object (handleDirectiveInMergeMap)",
                json!({"spec": {"securityContext": {"runAsUser": 1, "runAsGroup": 2}}}),
                json!({"spec": {"securityContext": {"$patch": "replace", "fsGroup": 3}}}),
                json!({"spec": {"securityContext": {"fsGroup": 3}}}),
            ),
            (
                "delete in an object empties it",
                json!({"metadata": {"labels": {"a": "1"}}}),
                json!({"metadata": {"labels": {"$patch": "delete"}}}),
                json!({"metadata": {"labels": {}}}),
            ),
            (
                "delete in an element removes it (mergeSliceWithSpecialElements)",
                json!({"spec": {"volumes": [{"name": "a"}, {"name": "b"}]}}),
                json!({"spec": {"volumes": [{"name": "a", "$patch": "delete"}, {"name": "c"}]}}),
                json!({"spec": {"volumes": [{"name": "c"}, {"name": "b"}]}}),
            ),
            (
                "replace in an element makes the patch's other elements the list",
                json!({"spec": {"volumes": [{"name": "a"}, {"name": "b"}]}}),
                json!({"spec": {"volumes": [{"$patch": "replace"}, {"name": "c"}]}}),
                json!({"spec": {"volumes": [{"name": "c"}]}}),
            ),
            (
                "directives in what is new have nothing to act on (removeDirectives)",
                json!({"spec": {}}),
                json!({"spec": {"volumes": [{"name": "a", "$patch": "delete"}, {"name": "b"}],
                    "securityContext": {"$patch": "delete"}}}),
                json!({"spec": {"volumes": [{"name": "b"}]}}),
            ),
        ],
    );
}

#[test]
fn set_element_order_orders_the_whole_list() {
    let three = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}});
    all_hold(
        pod(),
        vec![
            (
                "without a list: order only (mergePatchIntoOriginal)",
                three.clone(),
                json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}}),
                json!({"spec": {"containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}}),
            ),
            (
                "with a list: merged, then ordered; what the order omits stays beside its old neighbours",
                three.clone(),
                json!({"spec": {"$setElementOrder/containers": [{"name": "d"}, {"name": "c"}],
                    "containers": [{"name": "d", "image": "i"}]}}),
                json!({"spec": {"containers": [{"name": "d", "image": "i"}, {"name": "a"}, {"name": "b"}, {"name": "c"}]}}),
            ),
            (
                "with a deletion, as kubectl apply sends it",
                three.clone(),
                json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
                    "containers": [{"name": "b", "$patch": "delete"}]}}),
                json!({"spec": {"containers": [{"name": "c"}, {"name": "a"}]}}),
            ),
            (
                "for a list the object has not",
                json!({"spec": {}}),
                json!({"spec": {"$setElementOrder/volumes": [{"name": "b"}, {"name": "a"}],
                    "volumes": [{"name": "b"}, {"name": "a"}]}}),
                json!({"spec": {"volumes": [{"name": "b"}, {"name": "a"}]}}),
            ),
            (
                "for no list at all",
                json!({"spec": {}}),
                json!({"spec": {"$setElementOrder/volumes": [{"name": "b"}]}}),
                json!({"spec": {}}),
            ),
            (
                "for scalars, with values deleted",
                json!({"metadata": {"finalizers": ["a", "b", "c"]}}),
                json!({"metadata": {"$setElementOrder/finalizers": ["c", "d", "a"],
                    "$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"]}}),
                json!({"metadata": {"finalizers": ["c", "d", "a"]}}),
            ),
        ],
    );
}

#[test]
fn delete_from_primitive_list_removes_values() {
    all_hold(
        pod(),
        vec![
            (
                "from what is there (deleteFromSlice)",
                json!({"metadata": {"finalizers": ["a", "b", "a"]}}),
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "x"]}}),
                json!({"metadata": {"finalizers": ["b"]}}),
            ),
            (
                "from a list that is not there",
                json!({"metadata": {}}),
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
                json!({"metadata": {}}),
            ),
        ],
    );
}

#[test]
fn retain_keys_removes_the_other_keys() {
    all_hold(
        pod(),
        vec![(
            "a volume changes its source (applyRetainKeysDirective)",
            json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w"}]}}),
            json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}}),
            json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}, {"name": "w"}]}}),
        )],
    );
}

#[test]
fn service_ports_are_keyed_by_port_and_node_conditions_by_type() {
    all_hold(
        type_of("", "v1", "Service").expect("a table"),
        vec![(
            "service ports",
            json!({"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81}]}}),
            json!({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}),
            json!({"spec": {"ports": [{"port": 80, "name": "a", "targetPort": 8080}, {"port": 81}]}}),
        )],
    );
    all_hold(
        type_of("", "v1", "Node").expect("a table"),
        vec![(
            "conditions",
            json!({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "r"}]}}),
            json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "r"}]}}),
        )],
    );
}

#[test]
fn malformed_strategic_patches_are_refused_with_their_place() {
    let doc =
        json!({"spec": {"containers": [{"name": "a"}], "volumes": [{"name": "v"}]}, "metadata": {"finalizers": ["a"]}});
    let cases = [
        (json!([]), "a strategic merge patch must be an object"),
        (json!({"spec": {"$patch": "x"}}), "spec: unknown patch type: \"x\""),
        (
            json!({"spec": {"containers": [{"image": "i"}]}}),
            "spec.containers[0]: map: {\"image\":\"i\"} does not contain declared merge key: name",
        ),
        (
            json!({"spec": {"containers": [{"$patch": "delete"}]}}),
            "spec.containers[0]: map: {\"$patch\":\"delete\"} does not contain declared merge key: name",
        ),
        (
            json!({"spec": {"containers": [{"$patch": "merge", "name": "a"}]}}),
            "spec.containers[0]: merging lists cannot yet be specified in the patch",
        ),
        (json!({"spec": {"$retainKeys": "x"}}), "spec: invalid patch format of retainKeys"),
        (json!({"spec": {"$retainKeys": ["a"], "b": 1}}), "spec: invalid patch format of retainKeys"),
        (json!({"spec": {"$setElementOrder": []}}), "spec: invalid patch format of setElementOrder list"),
        (json!({"spec": {"$setElementOrder/containers": {}}}), "spec: invalid patch format of setElementOrder list"),
        (
            json!({"spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}}),
            "spec.containers: the order in the patch's list does not match $setElementOrder/spec.containers",
        ),
        (json!({"metadata": {"$deleteFromPrimitiveList": []}}), "metadata: invalid patch format of primitive list"),
        (json!({"metadata": {"finalizers": [["x"]]}}), "metadata.finalizers: lists of lists are not supported"),
        (json!({"metadata": {"finalizers": [{}]}}), "metadata.finalizers: cannot merge lists without merge key"),
        (
            json!({"spec": {"$deleteFromPrimitiveList/volumes": [{"name": "v"}]}}),
            "spec.volumes: invalid patch format of primitive list",
        ),
    ];
    for (patch, why) in cases {
        let error = strategic(pod(), &doc, &patch).expect_err(why);
        assert_eq!((error.code, error.message.as_str()), (400, why));
    }
}

#[test]
fn json_patches_are_done_whole_or_not_at_all() {
    let doc = json!({"metadata": {"name": "p", "labels": {"a/b": "1"}}});
    let patch = json!([{"op": "test", "path": "/metadata/name", "value": "p"},
        {"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"},
        {"op": "add", "path": "/spec", "value": {"x": [1]}}, {"op": "add", "path": "/spec/x/-", "value": 2},
        {"op": "copy", "from": "/spec/x", "path": "/spec/y"}, {"op": "move", "from": "/spec/x", "path": "/spec/z"},
        {"op": "remove", "path": "/spec/y/0"}]);
    let result = json!({"metadata": {"name": "p", "labels": {"a/b": "2"}}, "spec": {"y": [2], "z": [1, 2]}});
    assert_eq!(json(&doc, &patch), Ok(result));
    let failing =
        json!([{"op": "remove", "path": "/metadata/name"}, {"op": "test", "path": "/metadata/name", "value": "q"}]);
    let error = json(&doc, &failing).expect_err("refused");
    assert_eq!((error.code, error.reason), (422, "Invalid"));
    assert_eq!(json(&doc, &json!([{"op": "remove", "path": "/nothing"}])).expect_err("refused").code, 422);
    assert_eq!(json(&doc, &json!([{"op": "replace", "path": "", "value": 1}])).expect_err("refused").code, 422);
    assert_eq!(json(&doc, &json!({"op": "remove"})).expect_err("refused").code, 400);
    let many = vec![json!({"op": "test", "path": "/metadata/name", "value": "p"}); 10_001];
    assert_eq!(json(&doc, &Value::Array(many)).expect_err("refused").code, 413);
}

#[test]
fn merge_patches_follow_rfc_7386() {
    // The table of RFC 7386, appendix A, as far as its documents are objects.
    let cases = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ];
    for (doc, patch, result) in cases {
        assert_eq!(merge(&doc, &patch), Ok(result), "{doc} + {patch}");
    }
    assert_eq!(merge(&json!({}), &json!([])).expect_err("refused").code, 400);
}

/// Any small object.
fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop::collection::btree_map("[a-d]", value, 0..4).prop_map(|map| map.into_iter().collect())
}

/// A list of containers with distinct names.
fn containers() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::btree_map("[a-e]", "[x-z]", 0..5)
        .prop_map(|map| map.into_iter().map(|(name, image)| json!({"name": name, "image": image})).collect())
}

proptest! {
    #[test]
    fn a_merge_patch_done_twice_is_done_once(doc in object(), patch in object()) {
        let once = merge(&doc, &patch).expect("objects merge");
        prop_assert_eq!(merge(&once, &patch), Ok(once));
    }

    #[test]
    fn an_empty_patch_changes_nothing(doc in object()) {
        prop_assert_eq!(merge(&doc, &json!({})), Ok(doc.clone()));
        prop_assert_eq!(json(&doc, &json!([])), Ok(doc.clone()));
        prop_assert_eq!(strategic(pod(), &doc, &json!({})), Ok(doc));
    }

    #[test]
    fn where_no_list_is_keyed_strategic_is_merge(doc in object(), patch in object()) {
        let strategic = strategic(pod(), &doc, &patch);
        prop_assert_eq!(strategic.map(without_nulls), merge(&doc, &patch).map(without_nulls));
    }

    #[test]
    fn a_strategic_patch_done_twice_is_done_once(doc in containers(), patch in containers()) {
        let (doc, patch) = (json!({"spec": {"containers": doc}}), json!({"spec": {"containers": patch}}));
        let once = strategic(pod(), &doc, &patch).expect("keyed lists merge");
        prop_assert_eq!(strategic(pod(), &once, &patch), Ok(once));
    }

    #[test]
    fn keyed_lists_lose_nothing_and_repeat_nothing(doc in containers(), patch in containers()) {
        let names = |list: &[Value]| list.iter().map(|c| c["name"].to_string()).collect::<Vec<_>>();
        let (before, wanted) = (names(&doc), names(&patch));
        let result = strategic(pod(), &json!({"spec": {"containers": doc}}), &json!({"spec": {"containers": patch}}));
        let result = result.expect("keyed lists merge");
        let mut after = names(result["spec"]["containers"].as_array().expect("a list"));
        let in_patch: Vec<_> = after.iter().filter(|n| wanted.contains(n)).cloned().collect();
        prop_assert_eq!(&in_patch, &wanted, "the patch's order is kept");
        let mut all: Vec<_> = before.into_iter().chain(wanted).collect();
        all.sort();
        all.dedup();
        after.sort();
        prop_assert_eq!(after, all);
    }
}

/// Merge patch keeps a null inside a list, and nulls the object already had; neither survives canonical form.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        scalar => scalar,
    }
}
