//! What is decoded is what Kubernetes' own encoders and decoders make of the same bytes.

use crate::golden::samples;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use firstlight_api::decode::{Format, MAX_BYTES, decode, documents};
use firstlight_api::fields;
use firstlight_api::schema::{group_version, type_of};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn protobuf_and_json_samples_of_every_kind_are_the_same_object() {
    for sample in samples() {
        let decoded = decode(Format::Protobuf, &sample.protobuf).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
        let text = |v| serde_json::to_string_pretty(v).expect("JSON");
        for (line, (left, right)) in text(&decoded.value).lines().zip(text(&sample.json).lines()).enumerate() {
            assert_eq!(left, right, "{}, line {line} of the sorted JSON", sample.name);
        }
        assert_eq!(decoded.value, sample.json, "{}", sample.name);
        assert_eq!(decoded.dropped, Vec::<String>::new(), "{}", sample.name);
    }
}

#[test]
fn samples_have_no_unknown_field_no_wrong_type_and_are_canonical() {
    for sample in samples() {
        let (group, version) = group_version(sample.json["apiVersion"].as_str().expect("apiVersion"));
        let ty = type_of(group, version, sample.json["kind"].as_str().expect("kind")).expect("a table");
        assert_eq!(fields::unknown(ty, &sample.json), Vec::<String>::new(), "{}", sample.name);
        assert_eq!(fields::type_errors(ty, &sample.json), Ok(()), "{}", sample.name);
        let mut canonical = sample.json.clone();
        fields::canonical(ty, &mut canonical);
        assert_eq!(canonical, sample.json, "{}", sample.name);
    }
}

/// A message's field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut field = vec![number << 3 | 2];
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(bytes);
    field
}

#[test]
fn the_items_of_a_list_are_objects_in_their_own_envelopes() {
    let pod = samples().into_iter().find(|sample| sample.name == "core.v1.Pod").expect("a pod");
    let list = field(2, &field(1, &pod.protobuf));
    let kind = [field(1, b"v1"), field(2, b"List")].concat();
    let sent = [b"k8s\0".to_vec(), field(1, &kind), field(2, &list)].concat();
    let decoded = decode(Format::Protobuf, &sent).expect("a list").value;
    assert_eq!(decoded["items"], json!([pod.json]));
}

/// A Pod with a name and a container, as client-go 0.36 sends it: every field that is not a pointer travels, zero or not.
#[test]
fn zeros_that_nobody_set_are_not_read_from_protobuf() {
    let sent = "azhzAAoJCgJ2MRIDUG9kEmEKEQoBYhIAGgAiACoAMgA4AEIAEjcSGQoBYRIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgA\
        ggEAigEAmgEAwgEAGhMKABoAIgAqADIASgBaAHIAiAEAGgAiAA==";
    let sent = BASE64_STANDARD.decode(sent).expect("base64");
    let pod = decode(Format::Protobuf, &sent).expect("read").value;
    assert_eq!(
        pod,
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"},
            "spec": {"containers": [{"name": "a", "resources": {}}]}, "status": {}})
    );
}

#[test]
fn damaged_protobuf_is_refused_or_read_but_never_a_panic() {
    let pod = samples().into_iter().find(|s| s.name == "core.v1.Pod").expect("a pod").protobuf;
    let mut refused = 0;
    for length in (0..pod.len()).step_by(7) {
        refused += usize::from(decode(Format::Protobuf, &pod[..length]).is_err());
    }
    assert!(refused > pod.len() / 14, "a cut message is rarely a message: {refused} of {}", pod.len());
    for at in (0..pod.len()).step_by(7) {
        let mut damaged = pod.clone();
        damaged[at] ^= 0x55;
        let _ = decode(Format::Protobuf, &damaged);
    }
}

#[test]
fn protobuf_of_an_unknown_kind_and_unknown_fields_are_named() {
    let unknown_kind = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Foo";
    let error = decode(Format::Protobuf, unknown_kind).expect_err("refused");
    assert!(error.message.ends_with("no kind \"Foo\" is registered for version \"v1\""), "{error}");
    // ConfigMap { 99: 7, 98: 0 }: the first says something, the second is the zero of a newer client's field.
    let unknown_field = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x06\x98\x06\x07\x90\x06\x00";
    let decoded = decode(Format::Protobuf, unknown_field).expect("read");
    assert_eq!(decoded.value, json!({"apiVersion": "v1", "kind": "ConfigMap"}));
    assert_eq!(decoded.dropped, ["core.v1.ConfigMap field 99"]);
}

#[test]
fn duplicate_keys_are_found_in_json_and_yaml_and_the_last_one_counts() {
    let text = r#"{"metadata": {"name": "a", "name": "b"}, "spec": {"containers": [{"image": "x", "image": "y"}]}}"#;
    for format in [Format::Json, Format::Yaml] {
        let decoded = decode(format, text.as_bytes()).expect("read");
        assert_eq!(decoded.value["metadata"]["name"], "b");
        assert_eq!(decoded.duplicates, ["metadata.name", "spec.containers[0].image"]);
    }
}

#[test]
fn json_is_bounded_and_whole() {
    for bad in ["", "{", "{}{}", "{'a': 1}", "{\"a\": 01}", "\u{feff}{}"] {
        assert_eq!(decode(Format::Json, bad.as_bytes()).expect_err(bad).code, 400);
    }
    assert_eq!(decode(Format::Json, "[".repeat(100_000).as_bytes()).expect_err("deep").code, 400);
    assert_eq!(decode(Format::Json, &vec![b' '; MAX_BYTES + 1]).expect_err("long").code, 413);
}

