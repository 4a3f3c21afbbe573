//! Questions and replies as bytes (RFC 1035, RFC 6891). Pure: what cannot be read is a value, not a panic.

use crate::zone::{Answer, Data, Kind};
use hickory_proto::op::{
    DEFAULT_MAX_PAYLOAD_LEN, Edns, Header, Message, MessageType, Metadata, OpCode, Query, ResponseCode,
};
use hickory_proto::rr::rdata::{A, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// Seconds an answer may be kept, also one that says there is nothing. Readiness must be seen at once, but 0 makes
/// some resolvers ask again for each use of one look-up; 1 is the shortest time that does not.
const TTL: u32 = 1;

/// What a reply over UDP may have if the question does not say more (RFC 1035, 4.2.1).
const PLAIN_LIMIT: u16 = 512;

/// What a reply over UDP has at most: it must not be fragmented (DNS Flag Day 2020).
const UDP_LIMIT: u16 = DEFAULT_MAX_PAYLOAD_LEN;

/// How the question came, and so how long its reply may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// As long as the question allows.
    Udp,
    /// As long as it is.
    Tcp,
}

/// A message, as far as it is understood.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A question.
    Question(Question),
    /// Something to be answered with an error only.
    Wrong(Vec<u8>),
    /// Something not to be answered: noise, or somebody's reply.
    Noise,
}

/// A question of one name.
#[derive(Debug)]
pub(crate) struct Question {
    /// The labels of the name, in lower case; those that are no text are unlike any name.
    pub(crate) name: Vec<String>,
    /// The kind of record.
    pub(crate) kind: Kind,
    metadata: Metadata,
    query: Query,
    payload: Option<u16>,
}

/// Reads a message.
pub(crate) fn read(bytes: &[u8]) -> Incoming {
    let Ok(mut message) = Message::from_vec(bytes) else { return unreadable(bytes) };
    let payload = message.edns.as_ref().map(Edns::max_payload);
    if message.metadata.message_type == MessageType::Response {
        return Incoming::Noise;
    }
    let wrong = |code| Incoming::Wrong(error(&message.metadata, payload, code));
    if message.metadata.op_code != OpCode::Query {
        return wrong(ResponseCode::NotImp);
    }
    if message.version() > 0 {
        return wrong(ResponseCode::BADVERS);
    }
    if message.queries.len() != 1 {
        return wrong(ResponseCode::FormErr);
    }
    let query = message.queries.remove(0);
    if query.query_class != DNSClass::IN {
        return Incoming::Wrong(error(&message.metadata, payload, ResponseCode::Refused));
    }
    let label = |label: &[u8]| String::from_utf8_lossy(label).to_ascii_lowercase();
    let name = query.name.iter().map(label).collect();
    let kind = kind(query.query_type);
    Incoming::Question(Question { name, kind, metadata: message.metadata, query, payload })
}

/// A header that can be read gets an answer, so that its sender need not wait.
fn unreadable(bytes: &[u8]) -> Incoming {
    match Header::read(&mut BinDecoder::new(bytes)) {
        Ok(Header { metadata, counts: _ }) if metadata.message_type == MessageType::Query => {
            Incoming::Wrong(error(&metadata, None, ResponseCode::FormErr))
        }
        _ => Incoming::Noise,
    }
}

fn kind(record: RecordType) -> Kind {
    match record {
        RecordType::A => Kind::A,
        RecordType::SRV => Kind::Srv,
        RecordType::PTR => Kind::Ptr,
        RecordType::TXT => Kind::Txt,
        RecordType::SOA => Kind::Soa,
        _ => Kind::Other,
    }
}

