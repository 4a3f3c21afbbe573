use super::super::evidence::Claims;
use super::super::id::Id;
use super::super::inventory::{Inventory, Kind, Section};
use super::super::source::Test;
use super::Report;
use std::collections::BTreeSet;

fn ids(text: &str) -> Vec<Id> {
    text.split(' ').map(|id| Id::parse(id).unwrap()).collect()
}

#[test]
fn what_is_proved_argued_and_missing_is_told_apart() {
    let section = |number: &str, kind, list: &str| Section {
        number: number.to_owned(),
        name: "words".to_owned(),
        kind,
        ids: ids(list),
    };
    let inventory = Inventory {
        sections: vec![
            section("1.0", Kind::Rules, "VER-1"),
            section("1.3", Kind::Rules, "INI-1 INI-2 INI-3 INI-4 INI-5 INI-6 INI-7"),
            section("2.15", Kind::Pure, "T330"),
            section("2.1", Kind::Real, "T001 T002 T003"),
        ],
        argued: ids("INI-2 INI-7").into_iter().map(|id| (id, "not here".to_owned())).collect(),
    };
    let by = |package: &str, list: &str| {
        let test = Test { package: package.to_owned(), name: "t".to_owned() };
        ids(list).into_iter().map(move |id| (id, BTreeSet::from([test.clone()])))
    };
    let claims: Claims = by("p", "INI-1 INI-7 T330 T003 INI-99").chain(by("firstlight-cli", "T001")).collect();
    let report = Report::new(&inventory, &claims);
    assert_eq!(report.missing(&inventory.sections[1]), ["INI-3..INI-6"]);
    assert_eq!(report.missing(&inventory.sections[3]), ["T002"]);
    assert_eq!(report.unknown(), ["INI-99: p t"]);
    let figures = report.figures();
    assert_eq!(figures["conformance"]["rules"].to_string(), r#"{"argued":1,"of":7,"proved":2,"told":0}"#);
    assert_eq!(figures["conformance"]["real rows"].to_string(), r#"{"argued":0,"of":3,"proved":1,"told":1}"#);
    assert_eq!(figures["conformance"]["tests"], "read");
    let met: Vec<_> = figures["goals"].as_array().unwrap().iter().map(|goal| goal["met"] == true).collect();
    assert_eq!(met, [false, true, false]);
    assert_eq!(figures["goals"][2]["value"], 1.0 / 3.0);
}
