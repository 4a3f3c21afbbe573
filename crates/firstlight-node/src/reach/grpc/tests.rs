use super::*;

#[test]
fn a_request_names_its_service_and_no_service_is_no_bytes() {
    assert_eq!(asking("").as_ref(), [0, 0, 0, 0, 0]);
    assert_eq!(asking("db").as_ref(), [0, 0, 0, 0, 4, 0x0a, 2, b'd', b'b']);
    let long = asking(&"x".repeat(300));
    assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 2]);
}

#[test]
fn a_response_is_read_whatever_else_it_says() {
    let framed = |message: &[u8]| [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message].concat();
    assert_eq!(serving(&framed(&[8, 1])), Some(1));
    assert_eq!(serving(&framed(&[])), Some(0), "zeros are left out");
    assert_eq!(serving(&framed(&[0x12, 1, b'x', 8, 2, 0x1d, 0, 0, 0, 0])), Some(2));
    assert_eq!(serving(&framed(&[8])), None);
    assert_eq!(serving(&framed(&[0x12, 9, b'x'])), None);
    assert_eq!(serving(&[1, 0, 0, 0, 2, 8, 1]), None, "compressed, which was not asked for");
    assert_eq!(serving(&[0, 0, 0, 0, 3, 8, 1]), None, "cut short");
    assert_eq!(serving(&framed(&[8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1])), None);
}

#[test]
fn a_refusal_is_told_in_its_own_words() {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-message", HeaderValue::from_static("no such%20service%"));
    let limit = Duration::from_secs(1);
    let told = |code| judge(code, &headers, limit).unwrap_err();
    assert_eq!(told(5), "error: health rpc probe failed: rpc error: code = NotFound desc = no such service%");
    assert_eq!(told(99), "error: health rpc probe failed: rpc error: code = Code(99) desc = no such service%");
    assert!(told(12).starts_with("error: this server does not implement the grpc health protocol"));
    assert_eq!(told(4), "timeout: health rpc did not complete within 1s");
}
