use super::*;
use firstlight_pod::event::{Exit, Instance};

fn records() -> Vec<Record> {
    let instance = Instance { container: "a".to_owned(), attempt: 0 };
    vec![
        Record::Ready { pod_ip: "10.88.0.2".to_owned(), host_ip: "10.88.0.1".to_owned(), at: 1 },
        Record::Creating { instance: instance.clone(), id: "00".to_owned() },
        Record::Exited { instance, exit: Exit { message: "ends\nin two lines\0".to_owned(), ..Exit::default() } },
    ]
}

fn written() -> Vec<u8> {
    records().iter().map(line).collect::<String>().into_bytes()
}

#[test]
fn crc32_of_the_standards_check_string() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn what_is_added_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::begin(dir.path()).unwrap();
    for record in records() {
        journal.add(record).unwrap();
    }
    assert_eq!(read(dir.path()).unwrap().records, records());
    assert_eq!(journal.records(), records());
}

#[test]
fn the_journal_of_a_shim_that_died_is_completed_after_its_last_whole_line() {
    let dir = tempfile::tempdir().unwrap();
    let cut = [written(), b"0123".to_vec()].concat();
    std::fs::write(dir.path().join(FILE), cut).unwrap();
    complete(dir.path(), &[Record::Gone { at: 9 }]).unwrap();
    let all: Vec<Record> = records().into_iter().chain([Record::Gone { at: 9 }]).collect();
    assert_eq!(read(dir.path()).unwrap().records, all);
}

#[test]
fn a_journal_is_never_begun_twice() {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::begin(dir.path()).unwrap());
    assert_eq!(Journal::begin(dir.path()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn cut_anywhere_it_yields_a_prefix() {
    let all = written();
    for length in 0..=all.len() {
        let found = parse(&all[..length]);
        assert_eq!(found[..], records()[..found.len()], "cut at {length}");
    }
    assert_eq!(parse(&all).len(), 3);
}

#[test]
fn a_flipped_bit_ends_it() {
    let all = written();
    for position in 0..all.len() {
        let mut damaged = all.clone();
        damaged[position] ^= 1;
        let found = parse(&damaged);
        assert!(found.len() < 3, "bit flipped in byte {position}");
        assert_eq!(found[..], records()[..found.len()], "bit flipped in byte {position}");
    }
}
