//! Keys in every format we know, none of them anybody's; and public state that must pass.

use super::*;

const PHRASE: &str = "wheel tiger ladder orange window castle pepper silver bridge monkey garden rocket";

#[test]
fn keys_are_refused_by_content_s20() {
    let pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n";
    let in_base64 = format!("client-key: {}\n", STANDARD.encode(pem));
    let in_json = serde_json::json!({ "tls.key": pem }).to_string();
    let comet =
        r#"{"address":"A","pub_key":{"value":"x"},"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"y"}}"#;
    let keys = [
        pem,
        "x\n-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
        "-----BEGIN TENDERMINT PRIVATE KEY-----\n",
        &in_base64,
        &in_json,
        comet,
        r#"{"priv_key":{"type":"t","value":"y"}}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"a","d":"b"}"#,
        r#"{"keys":[{"kty":"oct","k":"secret"}]}"#,
        r#"{"a":{"b":[{"privateKey":"x"}]}}"#,
        r#"{"genesis":[{"name":"g","mnemonic":"x"}]}"#,
        r#"{"crypto":{"cipher":"aes-128-ctr","ciphertext":"00"}}"#,
        "AGE-SECRET-KEY-1QQQQ",
        PHRASE,
        &format!("# accounts\nfaucet: {PHRASE}\n"),
        &PHRASE.replace(' ', "\n"),
        &format!("[\"{PHRASE}\"]"),
        &format!("[{}]", ["7"; 64].join(",")),
    ];
    for key in keys {
        assert!(by_content(key.as_bytes()).is_some(), "{key}");
    }
}

#[test]
fn keys_in_binary_forms_are_refused_s20() {
    let pkcs8 = [&[0x30, 0x0a, 0x02, 0x01, 0x00, 0x30, 0x05][..], &[0; 5]].concat();
    let sec1 = [&[0x30, 0x07, 0x02, 0x01, 0x01, 0x04, 0x02][..], &[0; 2]].concat();
    let pkcs1 = [&[0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x00, 0x02][..], &[0; 252]].concat();
    let pkcs12 = [&[0x30, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00][..]].concat();
    for key in [pkcs8, sec1, pkcs1, pkcs12, vec![0xfe, 0xed, 0xfe, 0xed, 0]] {
        assert!(by_content(&key).is_some(), "{key:x?}");
    }
}

#[test]
fn public_state_passes() {
    let genesis = r#"{"genesis_time":"2026-11-20T11:13:56Z","chain_id":"test-chain","initial_height":"0",
        "validators":[{"address":"2329","pub_key":{"type":"tendermint/PubKeyEd25519","value":"kF28k"},"power":"10","name":""}]}"#;
    let public = [
        genesis,
        "e1c267a38b2a874b4efeca04f28f26ad935e0f7b\n",
        r#"{"node_id":"e1c267"}"#,
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n",
        r#"{"kty":"OKP","crv":"Ed25519","x":"a"}"#,
        r#"{"password":""}"#,
        "the quick brown fox jumps over the lazy dog and then some more of it all",
        "[1,2,3]",
        "",
    ];
    for text in public {
        assert_eq!(by_content(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn names_speak_for_themselves_s20() {
    for name in ["/c/priv_validator_key.json", "/c/node_key.json", "/x/tls.key", "/x/ID_RSA", "/x/my-mnemonic.txt"] {
        assert!(by_name(Path::new(name)).is_some(), "{name}");
    }
    assert!(by_name(Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token")).is_some());
    for name in ["/c/genesis.json", "/c/node_id", "/c/monkey.json"] {
        assert_eq!(by_name(Path::new(name)), None, "{name}");
    }
}
