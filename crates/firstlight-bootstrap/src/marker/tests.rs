//! Every combination of what a marker can say, what can lie on disk and what a person can have asked for, held
//! against the laws; and the few answers that need literal values.

use super::*;

const THEN: Digest = Digest([1; 32]);
const NOW: Digest = Digest([2; 32]);
const BYTES: Found = Found::Content { size: 3, sha256: Digest([7; 32]) };
const OTHER: Found = Found::Content { size: 3, sha256: Digest([8; 32]) };
const LONGER: Found = Found::Content { size: 4, sha256: Digest([7; 32]) };
const MADE: Made = Made::Fixed { size: 3, sha256: Digest([7; 32]) };

fn claim(outputs: &[&str]) -> Claim {
    Claim {
        maker: "host/1".into(),
        attempt: 4,
        inputs: THEN,
        cluster: None,
        outputs: outputs.iter().map(|path| path.to_string()).collect(),
    }
}

fn record(outputs: &[(&str, Made)]) -> Record {
    let outputs = outputs.iter().map(|(path, made)| (path.to_string(), *made)).collect();
    Record { attempt: 4, inputs: THEN, cluster: None, outputs }
}

fn markers() -> Vec<Marker> {
    let mut all = vec![Marker::Absent, Marker::Unreadable("newer".into())];
    for outputs in [&["a"][..], &["a", "b"], &["b"]] {
        all.push(Marker::Begun(claim(outputs)));
        all.push(Marker::Failed(claim(outputs)));
    }
    for outputs in [&[("a", MADE)][..], &[("a", MADE), ("b", MADE)], &[("a", MADE), ("b", Made::Mutable)], &[]] {
        all.push(Marker::Done(record(outputs)));
    }
    all
}

fn disks() -> Vec<BTreeMap<Path, Found>> {
    let states = [Found::Absent, BYTES, OTHER, LONGER, Found::Foreign];
    let mut all = Vec::new();
    for a in states {
        for b in states {
            all.push(BTreeMap::from([("a".to_string(), a), ("b".to_string(), b)]));
        }
    }
    all
}

fn policies() -> Vec<Policies> {
    let both = [Policy::Refuse, Policy::Remake];
    let mut all = Vec::new();
    for unclaimed_outputs in both {
        for changed_inputs in both {
            for changed_outputs in both {
                all.push(Policies { unclaimed_outputs, changed_inputs, changed_outputs });
            }
        }
    }
    all
}

