//! The little language of expectations, by example.

use super::*;
use serde_json::json;

fn holds(rule: &str, document: &Value) -> bool {
    rule.parse::<JsonRule>().expect(rule).check(document).is_ok()
}

#[test]
fn a_bare_path_wants_a_value_that_says_something() {
    for placeholder in [json!(null), json!(""), json!("  "), json!(false), json!([]), json!({})] {
        assert!(!holds(".id", &json!({ "id": placeholder })), "{placeholder}");
    }
    for real in [json!("x"), json!(0), json!(true), json!([0])] {
        assert!(holds(".id", &json!({ "id": real })), "{real}");
    }
    assert!(!holds(".id", &json!({})) && !holds(".id", &json!([1])));
}

#[test]
fn numbers_compare_as_numbers_even_when_written_as_strings() {
    let status = json!({ "sync": { "height": "1000", "earliest": "95" } });
    assert!(holds(".sync.height>=95", &status) && holds(".sync.height>\"95\"", &status));
    assert!(holds(".sync.earliest<1000", &status) && !holds(".sync.height<95", &status));
    assert!(holds(".n==9007199254740993", &json!({ "n": 9007199254740993u64 })));
    assert!(!holds(".n==9007199254740992", &json!({ "n": 9007199254740993u64 })));
    assert!(holds(".n>=1.5", &json!({ "n": 2 })) && holds(".n==-3", &json!({ "n": -3 })));
}

#[test]
fn words_need_no_quotes_and_types_do_not_mix() {
    assert!(holds(".status==UP", &json!({ "status": "UP" })) && holds(".status == \"UP\"", &json!({ "status": "UP" })));
    assert!(holds(".x==false", &json!({ "x": false })) && !holds(".x==false", &json!({ "x": "false" })));
    assert!(holds(".x!=null", &json!({ "x": 1 })) && !holds(".x!=null", &json!({ "x": null })));
    assert!(!holds(".x>=a", &json!({ "x": 1 })), "a number has no order against a word");
}

#[test]
fn any_element_can_satisfy_a_star_and_length_counts() {
    let list = json!({ "v": [{ "k": "a" }, { "k": "b" }], "m": { "x.y": 1 } });
    assert!(holds(".v[*].k==b", &list) && !holds(".v[*].k==c", &list));
    assert!(holds(".v[1].k==b", &list) && !holds(".v[2].k", &list));
    assert!(holds(".v|length==2", &list) && !holds(".v|length>2", &list));
    assert!(holds(".m[\"x.y\"]==1", &list) && holds("[\"m\"]", &list) && holds(".", &list));
}

#[test]
fn what_cannot_be_read_is_refused() {
    for rule in ["", "status", ".a=1", ".a..b", ".a[", ".a[x]", ".a|keys", ".a|length", ".a ~ b"] {
        assert!(rule.parse::<JsonRule>().is_err(), "{rule}");
    }
}

#[test]
fn html_and_half_a_document_are_no_json() {
    let rule: JsonRule = ".id".parse().expect("a rule");
    for bytes in [&b"<html>"[..], b"", b"{\"id\":\"x\"", b"{\"id\":\"x\"} trailing"] {
        assert!(rule.check_bytes(bytes).expect_err("refused").contains("no JSON"));
    }
}

#[test]
fn a_failed_rule_says_what_was_there() {
    let why = ".a==2".parse::<JsonRule>().expect("a rule").check(&json!({ "a": 1 }));
    assert_eq!(why, Err(".a==2 does not hold: it is 1".to_owned()));
}

#[test]
fn statuses_are_sets() {
    let set: Statuses = "200, 3xx,401-403".parse().expect("a set");
    assert!([200, 300, 399, 402].iter().all(|status| set.contains(*status)));
    assert!([201, 400, 404, 500].iter().all(|status| !set.contains(*status)));
    for text in ["", "99", "600", "6xx", "404-400", "ok", "2xx,"] {
        assert!(text.parse::<Statuses>().is_err(), "{text}");
    }
}

#[test]
fn a_header_rule_is_about_presence_or_the_exact_value() {
    let headers = http::HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"x\""))]);
    let check = |rule: &str| rule.parse::<HeaderRule>().expect(rule).check(&headers).is_ok();
    assert!(check("etag") && check("ETag: \"x\"") && !check("ETag: x") && !check("X-Ready"));
}