/// The reply that says `answer`. `serial` is the state it is of. `None` for an answer that is somebody else's to give.
pub(crate) fn reply(
    question: &Question,
    answer: Answer,
    domain: &[String],
    serial: u32,
    transport: Transport,
) -> Option<Vec<u8>> {
    let mut reply = begin(&question.metadata, question.payload);
    reply.metadata.authoritative = true;
    reply.add_query(question.query.clone());
    let owner = &question.query.name;
    let authority = || Record::from_rdata(name(&domain.join(".")), TTL, soa(domain, serial));
    match answer {
        Answer::Elsewhere => return None,
        Answer::Empty => {
            reply.add_authority(authority());
        }
        Answer::NoSuchName => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(authority());
        }
        Answer::Records { mut data, hosts } => {
            // Clients that take the first address are spread over all of them.
            let turn = usize::from(question.metadata.id) % data.len().max(1);
            data.rotate_left(turn);
            let count = data.len();
            reply.add_answers(data.into_iter().map(|data| {
                let data = rdata(data, count, || soa(domain, serial));
                Record::from_rdata(owner.clone(), TTL, data)
            }));
            reply.add_additionals(
                hosts.into_iter().map(|(host, address)| Record::from_rdata(name(&host), TTL, RData::A(A(address)))),
            );
        }
    }
    Some(fitted(reply, question, transport))
}

/// The reply when nobody could be asked.
pub(crate) fn failure(question: &Question) -> Vec<u8> {
    let mut reply = begin(&question.metadata, question.payload);
    reply.metadata.response_code = ResponseCode::ServFail;
    reply.add_query(question.query.clone());
    encode(&reply)
}

fn error(asked: &Metadata, payload: Option<u16>, code: ResponseCode) -> Vec<u8> {
    let mut reply = begin(asked, payload);
    reply.metadata.response_code = code;
    encode(&reply)
}

fn begin(asked: &Metadata, payload: Option<u16>) -> Message {
    let mut reply = Message::new(asked.id, MessageType::Response, asked.op_code);
    reply.metadata = Metadata::response_from_request(asked);
    reply.metadata.recursion_available = true;
    if payload.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_LIMIT);
        reply.set_edns(edns);
    }
    reply
}

/// The reply's bytes; over UDP what does not fit is left out and said to be (TC), and the client asks over TCP. What
/// is only additional is left out first, without a word (RFC 2181, 9).
fn fitted(mut reply: Message, question: &Question, transport: Transport) -> Vec<u8> {
    let bytes = encode(&reply);
    let limit = match transport {
        Transport::Tcp => u16::MAX,
        Transport::Udp => question.payload.map_or(PLAIN_LIMIT, |payload| payload.clamp(PLAIN_LIMIT, UDP_LIMIT)),
    };
    if bytes.len() <= usize::from(limit) {
        return bytes;
    }
    reply.additionals.clear();
    let bytes = encode(&reply);
    if bytes.len() <= usize::from(limit) { bytes } else { encode(&reply.truncate()) }
}

fn encode(reply: &Message) -> Vec<u8> {
    // Our names come from labels that were valid, so this does not happen; no reply is the safe answer if it does.
    reply.to_vec().unwrap_or_default()
}

fn rdata(data: Data, count: usize, soa: impl FnOnce() -> RData) -> RData {
    match data {
        Data::A(address) => RData::A(A(address)),
        Data::Srv { port, target } => {
            let weight = u16::try_from(100 / count.max(1)).unwrap_or(1).max(1);
            RData::SRV(SRV::new(0, weight, port, name(&target)))
        }
        Data::Ptr(target) => RData::PTR(PTR(name(&target))),
        Data::Txt(text) => RData::TXT(TXT::new(vec![text.to_owned()])),
        Data::Soa => soa(),
    }
}

/// Its last number is how long the absence of a name may be remembered (RFC 2308).
fn soa(domain: &[String], serial: u32) -> RData {
    let domain = domain.join(".");
    let (server, person) = (name(&format!("ns.dns.{domain}")), name(&format!("hostmaster.{domain}")));
    RData::SOA(SOA::new(server, person, serial, 7200, 1800, 86400, TTL))
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap_or_else(|_| Name::root())
}

#[cfg(test)]
mod tests;
