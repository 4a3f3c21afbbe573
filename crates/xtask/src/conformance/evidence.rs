//! What is claimed, and by which test? By a test's name, by the head of a story and by the rows of a table; the last two
//! only where a named test reads them.

use super::id::{Id, in_list, in_name, in_parentheses};
use super::inventory::Inventory;
use super::source::{self, Test};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Texts that claim, and the test that holds every one of them against the code.
struct Data {
    /// A file, or a folder of `.txt` files.
    place: &'static str,
    form: Form,
    package: &'static str,
    test: &'static str,
}

/// How a text claims.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// The parentheses of its `#` lines.
    Story,
    /// The first word of every row.
    Table,
    /// The first word of every `- id:`.
    Yaml,
}

/// Rows with real containers: one file, one test.
const fn rows(place: &'static str, test: &'static str) -> Data {
    Data { place, form: Form::Table, package: "firstlight-cli", test }
}

const DATA: &[Data] = &[
    Data {
        place: "crates/firstlight-pod/tests/stories",
        form: Form::Story,
        package: "firstlight-pod",
        test: "every_story_is_told_as_recorded",
    },
    Data {
        place: "crates/firstlight-pod/tests/tables/actions.txt",
        form: Form::Table,
        package: "firstlight-pod",
        test: "what_is_done_is_what_upstreams_tables_say",
    },
    Data {
        place: "crates/firstlight-pod/tests/tables/phases.txt",
        form: Form::Table,
        package: "firstlight-pod",
        test: "phases_are_what_upstreams_tables_say",
    },
    Data {
        place: "crates/firstlight-pod/tests/tables/conditions.txt",
        form: Form::Table,
        package: "firstlight-pod",
        test: "conditions_are_what_upstreams_tables_say",
    },
    Data {
        place: "crates/firstlight-pod/tests/tables/statuses.txt",
        form: Form::Table,
        package: "firstlight-pod",
        test: "statuses_are_what_upstreams_tables_say",
    },
    rows("crates/firstlight-cli/tests/rows/order.txt", "rows_of_order"),
    rows("crates/firstlight-cli/tests/rows/sidecars.txt", "rows_of_sidecars"),
    rows("crates/firstlight-cli/tests/rows/images.txt", "rows_of_images"),
    rows("crates/firstlight-cli/tests/rows/termination.txt", "rows_of_termination"),
    rows("crates/firstlight-cli/tests/rows/engine.txt", "rows_of_the_engine"),
    rows("crates/firstlight-cli/tests/rows/inits.txt", "rows_of_inits"),
    rows("crates/firstlight-cli/tests/rows/hooks.txt", "rows_of_hooks"),
    rows("crates/firstlight-cli/tests/rows/policies.txt", "rows_of_policies"),
    rows("crates/firstlight-cli/tests/rows/backoff.txt", "rows_of_backoff"),
    rows("crates/firstlight-cli/tests/rows/deletion.txt", "rows_of_deletion"),
    rows("crates/firstlight-cli/tests/rows/runtime.txt", "rows_of_runtime"),
    rows("crates/firstlight-cli/tests/rows/probes.txt", "rows_of_probes"),
    rows("crates/firstlight-cli/tests/rows/names.txt", "rows_of_names"),
    rows("crates/firstlight-cli/tests/rows/pods.txt", "rows_of_pods"),
    rows("crates/firstlight-cli/tests/rows/pulls.txt", "rows_of_pulls"),
    rows("crates/firstlight-cli/tests/rows/sets.txt", "rows_of_stateful_sets"),
    Data {
        place: "crates/firstlight-cli/tests/rows/configmaps.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_config_maps_as_volumes",
    },
    Data {
        place: "crates/firstlight-cli/tests/rows/secrets.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_secrets_as_volumes",
    },
    Data {
        place: "crates/firstlight-cli/tests/rows/downward.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_the_pods_own_fields_as_files",
    },
    Data {
        place: "crates/firstlight-cli/tests/rows/emptydirs.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_empty_directories",
    },
    Data {
        place: "crates/firstlight-cli/tests/rows/subpaths.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_other_volumes",
    },
    Data {
        place: "crates/firstlight-cli/tests/rows/env.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_objects_as_variables",
    },
    Data {
        place: "crates/firstlight-cli/tests/rows/envfiles.txt",
        form: Form::Table,
        package: "firstlight-cli",
        test: "rows_of_files_as_variables",
    },
    Data {
        place: "crates/firstlight-workloads/tests/stories",
        form: Form::Story,
        package: "firstlight-workloads",
        test: "every_story_is_told_as_recorded",
    },
    Data {
        place: "crates/firstlight-api/tests/it/print/pods.yaml",
        form: Form::Yaml,
        package: "firstlight-api",
        test: "pods_section_2_21",
    },
    Data {
        place: "crates/firstlight-api/tests/it/validate/pods.yaml",
        form: Form::Yaml,
        package: "firstlight-api",
        test: "pods_section_1_26",
    },
];

/// What is claimed, and by which tests.
pub(super) type Claims = BTreeMap<Id, BTreeSet<Test>>;

/// Reads all claims. An error is a text that no test reads.
pub(super) fn gather(root: &Path, inventory: &Inventory) -> Result<Claims> {
    let tests = source::tests(root)?;
    let mut claims = Claims::new();
    for test in &tests {
        // `the_7_dwarfs` claims nothing: there is no group of that name.
        for id in in_name(&test.name).into_iter().filter(|id| inventory.has_group_of(id)) {
            claims.entry(id).or_default().insert(test.clone());
        }
    }
    for Data { place, form, package, test } in DATA {
        let test = Test { package: (*package).to_owned(), name: (*test).to_owned() };
        if !tests.contains(&test) {
            bail!("{place}: read by a test {} of {package}, which is not there", test.name);
        }
        for text in texts(&root.join(place)).with_context(|| (*place).to_owned())? {
            for id in claimed(*form, &text) {
                claims.entry(id).or_default().insert(test.clone());
            }
        }
    }
    Ok(claims)
}

fn texts(place: &Path) -> Result<Vec<String>> {
    if place.is_file() {
        return Ok(vec![std::fs::read_to_string(place)?]);
    }
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            texts.push(std::fs::read_to_string(path)?);
        }
    }
    Ok(texts)
}

fn claimed(form: Form, text: &str) -> Vec<Id> {
    match form {
        Form::Story => {
            let comments: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix('#')).map(str::trim).collect();
            in_parentheses(&comments.join(" "))
        }
        Form::Table => text.lines().filter_map(first_word).filter_map(in_list).flatten().collect(),
        Form::Yaml => {
            let ids = text.lines().filter_map(|line| line.strip_prefix("- id: "));
            ids.filter_map(first_word).filter_map(in_list).flatten().collect()
        }
    }
}

fn first_word(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}

#[cfg(test)]
mod tests;
