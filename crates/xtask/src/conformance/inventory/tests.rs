use super::{Kind, argued, read, rows, rules};
use crate::shell::root;

#[test]
fn the_inventory_is_whole() {
    let inventory = read(&root()).unwrap();
    let count = |kind| -> usize {
        let of_kind = inventory.sections.iter().filter(|section| section.kind == kind);
        of_kind.map(|section| section.ids.len()).sum()
    };
    assert_eq!((count(Kind::Rules), count(Kind::Pure), count(Kind::Real)), (355, 266, 492));
}

#[test]
fn rules_stand_below_their_section() {
    let sections =
        rules("# for people\n\n## 1.3 Inits (a/file.go)\nINI-1 none\nINI-2 one\n## 4 Defects\nB1 x\n").unwrap();
    let shown: Vec<_> = sections.iter().map(|s| (s.number.as_str(), s.name.as_str(), s.kind, s.ids.len())).collect();
    assert_eq!(shown, [("1.3", "Inits", Kind::Rules, 2), ("4", "Defects", Kind::Defects, 1)]);
    assert!(rules("INI-1 before any section").is_err());
    assert!(rules("## 1.3 Inits\nwords").is_err());
}

#[test]
fn rows_are_ranges() {
    let sections = rows("2.1 T001-T004 real a/file.go: inits\n").unwrap();
    assert_eq!((sections[0].ids.len(), sections[0].kind, sections[0].name.as_str()), (4, Kind::Real, "inits"));
    assert!(rows("2.1 T001-T004 a/file.go: inits\n").is_err());
}

#[test]
fn what_is_argued_away_has_a_reason() {
    let text = "* INI-1: elsewhere\n## Where a rule does not hold on one machine\n* SEC-6, T001: no account\n## Next\n* INI-2: x\n";
    let argued = argued(text).unwrap();
    let shown: Vec<_> = argued.iter().map(|(id, why)| format!("{id} {why}")).collect();
    assert_eq!(shown, ["SEC-6 no account", "T001 no account"]);
    assert!(super::argued("## Where a rule does not hold\n* SEC-6\n").is_err());
}
