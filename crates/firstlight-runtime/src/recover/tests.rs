use super::*;

fn instance(name: &str) -> Instance {
    Instance { container: name.to_owned(), attempt: 0 }
}

fn ends(records: &[Record]) -> Vec<Record> {
    unseen_ends(records)
        .into_iter()
        .map(|record| match record {
            Record::Exited { instance, exit } => {
                Record::Exited { instance, exit: Exit { finished_at: Now(0), message: String::new(), ..exit } }
            }
            other => other,
        })
        .collect()
}

fn unknown(name: &str, since: u64) -> Record {
    let exit = Exit { code: 255, unknown: true, id: "id".to_owned(), started_at: Now(since), ..Exit::default() };
    Record::Exited { instance: instance(name), exit }
}

fn creating(name: &str) -> Record {
    Record::Creating { instance: instance(name), id: "id".to_owned() }
}

#[test]
fn row_5_a_running_container_ends_unknown() {
    let records = [creating("a"), Record::Started { instance: instance("a"), at: 7 }];
    assert_eq!(ends(&records), [unknown("a", 7)]);
}

#[test]
fn row_4_a_container_that_may_have_run_counts_as_having_run() {
    let records = [creating("a"), Record::Starting { instance: instance("a"), at: 5 }];
    let started = Record::Started { instance: instance("a"), at: 5 };
    assert_eq!(ends(&records), [started, unknown("a", 5)]);
}

#[test]
fn what_only_was_created_or_has_ended_is_not_reported_again() {
    let records = [
        creating("created"),
        creating("ended"),
        Record::Started { instance: instance("ended"), at: 1 },
        Record::Exited { instance: instance("ended"), exit: Exit::default() },
    ];
    assert_eq!(ends(&records), []);
}
