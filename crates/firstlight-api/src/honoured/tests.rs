use super::{Entry, TABLE, Unless};
use crate::object::resources;
use crate::schema::{Field, Kind, Type};
use std::collections::BTreeSet;

fn entry(ty: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.ty == ty)
}

fn named(entry: &Entry) -> Vec<&'static str> {
    let harmless = entry.harmless.iter().map(|(field, _)| *field);
    entry.honoured.iter().copied().chain(harmless).chain(entry.refused.iter().map(|(field, _, _)| *field)).collect()
}

fn fields(ty: &Type) -> Vec<&'static Field> {
    let own = ty.fields.iter().filter(|f| !f.name.is_empty());
    own.chain(ty.embedded().flat_map(fields)).collect()
}

/// Every type that is reached through honoured fields, from `ty` down.
fn reached(ty: &'static Type, seen: &mut BTreeSet<&'static str>, all: &mut Vec<&'static Type>) {
    if !seen.insert(ty.name) {
        return;
    }
    all.push(ty);
    for field in fields(ty) {
        let honoured = entry(ty.name).is_none_or(|e| e.honoured.contains(&field.name));
        if let (true, Some(inner)) = (honoured, field.shape.of().message()) {
            reached(inner, seen, all);
        }
    }
}

fn spec_types() -> Vec<&'static Type> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::from(["meta.k8s.io.v1.LabelSelector", "meta.k8s.io.v1.ObjectMeta"]);
    for resource in [resources::PODS, resources::STATEFULSETS, resources::SERVICES, resources::PERSISTENTVOLUMECLAIMS] {
        let spec = Kind::of(resource).and_then(|kind| kind.ty.field("spec")).and_then(|f| f.shape.of().message());
        reached(spec.unwrap(), &mut seen, &mut all);
    }
    all
}

#[test]
fn every_field_of_a_spec_is_honoured_harmless_or_refused() {
    let types = spec_types();
    assert!(types.len() > 50, "{}", types.len());
    for ty in types {
        // A template is its metadata and a pod's spec.
        if ty.name == "core.v1.PodTemplateSpec" {
            continue;
        }
        let entry = entry(ty.name).unwrap_or_else(|| panic!("{} has no entry", ty.name));
        let listed = named(entry);
        for field in fields(ty) {
            let times = listed.iter().filter(|name| **name == field.name).count();
            assert_eq!(times, 1, "{}.{} is listed {times} times", ty.name, field.name);
        }
    }
}

#[test]
fn the_table_names_no_field_or_type_that_does_not_exist() {
    let mut types = spec_types();
    for resource in [resources::SERVICEACCOUNTS, resources::SECRETS] {
        types.push(Kind::of(resource).unwrap().ty);
    }
    for entry in TABLE {
        let ty = types.iter().find(|ty| ty.name == entry.ty).unwrap_or_else(|| panic!("{} is not reached", entry.ty));
        for field in named(entry) {
            assert!(ty.field(field).is_some(), "{}.{field} does not exist", entry.ty);
        }
    }
}

#[test]
fn every_refusal_has_a_way_out() {
    for entry in TABLE {
        for (field, _, way_out) in entry.refused {
            assert!(
                way_out.contains([';', ':', ',']) || way_out.starts_with("mount") || way_out.starts_with("use"),
                "{}.{field}: {way_out}",
                entry.ty
            );
            assert!(!way_out.ends_with('.'), "{}.{field}", entry.ty);
        }
    }
}

#[test]
fn what_says_nothing_asks_for_nothing() {
    use serde_json::json;
    for nothing in [json!(null), json!(false), json!(0), json!(""), json!([])] {
        assert!(Unless::Unsaid.exceeded(&nothing).is_empty(), "{nothing}");
    }
    assert_eq!(Unless::Unsaid.exceeded(&json!({})), [""]);
    assert!(Unless::Empty.exceeded(&json!({})).is_empty());
    assert_eq!(Unless::Empty.exceeded(&json!({ "a": 1 })), [""]);
    assert_eq!(Unless::True.exceeded(&json!(false)), [""]);
    assert!(Unless::True.exceeded(&json!(true)).is_empty());
    assert_eq!(Unless::Must(&["a"]).exceeded(&json!(null)), [""]);
    assert_eq!(Unless::IsNot(&["a"]).exceeded(&json!("a")), [""]);
    assert_eq!(Unless::Each(&["a"]).exceeded(&json!(["a", "b"])), ["[1]"]);
    assert_eq!(Unless::Keys(&["a"]).exceeded(&json!({ "a": 1, "b": 1 })), ["[b]"]);
    assert_eq!(Unless::Pairs(&[("a", "1")]).exceeded(&json!({ "a": "2" })), ["[a]"]);
}
