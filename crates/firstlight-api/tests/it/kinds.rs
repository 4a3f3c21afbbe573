//! The served kinds, as a table a stranger can hold against `kubectl api-resources -o wide` of any cluster.

use firstlight_api::schema::{Kind, Verb, kinds};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kinds.txt");

fn words(verbs: &[Verb]) -> String {
    verbs.iter().map(|verb| verb.name()).collect::<Vec<_>>().join(",")
}

fn row(kind: &Kind) -> String {
    let scope = if kind.namespaced { "namespaced" } else { "cluster" };
    let mut row = format!(
        "{} {} {} ({}): {} [{}] {{{}}} {scope}; {}\n",
        kind.api_version(),
        kind.kind,
        kind.resource.plural,
        kind.list_kind,
        kind.singular,
        kind.short_names.join(","),
        kind.categories.join(","),
        words(kind.verbs)
    );
    for below in kind.subresources {
        row += &format!(
            "    /{} speaks {}/{} {}; {}\n",
            below.name,
            below.group,
            below.version,
            below.kind,
            words(below.verbs)
        );
    }
    row
}

#[test]
fn what_is_served_is_what_the_table_says() {
    let told: String = kinds().iter().map(row).collect();
    if std::env::var_os("UPDATE_KINDS").is_some() {
        std::fs::write(TABLE, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(TABLE).unwrap(), "UPDATE_KINDS=1 records anew");
}