/// Calls `law` with every input and its answer; returns how many there were.
fn everything(mut law: impl FnMut(&Seen<'_>, Step)) -> usize {
    let declared: [Vec<Path>; 4] = [vec![], vec!["a".into()], vec!["a".into(), "b".into()], vec!["b".into()]];
    let mut count = 0;
    for marker in &markers() {
        for disk in &disks() {
            for declared in &declared {
                for inputs in [THEN, NOW] {
                    for cluster in [None, Some("other")] {
                        for owner in [Owner::Alive, Owner::Dead, Owner::Unknown] {
                            for policies in policies() {
                                let seen = Seen { marker, inputs, cluster, owner, disk, declared, policies };
                                law(&seen, step(&seen));
                                count += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    count
}

#[test]
fn only_a_committed_record_with_every_byte_in_place_is_kept() {
    let mut kept = 0;
    let all = everything(|seen, step| {
        let whole = match seen.marker {
            Marker::Done(record) => {
                let bytes = record.outputs.iter().all(|(path, made)| match made {
                    Made::Fixed { size, sha256 } => seen.disk[path] == Found::Content { size: *size, sha256: *sha256 },
                    Made::Mutable => matches!(seen.disk[path], Found::Content { .. }),
                });
                let names: Vec<Path> = record.outputs.keys().cloned().collect();
                bytes && names == seen.declared && record.inputs == seen.inputs && seen.cluster.is_none()
            }
            Marker::Absent | Marker::Unreadable(_) | Marker::Begun(_) | Marker::Failed(_) => false,
        };
        assert_eq!(step == Step::Keep, whole, "{seen:?}");
        kept += usize::from(step == Step::Keep);
    });
    assert!(kept > 0 && kept < all, "{kept} of {all}");
}

#[test]
fn nothing_is_made_over_what_lies_there() {
    everything(|seen, step| {
        let remove = match &step {
            Step::Make { .. } => vec![],
            Step::CleanThenMake { remove, .. } => remove.clone(),
            Step::Keep | Step::Wait { .. } | Step::Refuse { .. } => return,
        };
        for path in seen.declared {
            assert!(seen.disk[path] == Found::Absent || remove.contains(path), "{path} stays: {seen:?} {step:?}");
        }
    });
}

#[test]
fn a_living_or_unseen_owner_is_left_alone() {
    everything(|seen, step| {
        let begun = matches!(seen.marker, Marker::Begun(_)) && seen.cluster.is_none();
        let waits = matches!(step, Step::Wait { .. });
        assert_eq!(waits, begun && seen.owner != Owner::Dead, "{seen:?}");
    });
}

#[test]
fn a_take_over_removes_only_what_was_claimed_recorded_or_is_declared() {
    everything(|seen, step| {
        let Step::CleanThenMake { remove, attempt, why } = step else { return };
        let ours: Vec<&Path> = match seen.marker {
            Marker::Absent | Marker::Unreadable(_) => vec![],
            Marker::Begun(claim) | Marker::Failed(claim) => claim.outputs.iter().collect(),
            Marker::Done(record) => record.outputs.keys().collect(),
        };
        assert!(remove.iter().all(|path| ours.contains(&path) || seen.declared.contains(path)), "{seen:?}");
        assert_eq!(attempt, if *seen.marker == Marker::Absent { 1 } else { 5 }, "{why:?}");
    });
}

#[test]
fn the_safe_policies_never_touch_what_was_committed_or_never_claimed() {
    everything(|seen, step| {
        let settled = matches!(seen.marker, Marker::Done(_) | Marker::Absent | Marker::Unreadable(_));
        if seen.policies == Policies::SAFE && settled {
            assert!(!matches!(step, Step::CleanThenMake { .. }), "{seen:?}");
        }
    });
}

#[test]
fn state_of_another_cluster_is_refused_whatever_the_policies_say() {
    everything(|seen, step| {
        if seen.cluster.is_some() && !matches!(seen.marker, Marker::Absent | Marker::Unreadable(_)) {
            let why = Why::OtherCluster { recorded: None, declared: Some("other".into()) };
            assert_eq!(step, Step::Refuse { why });
        }
    });
}

#[test]
fn the_reason_names_the_first_thing_that_differs() {
    let disk = BTreeMap::from([("a".to_string(), OTHER)]);
    let marker = Marker::Done(record(&[("a", MADE)]));
    let mut seen = Seen {
        marker: &marker,
        inputs: THEN,
        cluster: None,
        owner: Owner::Dead,
        disk: &disk,
        declared: &["a".to_string()],
        policies: Policies::SAFE,
    };
    let changed = Why::OutputChanged { path: "a".into(), committed: Digest([7; 32]), found: Some(Digest([8; 32])) };
    assert_eq!(step(&seen), Step::Refuse { why: changed });
    seen.inputs = NOW;
    assert_eq!(step(&seen), Step::Refuse { why: Why::InputsChanged { committed: THEN, declared: NOW } });
}

#[test]
fn commit_wants_every_output_and_the_claim_still_in_place() {
    let mine = claim(&["a", "b"]);
    let marker = Marker::Begun(mine.clone());
    let declared = [Declared { path: "a".into(), fixed: true }, Declared { path: "b".into(), fixed: false }];
    let disk = |a, b| BTreeMap::from([("a".to_string(), a), ("b".to_string(), b)]);

    let whole = commit(&mine, &marker, &declared, &disk(BYTES, OTHER));
    assert_eq!(whole, Ok(record(&[("a", MADE), ("b", Made::Mutable)])));

    let missing = commit(&mine, &marker, &declared, &disk(BYTES, Found::Absent));
    assert_eq!(missing, Err(NotMade::Missing("b".into())));
    let foreign = commit(&mine, &marker, &declared, &disk(Found::Foreign, OTHER));
    assert_eq!(foreign, Err(NotMade::Foreign("a".into())));

    let theirs = Claim { maker: "host/2".into(), ..mine.clone() };
    let others = [Marker::Absent, Marker::Begun(theirs), Marker::Failed(mine.clone()), Marker::Done(record(&[]))];
    for marker in others {
        assert_eq!(commit(&mine, &marker, &declared, &disk(BYTES, OTHER)), Err(NotMade::Fenced), "{marker:?}");
    }
}

#[test]
fn what_was_committed_is_what_the_next_run_keeps() {
    let mine = claim(&["a", "b"]);
    let declared = [Declared { path: "a".into(), fixed: true }, Declared { path: "b".into(), fixed: false }];
    let disk = BTreeMap::from([("a".to_string(), BYTES), ("b".to_string(), OTHER)]);
    let record = commit(&mine, &Marker::Begun(mine.clone()), &declared, &disk).expect("every output is there");
    let seen = Seen {
        marker: &Marker::Done(record),
        inputs: THEN,
        cluster: None,
        owner: Owner::Dead,
        disk: &disk,
        declared: &["a".to_string(), "b".to_string()],
        policies: Policies::SAFE,
    };
    assert_eq!(step(&seen), Step::Keep);
}
