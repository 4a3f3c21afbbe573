use super::same_but_for_times;
use serde_json::{Value, json};

fn object(entries: &[(&str, &str, &str)]) -> Value {
    let entry = |(manager, field, time): &(&str, &str, &str)| json!({"manager": manager, "fieldsV1": {*field: {}}, "time": time});
    json!({"data": {"a": "1"}, "metadata": {"name": "c", "managedFields": entries.iter().map(entry).collect::<Vec<_>>()}})
}

#[test]
fn the_order_of_managers_follows_from_times_and_is_no_change() {
    let before = object(&[("me", "f:a", "10:00"), ("you", "f:b", "10:00")]);
    let after = object(&[("you", "f:b", "10:00"), ("me", "f:a", "10:01")]);
    assert!(same_but_for_times(&before, &after));
}

#[test]
fn another_owner_field_or_value_is_a_change() {
    let before = object(&[("me", "f:a", "10:00"), ("you", "f:b", "10:00")]);
    assert!(!same_but_for_times(&before, &object(&[("me", "f:a", "10:00"), ("they", "f:b", "10:00")])));
    assert!(!same_but_for_times(&before, &object(&[("me", "f:b", "10:00"), ("you", "f:b", "10:00")])));
    assert!(!same_but_for_times(&before, &object(&[("me", "f:a", "10:00")])));
    let mut other = before.clone();
    other["data"]["a"] = json!("2");
    assert!(!same_but_for_times(&before, &other));
}
