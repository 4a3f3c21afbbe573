//! Bytes in, bytes out.

use super::{Incoming, Question, Transport, failure, read, reply};
use crate::zone::{Answer, Data, Kind};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use proptest::prelude::*;

fn message(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    message
}

fn domain() -> Vec<String> {
    ["cluster", "local"].map(str::to_owned).to_vec()
}

fn question(message: &Message) -> Question {
    match read(&message.to_vec().expect("encoded")) {
        Incoming::Question(question) => question,
        other => panic!("{other:?}"),
    }
}

fn answered(message: &Message, answer: Answer, transport: Transport) -> Message {
    let bytes = reply(&question(message), answer, &domain(), 42, transport).expect("a reply");
    Message::from_vec(&bytes).expect("decoded")
}

fn addresses(count: u16) -> Answer {
    let data = (0..count).map(|number| Data::A(std::net::Ipv4Addr::from(0x0a00_0000 + u32::from(number))));
    Answer::Records { data: data.collect(), hosts: Vec::new() }
}

#[test]
fn names_are_read_in_lower_case_and_said_as_they_were_asked() {
    let asked = message("PeerS.N.svc.Cluster.LOCAL.", RecordType::A);
    assert_eq!(question(&asked).name, ["peers", "n", "svc", "cluster", "local"]);
    let reply = answered(&asked, addresses(1), Transport::Udp);
    assert_eq!(reply.answers[0].name.to_ascii(), "PeerS.N.svc.Cluster.LOCAL.");
    assert_eq!(reply.queries, asked.queries);
}

#[test]
fn a_reply_is_authoritative_short_lived_and_to_the_question() {
    let reply = answered(&message("peers.n.svc.cluster.local.", RecordType::A), addresses(1), Transport::Udp);
    let flags = reply.metadata;
    assert_eq!((flags.id, flags.message_type, flags.response_code), (7, MessageType::Response, ResponseCode::NoError));
    assert!(flags.authoritative && flags.recursion_desired && flags.recursion_available && !flags.truncation);
    assert_eq!(reply.answers[0].ttl, 1);
    assert!(reply.edns.is_none(), "not asked with EDNS, so not answered with it (RFC 6891, 7)");
}

#[test]
fn addresses_take_turns() {
    let mut asked = message("peers.n.svc.cluster.local.", RecordType::A);
    let mut first = |id| {
        asked.metadata.id = id;
        answered(&asked, addresses(3), Transport::Udp).answers[0].data.clone()
    };
    let firsts: Vec<RData> = (0..4).map(&mut first).collect();
    assert_ne!(firsts[0], firsts[1]);
    assert_ne!(firsts[1], firsts[2]);
    assert_eq!(firsts[0], firsts[3]);
}

#[test]
fn nothing_is_said_with_the_authority_so_that_it_is_forgotten_in_time() {
    for (answer, code) in [(Answer::Empty, ResponseCode::NoError), (Answer::NoSuchName, ResponseCode::NXDomain)] {
        let reply = answered(&message("x.n.svc.cluster.local.", RecordType::AAAA), answer, Transport::Udp);
        assert_eq!((reply.metadata.response_code, reply.answers.len()), (code, 0));
        let authority = &reply.authorities[0];
        assert_eq!((authority.name.to_ascii().as_str(), authority.ttl), ("cluster.local.", 1));
        let RData::SOA(soa) = &authority.data else { panic!("{authority}") };
        assert_eq!((soa.serial, soa.minimum), (42, 1));
    }
}

#[test]
fn a_port_comes_with_the_addresses_of_its_hosts() {
    let host = "node-0.peers.n.svc.cluster.local".to_owned();
    let answer = Answer::Records {
        data: vec![Data::Srv { port: 26657, target: host.clone() }],
        hosts: vec![(host, [10, 0, 0, 1].into())],
    };
    let reply = answered(&message("_rpc._tcp.peers.n.svc.cluster.local.", RecordType::SRV), answer, Transport::Udp);
    let RData::SRV(srv) = &reply.answers[0].data else { panic!() };
    assert_eq!((srv.priority, srv.weight, srv.port), (0, 100, 26657));
    assert_eq!(srv.target.to_ascii(), "node-0.peers.n.svc.cluster.local.");
    assert_eq!(reply.additionals[0].name, srv.target);
}