/// One YAML scalar or key each, as `sigs.k8s.io/yaml` turns it into JSON.
#[test]
fn yaml_scalars_and_keys_are_read_as_kubernetes_reads_them() {
    let cases = [
        ("a: yes", json!({"a": true})),
        ("a: y", json!({"a": true})),
        ("a: off", json!({"a": false})),
        ("a: 'yes'", json!({"a": "yes"})),
        ("a: ~", json!({"a": null})),
        ("a:", json!({"a": null})),
        ("a: 0644", json!({"a": 420})),
        ("a: 0o644", json!({"a": 420})),
        ("a: 0888", json!({"a": 888})),
        ("a: 0x1F", json!({"a": 31})),
        ("a: 1_000", json!({"a": 1000})),
        ("a: 1e3", json!({"a": 1000})),
        ("a: 3.0", json!({"a": 3})),
        ("a: 12E17", json!({"a": 1_200_000_000_000_000_000_i64})),
        ("a: 1.10", json!({"a": 1.1})),
        ("a: 2001-01-01", json!({"a": "2001-01-01"})),
        ("a: 1:30", json!({"a": "1:30"})),
        ("a: !!str 1", json!({"a": "1"})),
        ("a: |\n  x\n  y\n", json!({"a": "x\ny\n"})),
        ("on: 1", json!({"true": 1})),
        ("1: 2", json!({"1": 2})),
        ("1.5: a", json!({"1.5": "a"})),
        ("0644: x", json!({"420": "x"})),
        ("x: &x {a: 1, b: 2}\nz:\n  <<: *x\n  b: 3", json!({"x": {"a": 1, "b": 2}, "z": {"a": 1, "b": 3}})),
        ("{\"a\": [1, {\"b\": null}]}", json!({"a": [1, {"b": null}]})),
    ];
    for (text, value) in cases {
        let decoded = decode(Format::Yaml, text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(decoded.value, value, "{text}");
        assert_eq!(decoded.duplicates, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn yaml_that_cannot_be_read_is_refused_with_its_line() {
    let cases = [
        ("spec:\n\tname: x", 2, "tabs disallowed"),
        ("a: 1\nb: c: d", 2, "mapping values are not allowed"),
        ("a: [1, 2", 1, "unclosed bracket"),
        ("a: 1\n]", 2, "misplaced bracket"),
        ("? [a]\n: b", 1, "a text, number or boolean as key"),
        ("null: a", 1, "a text, number or boolean as key"),
        ("a: .nan", 1, "non-finite"),
        ("a: 1\n---\nb: *x", 3, "unknown anchor"),
        ("# one\na: 1\n---\n# two\n\nb: 2\n---\nc: [1\n", 8, "unclosed bracket"),
        ("b:\n  <<: 3", 2, "merge value"),
        ("a: &a [*a]", 1, "recursive"),
    ];
    for (text, line, why) in cases {
        let error = documents(text).expect_err(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.message.contains(why), "{text}: {error}");
    }
}

#[test]
fn a_file_holds_several_documents_with_their_lines() {
    let file = "# head\na: 1\n--- # next\n---\n%YAML 1.2\n---\n\nb: |\n  ---\n  x\n...\n---\r\n{\"c\": 1}\r\n---\n";
    let found = documents(file).expect("read");
    let lines: Vec<_> = found.iter().map(|d| (d.line, d.value.clone())).collect();
    assert_eq!(lines, [(2, json!({"a": 1})), (8, json!({"b": "---\nx\n"})), (13, json!({"c": 1}))]);
    let error = decode(Format::Yaml, b"a: 1\n---\nb: 2").expect_err("refused");
    assert!(error.message.contains("2 documents"), "{error}");
    assert_eq!(decode(Format::Yaml, b"# nothing\n").expect_err("refused").code, 400);
    assert_eq!(decode(Format::Yaml, b"a: \xff").expect_err("refused").code, 400);
}

#[test]
fn yaml_bombs_are_refused() {
    let lists = ('b'..='k').map(|name| {
        let before = char::from_u32(u32::from(name) - 1).expect("a letter");
        format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(","))
    });
    let bomb = format!("a: &a [x]\n{}", lists.collect::<String>());
    let wide = format!("a: &a {}\nb: [{}]", "x".repeat(1_000_000), vec!["*a"; 900].join(","));
    for text in [bomb, wide] {
        let error = documents(&text).expect_err("refused");
        assert!(error.message.contains("aliases expand to more"), "{error}");
    }
    let deep = (0..3000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>();
    assert!(documents(&deep).expect_err("refused").message.contains("nests deeper"));
    assert!(documents(&"[".repeat(100_000)).is_err());
    let many = format!("[{}]", vec!["1"; 600_000].join(","));
    assert!(documents(&many).expect_err("refused").message.contains("more than 500000 values"));
    assert!(documents(&" ".repeat(MAX_BYTES + 1)).is_err());
    assert!(documents(&format!("a: [{}]", vec!["&x 1, *x"; 2_000].join(","))).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), yaml in "[a-c:&*<|>\\-\\[\\]{},\n \t#%!'\"0-9]{0,64}") {
        let _ = decode(Format::Json, &bytes);
        let _ = decode(Format::Yaml, &bytes);
        let _ = decode(Format::Protobuf, &[b"k8s\0", bytes.as_slice()].concat());
        let _ = documents(&yaml);
    }

    #[test]
    fn yaml_reads_every_json_text_as_json_does(text in "[ -~éλ😀]{0,32}", number in any::<i64>()) {
        let value = json!({"t": text, "n": number, "l": [null, true]});
        let json = serde_json::to_string(&value).expect("JSON");
        prop_assert_eq!(decode(Format::Yaml, json.as_bytes()).map(|d| d.value), Ok::<Value, _>(value));
    }
}
