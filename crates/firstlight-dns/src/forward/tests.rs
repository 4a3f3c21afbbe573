//! Which reply belongs to which question.

use super::{answers, asked, renumbered};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

fn message(id: u16, kind: MessageType, name: &str, record: RecordType) -> Vec<u8> {
    let mut message = Message::new(id, kind, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), record));
    message.to_vec().expect("encoded")
}

#[test]
fn a_reply_has_the_number_and_the_question() {
    let question = message(1, MessageType::Query, "example.com.", RecordType::A);
    let good = |id, kind, name, record| answers(&message(id, kind, name, record), &question);
    assert!(good(1, MessageType::Response, "example.com.", RecordType::A));
    assert!(good(1, MessageType::Response, "Example.COM.", RecordType::A));
    assert!(!good(2, MessageType::Response, "example.com.", RecordType::A));
    assert!(!good(1, MessageType::Query, "example.com.", RecordType::A));
    assert!(!good(1, MessageType::Response, "evil.com.", RecordType::A));
    assert!(!good(1, MessageType::Response, "example.com.", RecordType::AAAA));
    assert!(!answers(&question[..5], &question));
}

#[test]
fn names_that_run_out_are_no_names() {
    assert_eq!(asked(&[0; 12]), None);
    assert_eq!(asked(&[&[0; 12][..], &[200, b'a']].concat()), None);
    assert_eq!(asked(&[&[0; 12][..], &[0, 0, 1, 0]].concat()), None);
}

#[test]
fn only_the_number_is_changed() {
    let question = message(0x1234, MessageType::Query, "example.com.", RecordType::A);
    let (own, changed) = renumbered(&question).expect("renumbered");
    assert_eq!(own, [0x12, 0x34]);
    assert_eq!(changed[2..], question[2..]);
    assert!(renumbered(&[1]).is_err());
}