#[test]
fn what_does_not_fit_in_a_datagram_is_cut_and_said_to_be() {
    let mut asked = message("peers.n.svc.cluster.local.", RecordType::A);
    let counted = |asked: &Message, count, transport| {
        let reply = answered(asked, addresses(count), transport);
        (reply.answers.len(), reply.metadata.truncation)
    };
    assert_eq!(counted(&asked, 25, Transport::Udp), (25, false));
    assert_eq!(counted(&asked, 40, Transport::Udp), (0, true), "512 bytes without EDNS");
    assert_eq!(counted(&asked, 40, Transport::Tcp), (40, false));
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    asked.set_edns(edns);
    assert_eq!(counted(&asked, 40, Transport::Udp), (40, false));
    assert_eq!(counted(&asked, 100, Transport::Udp), (0, true), "never more than 1232");
    assert_eq!(counted(&asked, 1000, Transport::Tcp), (1000, false));
    assert_eq!(answered(&asked, addresses(1), Transport::Udp).max_payload(), 1232);
}

#[test]
fn additional_addresses_are_left_out_before_answers_are() {
    let hosts: Vec<_> =
        (0..7).map(|number| (format!("node-{number}.peers.n.svc.cluster.local"), [10, 0, 0, number].into())).collect();
    let data = hosts.iter().map(|(host, _)| Data::Srv { port: 1, target: host.clone() }).collect();
    let asked = message("_rpc._tcp.peers.n.svc.cluster.local.", RecordType::SRV);
    let answer = Answer::Records { data, hosts };
    let counts = |transport| {
        let reply = answered(&asked, answer.clone(), transport);
        (reply.answers.len(), reply.additionals.len(), reply.metadata.truncation)
    };
    assert_eq!(counts(Transport::Tcp), (7, 7, false));
    assert_eq!(counts(Transport::Udp), (7, 0, false));
}

#[test]
fn what_is_somebody_elses_is_not_answered_here() {
    let asked = question(&message("example.com.", RecordType::A));
    assert!(reply(&asked, Answer::Elsewhere, &domain(), 1, Transport::Udp).is_none());
    let failed = Message::from_vec(&failure(&asked)).expect("decoded");
    assert_eq!((failed.metadata.id, failed.metadata.response_code), (7, ResponseCode::ServFail));
}

fn code(bytes: &[u8]) -> Option<ResponseCode> {
    match read(bytes) {
        Incoming::Wrong(reply) => Some(Message::from_vec(&reply).expect("decoded").metadata.response_code),
        Incoming::Question(_) | Incoming::Noise => None,
    }
}

#[test]
fn what_is_no_question_gets_an_error_or_nothing() {
    let good = message("a.cluster.local.", RecordType::A);
    let bytes = good.to_vec().expect("encoded");
    assert!(matches!(read(&bytes), Incoming::Question(Question { kind: Kind::A, .. })));
    assert_eq!(code(&bytes[..bytes.len() - 1]), Some(ResponseCode::FormErr), "cut off");
    assert!(matches!(read(&bytes[..11]), Incoming::Noise), "not even a header");
    assert!(matches!(read(&[]), Incoming::Noise));
    let changed = |change: &dyn Fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        message.to_vec().expect("encoded")
    };
    let response = changed(&|message| message.metadata.message_type = MessageType::Response);
    assert!(matches!(read(&response), Incoming::Noise), "a reply is never answered: two servers would do so for ever");
    assert_eq!(code(&changed(&|message| message.metadata.op_code = OpCode::Update)), Some(ResponseCode::NotImp));
    assert_eq!(code(&changed(&|message| message.queries.clear())), Some(ResponseCode::FormErr));
    let twice = changed(&|message| {
        let query = message.queries[0].clone();
        message.add_query(query);
    });
    assert_eq!(code(&twice), Some(ResponseCode::FormErr));
    assert_eq!(code(&changed(&|message| message.queries[0].query_class = DNSClass::CH)), Some(ResponseCode::Refused));
    let newer = changed(&|message| {
        let mut edns = Edns::new();
        edns.set_version(1);
        message.set_edns(edns);
    });
    // 16 is also BADSIG; the library reads it as that.
    assert_eq!(code(&newer).map(u16::from), Some(u16::from(ResponseCode::BADVERS)));
}

proptest! {
    #[test]
    fn nothing_a_stranger_sends_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_damage_to_a_good_question_is_a_panic(hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = message("_rpc._tcp.peers.n.svc.cluster.local.", RecordType::SRV).to_vec().expect("encoded");
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Incoming::Question(question) = read(&bytes) {
            let _ = reply(&question, addresses(60), &domain(), 1, Transport::Udp);
        }
    }
}
