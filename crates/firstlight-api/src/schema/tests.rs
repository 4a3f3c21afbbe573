//! Shows: the generated tables and the served kinds agree.

use super::*;
use crate::object::resources;
use std::collections::BTreeSet;

#[test]
fn every_resource_is_served_as_a_kind_of_its_own_group() {
    for resource in resources::ALL {
        let kind = Kind::of(resource).expect("served");
        assert_eq!(kind.group, resource.group);
    }
}

#[test]
fn every_kind_and_its_list_have_a_table() {
    for kind in kinds() {
        let found = type_of(kind.group, kind.version, kind.kind).expect("a table");
        assert_eq!(found.name, kind.ty.name);
        if kind.stored() {
            assert!(type_of(kind.group, kind.version, kind.list_kind).is_some(), "{kind:?}");
        }
    }
}

#[test]
fn kinds_are_found_by_path_and_by_name() {
    assert_eq!(by_path("", "v1", "pods").map(|k| k.kind), Some("Pod"));
    assert_eq!(by_path("events.k8s.io", "v1", "events").map(|k| k.resource), Some(resources::EVENTS));
    assert_eq!(by_gvk("apps", "v1", "StatefulSet").map(|k| k.resource), Some(resources::STATEFULSETS));
    assert!(by_path("apps", "v1", "deployments").is_none());
    assert!(by_path("", "v2", "pods").is_none());
}

#[test]
fn fields_of_embedded_types_are_found_through_their_holder() {
    let volume = type_of("", "v1", "Pod").and_then(|t| t.field("spec")).and_then(|f| f.shape.of().message());
    let volume = volume.and_then(|t| t.field("volumes")).and_then(|f| f.shape.of().message()).expect("a volume");
    assert!(volume.field("name").is_some_and(|f| f.number == 1));
    assert!(volume.field("emptyDir").is_some());
    assert!(volume.field("").is_none());
    assert!(volume.field("nothing").is_none());
}

#[test]
fn own_fields_are_sorted_and_numbers_unique() {
    fn visit(ty: &'static Type, seen: &mut BTreeSet<&'static str>) {
        if !seen.insert(ty.name) {
            return;
        }
        assert!(ty.fields.windows(2).all(|w| w[0].name <= w[1].name), "{}", ty.name);
        let numbers: Vec<_> = ty.fields.iter().map(|f| f.number).filter(|n| *n > 0).collect();
        assert_eq!(numbers.len(), numbers.iter().collect::<BTreeSet<_>>().len(), "{}", ty.name);
        for next in ty.fields.iter().filter_map(|f| f.shape.of().message()) {
            visit(next, seen);
        }
    }
    let mut seen = BTreeSet::new();
    for (_, _, _, ty) in tables::ROOTS {
        visit(ty, &mut seen);
    }
    assert!(seen.len() > 200);
}
