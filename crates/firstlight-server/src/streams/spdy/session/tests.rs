//! A connection as its client sees it.

use super::{Gone, STREAM_LIMIT, WINDOW};
use crate::streams::spdy::{Frame, Reset};
use crate::streams::tests::connection;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_stream_is_accepted_and_carries_bytes_both_ways() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let id = client.open(&[("streamtype", "data")]).await;
    let mut stream = session.accept().await.expect("a stream");
    assert_eq!(stream.header("streamtype"), Some("data"));
    assert_eq!(client.next().await, Some(Frame::SynReply { stream: id, headers: vec![], fin: false }));
    client.data(id, b"to", true).await;
    assert_eq!(stream.inflow.recv().await.expect("bytes").expect("no reset"), "to");
    assert!(stream.inflow.recv().await.is_none(), "half closed");
    stream.outflow.send(Bytes::from_static(b"fro")).await.expect("sent");
    stream.outflow.finish().await.expect("finished");
    assert_eq!(client.read([id]).await, ["fro"]);
}

#[tokio::test]
async fn stream_numbers_must_be_odd_and_rise() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    for (stream, good) in [(3, true), (4, false), (3, false), (1, false), (5, true)] {
        client.send(Frame::SynStream { stream, headers: vec![], fin: false }).await;
        let reply = client.next().await.expect("a reply");
        let refused = Frame::Reset { stream, reason: Reset::ProtocolError };
        let accepted = Frame::SynReply { stream, headers: vec![], fin: false };
        assert_eq!(reply, if good { accepted } else { refused });
    }
    assert!(session.accept().await.is_some());
}

#[tokio::test]
async fn the_clients_pings_are_answered_and_its_answers_are_not() {
    let gone = CancellationToken::new();
    let (mut client, _session) = connection(&gone);
    client.send(Frame::Ping { id: 2 }).await;
    client.send(Frame::Ping { id: 7 }).await;
    assert_eq!(client.next().await, Some(Frame::Ping { id: 7 }));
}

#[tokio::test]
async fn a_reset_is_an_error_on_the_way_in_and_the_end_of_the_way_out() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let id = client.open(&[]).await;
    let mut stream = session.accept().await.expect("a stream");
    client.send(Frame::Reset { stream: id, reason: Reset::Cancel }).await;
    assert!(stream.inflow.recv().await.expect("an item").is_err());
    assert_eq!(stream.outflow.send(Bytes::from_static(b"late")).await, Err(Gone));
}

#[tokio::test]
async fn e8_streams_at_once_are_bounded_and_finished_ones_make_room() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let mut open = Vec::new();
    for _ in 0..STREAM_LIMIT {
        client.open(&[]).await;
        open.push(session.accept().await.expect("a stream"));
        assert!(matches!(client.next().await, Some(Frame::SynReply { .. })));
    }
    let stream = client.open(&[]).await;
    assert_eq!(client.next().await, Some(Frame::Reset { stream, reason: Reset::RefusedStream }));
    open.pop();
    client.open(&[]).await;
    assert!(matches!(client.next().await, Some(Frame::SynReply { .. })));
}

/// A client that counts nothing (moby/spdystream) would wait for ever for a server that stops at 64 KiB.
#[tokio::test]
async fn a_client_that_does_not_count_is_sent_everything() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let id = client.open(&[]).await;
    let mut stream = session.accept().await.expect("a stream");
    let much = Bytes::from(vec![b'x'; 3 * WINDOW as usize]);
    tokio::spawn(async move {
        stream.outflow.send(much).await.expect("sent");
        stream.outflow.finish().await.expect("finished");
    });
    assert_eq!(client.read([id]).await[0].len(), 3 * WINDOW as usize);
}

/// How many bytes come on any stream before the answer to a ping sent after them.
async fn received(client: &mut crate::streams::tests::Client, ping: u32) -> usize {
    client.send(Frame::Ping { id: ping }).await;
    let mut count = 0;
    loop {
        match client.next().await.expect("more frames") {
            Frame::Data { bytes, .. } => count += bytes.len(),
            Frame::Ping { id } if id == ping => return count,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_client_that_counts_is_never_sent_more_than_its_window() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    client.send(Frame::Settings { initial_window: Some(1000) }).await;
    let id = client.open(&[]).await;
    let mut stream = session.accept().await.expect("a stream");
    let sending = tokio::spawn(async move {
        stream.outflow.send(Bytes::from(vec![b'x'; 5000])).await.expect("sent");
    });
    let mut all = 0;
    let mut ping = 1;
    while all < 1000 {
        all += received(&mut client, ping).await;
        ping += 2;
    }
    assert_eq!(all, 1000);
    client.send(Frame::WindowUpdate { stream: id, delta: 4000 }).await;
    sending.await.expect("everything is sent once the window is open");
}

#[tokio::test]
async fn windows_are_given_back_as_bytes_find_their_place() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let id = client.open(&[]).await;
    let mut stream = session.accept().await.expect("a stream");
    client.data(id, &[0; 500], false).await;
    assert_eq!(stream.inflow.recv().await.expect("bytes").expect("no reset").len(), 500);
    let mut given = std::collections::BTreeMap::new();
    while given.values().sum::<u32>() < 1000 {
        if let Frame::WindowUpdate { stream, delta } = client.any().await.expect("more frames") {
            *given.entry(stream).or_default() += delta;
        }
    }
    assert_eq!(given.into_iter().collect::<Vec<_>>(), [(0, 500), (id, 500)]);
}

#[tokio::test]
async fn after_goodbye_no_stream_is_opened_and_open_ones_go_on() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let id = client.open(&[]).await;
    let mut stream = session.accept().await.expect("a stream");
    client.send(Frame::GoAway { last: 0 }).await;
    assert!(session.accept().await.is_none());
    client.data(id, b"still", false).await;
    assert_eq!(stream.inflow.recv().await.expect("bytes").expect("no reset"), "still");
    assert!(!gone.is_cancelled());
    drop(client);
    gone.cancelled().await;
}

#[tokio::test]
async fn closing_says_goodbye_after_everything_sent() {
    let gone = CancellationToken::new();
    let (mut client, mut session) = connection(&gone);
    let id = client.open(&[]).await;
    let mut stream = session.accept().await.expect("a stream");
    stream.outflow.send(Bytes::from_static(b"last")).await.expect("sent");
    stream.outflow.finish().await.expect("finished");
    let closing = tokio::spawn(session.close());
    assert_eq!(client.read([id]).await, ["last"]);
    assert_eq!(client.next().await, Some(Frame::GoAway { last: 0 }));
    assert_eq!(client.next().await, None);
    drop(client);
    closing.await.expect("closed");
}

#[tokio::test]
async fn what_is_not_spdy_ends_the_connection() {
    let gone = CancellationToken::new();
    let (client, mut session) = connection(&gone);
    let mut io = client.into_inner();
    tokio::io::AsyncWriteExt::write_all(&mut io, &[0x80, 2, 0, 1, 0, 0, 0, 0]).await.expect("written");
    assert!(session.accept().await.is_none());
    gone.cancelled().await;
}
