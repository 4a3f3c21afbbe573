//! Frames: what is written is read again, in whatever pieces it arrives; what is not SPDY is refused.

use super::{Broken, CONTROL_LIMIT, DATA_LIMIT, Decoder, Encoder, Frame, Reset};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

fn decode(bytes: &[u8], pieces: usize) -> Result<Vec<Frame>, Broken> {
    let (mut decoder, mut buffer, mut frames) = (Decoder::new(), BytesMut::new(), Vec::new());
    for piece in bytes.chunks(pieces.max(1)) {
        buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.decode(&mut buffer)? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn encode(frames: &[Frame]) -> BytesMut {
    let (mut encoder, mut bytes) = (Encoder::new(), BytesMut::new());
    frames.iter().for_each(|frame| encoder.encode(frame, &mut bytes));
    bytes
}

/// Joins the pieces a data frame was read in.
fn joined(frames: Vec<Frame>) -> Vec<Frame> {
    let mut whole: Vec<Frame> = Vec::new();
    let mut open = false;
    for frame in frames {
        match (whole.last_mut(), frame) {
            (Some(Frame::Data { stream, bytes, fin }), Frame::Data { stream: same, bytes: more, fin: last })
                if open && *stream == same =>
            {
                *bytes = [bytes.as_ref(), more.as_ref()].concat().into();
                *fin = last;
            }
            (_, frame) => {
                open = matches!(frame, Frame::Data { .. });
                whole.push(frame);
            }
        }
    }
    whole
}

fn frame() -> impl Strategy<Value = Frame> {
    let stream = 1_u32..0x8000_0000;
    let headers = prop::collection::vec(("[a-z-]{1,12}", "\\PC{0,40}"), 0..6);
    let reason = prop_oneof![
        Just(Reset::ProtocolError),
        Just(Reset::InvalidStream),
        Just(Reset::RefusedStream),
        Just(Reset::Cancel),
        (8_u32..99).prop_map(Reset::Other)
    ];
    prop_oneof![
        (stream.clone(), headers.clone(), any::<bool>()).prop_map(|(stream, headers, fin)| Frame::SynStream {
            stream,
            headers,
            fin
        }),
        (stream.clone(), headers.clone(), any::<bool>()).prop_map(|(stream, headers, fin)| Frame::SynReply {
            stream,
            headers,
            fin
        }),
        (stream.clone(), headers, any::<bool>()).prop_map(|(stream, headers, fin)| Frame::Headers {
            stream,
            headers,
            fin
        }),
        (stream.clone(), reason).prop_map(|(stream, reason)| Frame::Reset { stream, reason }),
        any::<Option<u32>>().prop_map(|initial_window| Frame::Settings { initial_window }),
        any::<u32>().prop_map(|id| Frame::Ping { id }),
        (0_u32..0x8000_0000).prop_map(|last| Frame::GoAway { last }),
        (0_u32..0x8000_0000, 0_u32..0x8000_0000).prop_map(|(stream, delta)| Frame::WindowUpdate { stream, delta }),
    ]
}

proptest! {
    #[test]
    fn every_frame_is_read_as_it_was_written(frames in prop::collection::vec(frame(), 0..12), pieces in 1_usize..200) {
        prop_assert_eq!(decode(&encode(&frames), pieces), Ok(frames));
    }

    #[test]
    fn data_survives_any_cut(bytes in prop::collection::vec(any::<u8>(), 0..4000), pieces in 1_usize..600, fin: bool) {
        let frames = vec![Frame::Data { stream: 7, bytes: bytes.into(), fin }, Frame::Ping { id: 1 }];
        prop_assert_eq!(joined(decode(&encode(&frames), pieces).expect("SPDY")), frames);
    }

    #[test]
    fn nothing_a_stranger_sends_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), pieces in 1_usize..40) {
        let _ = decode(&bytes, pieces);
    }

    #[test]
    fn no_damage_to_good_frames_is_a_panic(
        frames in prop::collection::vec(frame(), 1..6),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = encode(&frames);
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = decode(&bytes, 64);
    }
}

#[test]
fn a_frame_as_the_draft_draws_it() {
    assert_eq!(encode(&[Frame::Ping { id: 1 }])[..], [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);
    let data = Frame::Data { stream: 5, bytes: Bytes::from_static(b"hi"), fin: true };
    assert_eq!(encode(&[data])[..], [0, 0, 0, 5, 1, 0, 0, 2, b'h', b'i']);
    let reset = Frame::Reset { stream: 3, reason: Reset::Cancel };
    assert_eq!(encode(&[reset])[..], [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 5]);
}

#[test]
fn a_large_data_frame_is_handed_on_as_it_arrives() {
    let mut head = BytesMut::from(&[0, 0, 0, 5, 1][..]);
    head.extend_from_slice(&(DATA_LIMIT as u32).to_be_bytes()[1..]);
    head.extend_from_slice(b"first");
    let mut decoder = Decoder::new();
    let piece = Frame::Data { stream: 5, bytes: Bytes::from_static(b"first"), fin: false };
    assert_eq!(decoder.decode(&mut head), Ok(Some(piece)));
    assert_eq!(decoder.decode(&mut head), Ok(None));
}

#[test]
fn frames_of_unknown_kinds_are_skipped() {
    let mut bytes = vec![0x80, 3, 0, 99, 0, 0, 0, 2, 1, 2];
    bytes.extend_from_slice(&encode(&[Frame::Ping { id: 3 }]));
    assert_eq!(decode(&bytes, 1), Ok(vec![Frame::Ping { id: 3 }]));
}

#[test]
fn what_cannot_be_spdy_is_refused_at_its_head() {
    for (bytes, problem) in [
        (&[0x80, 2, 0, 6, 0, 0, 0, 4][..], "a control frame of another version"),
        (b"GET / HTTP/1.1\r\n", ""),
        (&[0, 0, 0, 0, 0, 0, 0, 1], "data on stream 0"),
        (&[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff], "a control frame of more than 16 KiB"),
        (&[0x80, 3, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1], "a short control frame"),
        (&[0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1], "a control frame of stream 0"),
        (&[0x80, 3, 0, 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2], "a damaged header block"),
        (&[0x80, 3, 0, 4, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff], "a short control frame"),
    ] {
        match decode(bytes, bytes.len()) {
            // Text is a data frame of a very large stream number: harmless, as no such stream is open.
            Ok(frames) => assert!(problem.is_empty() && matches!(frames[..], [Frame::Data { .. }]), "{frames:?}"),
            Err(broken) => assert_eq!(broken, Broken(problem)),
        }
    }
    const { assert!(CONTROL_LIMIT < 1 << 24) };
}
