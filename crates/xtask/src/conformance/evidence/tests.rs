use super::super::inventory;
use super::super::report::Report;
use super::{Form, claimed, gather};
use crate::shell::root;

fn said(form: Form, text: &str) -> String {
    claimed(form, text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_story_claims_in_its_comments_across_lines_and_nowhere_else() {
    let text = "# Inits in order (INI-1,\n# INI-10), not as INI-9 says.\npod (INI-2)\n# Later (B3).\n";
    assert_eq!(said(Form::Story, text), "INI-1 INI-10 B3");
}

#[test]
fn a_table_claims_by_the_first_word_of_its_rows() {
    let text = "# T001 in a comment\nT413,T414 Always => Pending T415\n  indented\nmain: T416\n";
    assert_eq!(said(Form::Table, text), "T413 T414");
    assert_eq!(said(Form::Yaml, "# T001\n- id: VAL-2 bad\n  says: T002\n- id: paths\n"), "VAL-2");
}

#[test]
fn every_claim_of_this_repository_is_of_something_listed() {
    let inventory = inventory::read(&root()).unwrap();
    let claims = gather(&root(), &inventory).unwrap();
    assert_eq!(Report::new(&inventory, &claims).unknown(), Vec::<String>::new());
    assert!(!claims.is_empty());
}
